import Bytes
import Clockwork
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

@Suite struct ConnectTests {
    // MARK: What is asked of the broker

    @Test("CONNECT asks for the session", arguments: versions)
    func attach(version: ProtocolVersion) throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(version))
        let receive = version == .v5 ? 20 : 1_000
        #expect(world.asked(slot) == ["attach p clean expiry=0 pace=window(65535) receive=\(receive)"])
    }

    @Test("Before MQTT 5 CleanSession 0 is a session without end, up to the operator's limit (3.1.1 §3.1.2.4)")
    func cleanSession() throws {
        for (limit, expected) in [(UInt32.max, "4294967295"), (3_600, "3600")] {
            let world = ConnectionWorld { $0.persistentSessionExpiry = limit }
            let slot = try world.open()
            world.feed(slot, try connect(.v3_1_1, flags: "00"))
            #expect(world.asked(slot) == ["attach p expiry=\(expected) pace=window(65535) receive=1000"])
        }
    }

    @Test("MQTT 5 says expiry, Receive Maximum and Maximum Packet Size in properties (§3.1.2.11)")
    func properties() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(.v5, flags: "00", properties: "11 0000000a 21 0003 27 00000100"))
        #expect(world.asked(slot) == ["attach p expiry=10 pace=window(3) receive=20"])
        #expect(world.connections.connections[slot].packetBytesMax == 256)
    }

    @Test("A will comes with its QoS, RETAIN, delay, expiry, and the properties that travel (§3.1.3.2)")
    func will() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        let properties = "18 00000005 01 01 02 0000003c 26 0001 'a' 0001 'b'"
        let rest = try sized(properties, bytes: 1) + "0001 'w' 0004 'gone'"
        world.feed(slot, try connect(.v5, flags: "36", rest: rest))
        let will = "will(w gone qos=2 retain delay=5 expiry=60 properties=010126000161000162)"
        #expect(world.asked(slot) == ["attach p clean expiry=0 pace=window(65535) receive=20 \(will)"])
    }

    // MARK: CONNACK

    @Test("Before MQTT 5 CONNACK is four bytes; 3.1.1 has Session Present [MQTT311-3.2.2-2] [MQTT311-3.2.2-3]")
    func plainConnack() throws {
        for (version, isPresent, bytes) in [
            (ProtocolVersion.v3_1, false, "20 02 00 00"), (.v3_1, true, "20 02 00 00"),
            (.v3_1_1, false, "20 02 00 00"), (.v3_1_1, true, "20 02 01 00"),
        ] {
            let world = ConnectionWorld()
            world.answersConnect = { _ in
                .attached(Attached(sessionPresent: isPresent, sessionExpiryInterval: 0))
            }
            let slot = try world.open()
            world.feed(slot, try connect(version))
            #expect(world.pending(slot) == (try FixtureNotation.bytes(bytes)))
        }
    }

    @Test("CONNACK in MQTT 5 says what the server grants, and nothing that is the standard's default (§3.2.2.3)")
    func connackProperties() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(.v5))
        #expect(
            world.heard(slot) == [
                "CONNACK success receiveMaximum=20 maximumPacketSize=262144 topicAliasMaximum=16"
            ])
    }

    @Test("CONNACK in MQTT 5 with every limit set")
    func connackWithLimits() throws {
        let world = ConnectionWorld { limits in
            limits.keepAliveMax = 30
            limits.receiveMaximum = 7
            limits.packetBytesMax = 4_096
            limits.retainAvailable = false
            limits.sharedSubscriptionsAvailable = false
            var listener = ConnectionLimits.Listener()
            listener.qosMax = .atLeastOnce
            listener.topicAliasMax = 0
            limits.listeners = [listener]
        }
        world.answersConnect = { offer in
            .attached(Attached(sessionPresent: true, assignedClientID: "auto-1", sessionExpiryInterval: 5))
        }
        let slot = try world.open()
        world.feed(slot, try connect(.v5, id: "", flags: "00", properties: "11 0000000a"))
        #expect(
            world.heard(slot) == [
                "CONNACK present success sessionExpiryInterval=5 receiveMaximum=7 maximumQoS=1 retainAvailable=0 "
                    + "maximumPacketSize=4096 assignedClientIdentifier=auto-1 sharedSubscriptionAvailable=0 "
                    + "serverKeepAlive=30"
            ])
        #expect(world.connections.clientID(of: slot) == "auto-1")
        #expect(world.logged() == [.connected("auto-1", .v5, cleanStart: false, keepAlive: 30)])
    }

    // MARK: What is refused

    /// A CONNECT that the connection refuses by itself, and the return code of MQTT 3 and 5.
    struct Refused: Sendable, CustomTestStringConvertible {
        var name: String
        var id = "'p'"
        var flags = "02"
        var rest = ""
        var keepAlive = "003c"
        var codes: [ProtocolVersion: UInt8]
        var testDescription: String { name }
    }

    static let refused: [Refused] = [
        Refused(name: "an empty id in 3.1, whatever the flags", id: "", codes: [.v3_1: 2]),
        Refused(
            name: "an empty id with CleanSession 0 [MQTT311-3.1.3-8] [attack 34]", id: "", flags: "00",
            codes: [.v3_1_1: 2]),
        Refused(name: "an id of 257 bytes", id: "'i'*257", codes: [.v3_1: 2, .v3_1_1: 2, .v5: 0x85]),
        Refused(
            name: "a will with a wildcard in its topic", flags: "06", rest: "0003 'w/+' 0000",
            codes: [.v3_1: 3, .v3_1_1: 3]),
        Refused(name: "a will with an empty topic", flags: "06", rest: "0000 0000", codes: [.v3_1: 3, .v3_1_1: 3]),
        Refused(
            name: "a will for the server's own topics", flags: "06", rest: "0006 '$SYS/a' 0000",
            codes: [.v3_1: 5, .v3_1_1: 5]),
        Refused(
            name: "a will with a wildcard in MQTT 5", flags: "06", rest: "00 0001 '#' 0000", codes: [.v5: 0x90]),
        Refused(
            name: "a will on a topic longer than names may be", flags: "06", rest: "00 0401 61*1025 0000",
            codes: [.v5: 0x90]),
        Refused(
            name: "a will for the server's own topics in MQTT 5", flags: "06", rest: "00 0002 '$a' 0000",
            codes: [.v5: 0x87]),
        Refused(
            name: "a will longer than the operator allows", flags: "06", rest: "00 0001 'w' 0065 'x'*101",
            codes: [.v5: 0x95]),
        Refused(
            name: "a will at QoS 2 where QoS 1 is the highest", flags: "16", rest: "00 0001 'w' 0000",
            codes: [.v5: 0x9B]),
        Refused(name: "a retained will where nothing is", flags: "26", rest: "00 0001 'w' 0000", codes: [.v5: 0x9A]),
    ]

    @Test("CONNECT is refused with the version's code, and the connection ends [MQTT-3.2.2-7]", arguments: refused)
    func refusal(of refused: Refused) throws {
        for (version, code) in refused.codes {
            let world = ConnectionWorld { limits in
                limits.payloadBytesMax = 100
                limits.retainAvailable = false
                var listener = ConnectionLimits.Listener()
                listener.qosMax = .atLeastOnce
                limits.listeners = [listener]
            }
            let slot = try world.open()
            world.feed(
                slot,
                try connect(
                    version, id: refused.id, flags: refused.flags, keepAlive: refused.keepAlive,
                    rest: refused.rest))
            #expect(world.asked(slot).isEmpty)
            #expect(world.pending(slot).prefix(4).last == code)
            #expect(world.isClosing(slot))
            #expect(world.connections.takeClosing() == [slot])
            #expect(world.connections.counters.connectRefused == 1)
        }
    }

    @Test("Where nobody may come without a proof and there are no users, nobody may come", arguments: versions)
    func anonymousRefused(version: ProtocolVersion) throws {
        let world = ConnectionWorld { limits in
            var listener = ConnectionLimits.Listener()
            listener.allowsAnonymous = false
            limits.listeners = [listener]
        }
        for (flags, rest, codes) in [("02", "", (5, 0x87)), ("c2", "0001 'u' 0001 'p'", (4, 0x86))] {
            let slot = try world.open()
            world.feed(slot, try connect(version, flags: flags, rest: rest))
            #expect(world.asked(slot).isEmpty)
            #expect(world.pending(slot).prefix(4).last == UInt8(version == .v5 ? codes.1 : codes.0))
            #expect(world.isClosing(slot))
        }
    }

    @Test("An id may have as many bytes as the limit says: at it, one more, ten times, 65,535 [attack 35]")
    func clientIDLength() throws {
        for (count, isTaken) in [(256, true), (257, false), (2_560, false), (65_535, false)] {
            let world = ConnectionWorld { $0.packetBeforeConnectBytesMax = 100_000 }
            let slot = try world.open()
            world.feed(slot, try connect(.v5, id: "'i'*\(count)"))
            #expect(world.isClosing(slot) != isTaken)
            if !isTaken { #expect(world.heard(slot) == ["CONNACK clientIdentifierNotValid"]) }
        }
    }

    @Test("An empty id is the server's to fill in, if the listener allows it [MQTT-3.1.3-6]")
    func emptyClientID() throws {
        for (isAllowed, version) in [(true, ProtocolVersion.v3_1_1), (true, .v5), (false, .v3_1_1), (false, .v5)] {
            let world = ConnectionWorld { limits in
                var listener = ConnectionLimits.Listener()
                listener.allowsEmptyClientID = isAllowed
                limits.listeners = [listener]
            }
            let slot = try world.open()
            world.feed(slot, try connect(version, id: ""))
            #expect(world.asked(slot).isEmpty != isAllowed)
        }
    }

    @Test("An authentication method that is not known: 0x8C [MQTT-4.12.0-1] [attack 28]")
    func authenticationMethod() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(.v5, properties: "15 0001 'm'"))
        #expect(world.heard(slot) == ["CONNACK badAuthenticationMethod"])
        #expect(world.asked(slot).isEmpty)
        #expect(world.logged() == [.refused("p", .badAuthenticationMethod)])
    }

    @Test("A keep-alive above the operator's limit: MQTT 5 is told another, MQTT 3 is refused [attack 45]")
    func keepAliveMax() throws {
        for (keepAlive, answer5, isTaken) in [
            ("003c", "", true), ("003d", " serverKeepAlive=60", false), ("ffff", " serverKeepAlive=60", false),
            ("0000", " serverKeepAlive=60", false),
        ] {
            let world = ConnectionWorld { $0.keepAliveMax = 60 }
            let new = try world.open()
            world.feed(new, try connect(.v5, keepAlive: keepAlive))
            let heard = try #require(world.heard(new).first)
            #expect(heard.hasSuffix("topicAliasMaximum=16" + answer5))
            let old = try world.open()
            world.feed(old, try connect(.v3_1_1, keepAlive: keepAlive))
            #expect(world.pending(old) == [0x20, 2, 0, isTaken ? 0 : 2])
        }
    }

    @Test(
        "The broker's refusal reaches the client in its version's code",
        arguments: [
            (Refusal.quotaExceeded, UInt8(3), ReasonCode.quotaExceeded), (.notAuthorized, 5, .notAuthorized),
            (.clientIdentifierNotValid, 2, .clientIdentifierNotValid), (.serverUnavailable, 3, .serverUnavailable),
        ])
    func brokerRefuses(refusal: Refusal, old: UInt8, new: ReasonCode) throws {
        for version in versions {
            let world = ConnectionWorld()
            world.answersConnect = { _ in .refused(refusal) }
            let slot = try world.open()
            world.feed(slot, try connect(version))
            #expect(world.pending(slot).dropFirst(2).prefix(2) == [0, version == .v5 ? new.rawValue : old])
            #expect(world.logged() == [.refused("p", new)])
            #expect(world.isClosing(slot))
        }
    }

    // MARK: What cannot be read

    @Test(
        "A wrong protocol level is answered in a form that every client reads [MQTT-3.1.2-2] [attack 32]",
        arguments: ["0004 'MQTT' 06", "0004 'MQTT' 00", "0004 'MQTT' 84", "0004 'MQTT' 03", "0006 'MQIsdp' 04"])
    func protocolLevel(name: String) throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try packet("10", name + " 02 003c 0001 'p'"))
        #expect(world.pending(slot) == [0x20, 0x02, 0x00, 0x01])
        #expect(world.isClosing(slot))
        #expect(world.logged() == [.ended(nil, .violated(.unsupportedProtocolVersion))])
    }

    @Test(
        "A wrong protocol name is met with silence [MQTT-3.1.2-1] [attack 32]",
        arguments: ["0004 'mqtt' 04", "0000 04", "0004 'MQTX' 05", "0006 'MQTT' 0000 04"])
    func protocolName(name: String) throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try packet("10", name + " 02 003c 0001 'p'"))
        #expect(world.pending(slot).isEmpty)
        #expect(world.isClosing(slot))
    }

    /// A CONNECT with a fault, by its connect flags and what follows the id, and the code for MQTT 5.
    static let faults: [(name: String, flags: String, rest: String, code: ReasonCode)] = [
        ("the reserved flag [MQTT-3.1.2-3] [attack 31]", "03", "", .malformedPacket),
        ("will QoS 3 [MQTT-3.1.2-12] [attack 31]", "1e", "00 0001 'w' 0000", .malformedPacket),
        ("will QoS without a will [MQTT-3.1.2-11] [attack 31]", "0a", "", .malformedPacket),
        ("will RETAIN without a will [MQTT-3.1.2-13] [attack 31]", "22", "", .malformedPacket),
        ("bytes behind the last field [attack 9]", "02", "00", .malformedPacket),
        ("a user name announced and left out [attack 8]", "82", "", .malformedPacket),
        ("a user name with U+0000 [attack 17]", "82", "0002 6100", .malformedPacket),
        ("a user name with a surrogate [attack 16]", "82", "0003 eda080", .malformedPacket),
        ("will delay twice [attack 21]", "06", "0a 18 00000001 18 00000001 0001 'w' 0000", .protocolError),
    ]

    @Test("A CONNECT with a fault: MQTT 5 clients hear why, others do not [MQTT311-3.1.4-1]", arguments: faults)
    func fault(name: String, flags: String, rest: String, code: ReasonCode) throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(.v5, flags: flags, rest: rest))
        #expect(world.heard(slot) == ["CONNACK \(code)"])
        #expect(world.logged() == [.ended(nil, .violated(code))])
        let old = try world.open()
        world.feed(old, try connect(.v3_1_1, flags: flags, rest: rest.isEmpty && flags == "02" ? "00" : rest))
        #expect(world.pending(old).isEmpty)
        #expect(world.isClosing(slot) && world.isClosing(old))
        #expect(world.asked(slot).isEmpty && world.asked(old).isEmpty)
    }

    @Test("A password needs a user name before MQTT 5 [MQTT311-3.1.2-22] [attack 33]")
    func passwordWithoutUser() throws {
        for (version, isTaken) in [(ProtocolVersion.v3_1, false), (.v3_1_1, false), (.v5, true)] {
            let world = ConnectionWorld()
            let slot = try world.open()
            world.feed(slot, try connect(version, flags: "42", rest: "0002 'pw'"))
            #expect(world.isClosing(slot) != isTaken)
            if !isTaken { #expect(world.pending(slot).isEmpty) }
        }
    }

    @Test(
        "Illegal values in the properties of CONNECT [attack 10, 21, 22, 23, 24]",
        arguments: [
            ("21 0000", ReasonCode.protocolError), ("27 00000000", .protocolError), ("17 02", .protocolError),
            ("19 02", .protocolError), ("21 0001 21 0001", .protocolError), ("7f 00", .malformedPacket),
            ("13 0001", .malformedPacket), ("16 0001 'd'", .protocolError), ("11 0000", .malformedPacket),
            ("(26 0000 0001 'b')*5 (26 0000 0000)*10", .success), ("(26 0000 0000)*25", .success),
        ])
    func properties(properties: String, code: ReasonCode) throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(.v5, properties: properties))
        let heard = try #require(world.heard(slot).first)
        #expect(heard.hasPrefix("CONNACK \(code)"))
    }

    @Test("User properties have a limit: 32, one more, ten times, as many as fit [attack 24]")
    func userProperties() throws {
        for (count, isTaken) in [(32, true), (33, false), (320, false), (3_000, false)] {
            let world = ConnectionWorld()
            let slot = try world.open()
            let section = try FixtureNotation.bytes("(26 0000 0000)*\(count)")
            var output = OutputBuffer()
            output.append(variableByteInteger: section.count)
            let size = FixtureNotation.hex(output.pending)
            output.deallocate()
            world.feed(slot, try packet("10", "0004 'MQTT' 05 02 003c \(size) (26 0000 0000)*\(count) 0001 'p'"))
            let heard = try #require(world.heard(slot).first)
            #expect(heard.hasPrefix(isTaken ? "CONNACK success" : "CONNACK quotaExceeded"))
        }
    }

    @Test("A user name and password of 65,535 bytes are too long before CONNECT is taken [attack 29]")
    func longCredentials() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(.v3_1_1, flags: "c2", rest: "ffff 'u'*65535 ffff 'p'*65535"))
        #expect(world.isClosing(slot))
        #expect(world.pending(slot).isEmpty)
        #expect(world.connections.connections[slot].partial.isEmpty)
    }

    @Test("Composed and decomposed ids are two ids, and a byte order mark stays [attack 18, 19]")
    func idsAreBytes() throws {
        var ids: [ClientID?] = []
        for id in ["c3a9", "65cc81", "efbbbf 'p'", "'p'"] {
            let world = ConnectionWorld()
            let slot = try world.open()
            world.feed(slot, try connect(.v5, id: id))
            ids.append(world.connections.clientID(of: slot))
        }
        #expect(ids == [.init([0xC3, 0xA9]), .init([0x65, 0xCC, 0x81]), .init([0xEF, 0xBB, 0xBF, 0x70]), "p"])
    }

    @Test("Control characters in an id are escaped where a log prints it [attack 20]")
    func controlCharacters() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(.v3_1_1, id: "1b '[2J' 0a"))
        guard case .connected(let id, _, _, _) = try #require(world.logged().first) else { return }
        #expect(id.description == "\\x1b[2J\\x0a")
    }

    @Test("What follows a CONNECT that is refused is not looked at [MQTT-3.1.4-6] [attack 36]")
    func dataAfterRefusal() throws {
        for bad in [try connect(.v5, id: "'i'*257"), try connect(.v3_1_1, id: "", flags: "00")] {
            let world = ConnectionWorld()
            let slot = try world.open()
            world.feed(slot, bad + (try packet("30", "0001 'a' 'x'")))
            world.feed(slot, try packet("30", "0001 'a' 'y'"))
            #expect(world.asked(slot).isEmpty)
            #expect(world.connections.counters.packetsReceived == 1)
        }
    }

    @Test("What follows a CONNECT at once is handled behind it (§3.1.4)", arguments: versions)
    func dataBehindConnect(version: ProtocolVersion) throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(version) + FixtureNotation.bytes("c000"))
        #expect(world.heard(slot).last == "PINGRESP")
        #expect(world.asked(slot).count == 1)
    }
}
