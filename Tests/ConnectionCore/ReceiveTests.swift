import Bytes
import Clockwork
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

@Suite struct ReceiveTests {
    // MARK: Packets in order

    @Test("PUBLISH, acknowledgements and subscriptions become requests", arguments: versions)
    func requests(version: ProtocolVersion) throws {
        let world = ConnectionWorld()
        let slot = try world.client(version)
        let no = version == .v5 ? "00" : ""
        world.feed(slot, try packet("30", "0001 'a' \(no) 'x'"))
        world.feed(slot, try packet("33", "0001 'a' 0005 \(no) 'x'"))
        world.feed(slot, try packet("3d", "0001 'a' 0006 \(no) 'x'"))
        try world.feed(slot, "40 02 0007 | 50 02 0008 | 62 02 0009 | 70 02 000a")
        world.feed(slot, try packet("82", "000b \(no) 0001 'a' 01 0003 'b/#' 02"))
        world.feed(slot, try packet("a2", "000c \(no) 0001 'a' 0003 'b/#'"))
        #expect(
            world.asked(slot) == [
                "publish a x qos=0", "publish a x qos=1 id=5 retain", "publish a x qos=2 id=6 dup retain",
                "puback 7 success", "pubrec 8 success", "release 9", "pubcomp 10 success",
                "subscribe 11 [a qos=1, b/# qos=2]", "unsubscribe 12 [a, b/#]",
            ])
        #expect(world.heard(slot).isEmpty)
    }

    @Test("In MQTT 5 options, identifiers, properties and the client's refusals come along")
    func requestsOfV5() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v5)
        world.feed(slot, try packet("82", "0001 02 0b 07 0001 'a' 2e"))
        world.feed(slot, try packet("30", "0001 'a' 09 01 01 02 0000003c 01 01"))
        world.feed(slot, try packet("30", "0001 'a' 0c 01 01 02 0000003c 26 0000 0000 'x'"))
        try world.feed(slot, "40 03 0007 80 | 50 03 0008 97")
        #expect(
            world.asked(slot).first == "subscribe 1 [a qos=2 noLocal identifier=7]")
        #expect(world.heard(slot) == ["DISCONNECT protocolError"])
    }

    @Test("No Local on a shared subscription ends the connection [MQTT-3.8.3-4] [attack 59]")
    func noLocalShared() throws {
        for (filter, isTaken) in [("$share/g/a", false), ("$share", false), ("$shared/g", true), ("a/$share", true)] {
            let world = ConnectionWorld()
            let slot = try world.client(.v5)
            let length = "00" + String(filter.utf8.count + 0x100, radix: 16).suffix(2)
            world.feed(slot, try packet("82", "0001 00 0001 'b' 01 \(length) '\(filter)' 05"))
            #expect(world.heard(slot) == (isTaken ? [] : ["DISCONNECT protocolError"]))
            #expect(world.asked(slot).contains { $0.hasPrefix("subscribe") } == isTaken)
        }
    }

    @Test("The properties that travel with a message are taken out from between those that do not")
    func forwardedProperties() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v5)
        world.feed(slot, try packet("30", "0001 'a' 0c 01 01 02 0000003c 26 0000 0000 'x'"))
        try world.feed(slot, "40 03 0007 80 | 50 03 0008 97")
        #expect(
            world.asked(slot) == [
                "publish a x qos=0 expiry=60 properties=01012600000000", "puback 7 unspecifiedError",
                "pubrec 8 unspecifiedError",
            ])
    }

    @Test("PINGREQ is answered [MQTT-3.12.4-1]", arguments: versions)
    func ping(version: ProtocolVersion) throws {
        let world = ConnectionWorld()
        let slot = try world.client(version)
        try world.feed(slot, "c0 00")
        #expect(world.pending(slot) == [0xD0, 0])
        #expect(world.asked(slot).isEmpty)
    }

    // MARK: Cut and joined

    /// A session with a packet of each kind.
    static func session(_ version: ProtocolVersion) throws -> [UInt8] {
        let no = version == .v5 ? "00" : ""
        var bytes = try connect(version)
        for (first, body) in [
            ("30", "0001 'a' \(no) 'x'"), ("32", "0001 'b' 0001 \(no) 'y'*200"), ("82", "0002 \(no) 0001 'a' 01"),
            ("c0", ""), ("34", "0001 'c' 0003 \(no)"), ("62", "0003"), ("40", "0009"), ("a2", "0004 \(no) 0001 'a'"),
            ("30", "0001 'd' \(no) 'z'*20000"), ("e0", ""),
        ] { bytes += try packet(first, body) }
        return bytes
    }

    private func result(_ version: ProtocolVersion, _ pieces: [ArraySlice<UInt8>]) throws -> [String] {
        let world = ConnectionWorld()
        let slot = try world.open()
        for piece in pieces { world.feed(slot, Array(piece)) }
        return world.asked(slot) + world.heard(slot) + ["\(world.connections.counters)", "\(world.logged())"]
    }

    @Test("A session byte by byte is the same session [attack 11]", arguments: versions)
    func byteAtATime(version: ProtocolVersion) throws {
        let bytes = try Self.session(version)
        let whole = try result(version, [bytes[...]])
        #expect(whole.count == 14)
        #expect(try result(version, bytes.indices.map { bytes[$0...$0] }) == whole)
    }

    @Test("A session cut in two anywhere, and in pieces of any size, is the same session", arguments: versions)
    func straddling(version: ProtocolVersion) throws {
        let bytes = try Self.session(version)
        let whole = try result(version, [bytes[...]])
        for cut in Array(0..<600) + Array(stride(from: 600, to: bytes.count, by: 97)) {
            #expect(try result(version, [bytes[..<cut], bytes[cut...]]) == whole)
        }
        for size in [2, 3, 5, 7, 64, 1_000, 4_096] {
            let pieces = stride(from: 0, to: bytes.count, by: size).map { start in
                bytes[start..<min(start + size, bytes.count)]
            }
            #expect(try result(version, pieces) == whole)
        }
    }

    @Test("10,000 packets in one read are 10,000 requests [attack 12]")
    func coalesced() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v3_1_1)
        try world.feed(slot, "(32 06 0001 'a' 0001 'x')*10000")
        #expect(world.asked(slot) == Array(repeating: "publish a x qos=1 id=1", count: 10_000))
        #expect(world.connections.counters.packetsReceived == 10_001)
    }

    @Test("Only a packet that straddles two reads is copied, and its copy goes with it")
    func copies() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v3_1_1)
        try world.feed(slot, "32 06 0001 'a' 0001 'x' | 32 06 00")
        #expect(world.connections.connections[slot].partial.count == 3)
        try world.feed(slot, "01 'a' 0002 'y' | 32")
        #expect(world.connections.connections[slot].partial.count == 1)
        try world.feed(slot, "06 0001 'a' 0003 'z'")
        #expect(world.asked(slot).count == 3)
        try world.feed(slot, "c0 00")
        #expect(world.connections.connections[slot].partial.pending.memory.baseAddress == nil)
    }

    // MARK: Lengths

    @Test("The first packet may have as many bytes as the limit says: at it, one more, ten times [attack 5]")
    func firstPacketLength() throws {
        for (size, isTaken) in [(16_384, true), (16_385, false), (163_840, false)] {
            let world = ConnectionWorld { $0.clientIDBytesMax = 65_535 }
            let slot = try world.open()
            let bytes = try connect(.v3_1_1, id: "'i'*\(min(size - 15, 65_535))")
            let header = size > 65_000 ? Array(try FixtureNotation.bytes("10 80 80 0a")) : bytes
            #expect(size > 65_000 || bytes.count == size)
            world.feed(slot, header)
            #expect(world.isClosing(slot) != isTaken)
            if !isTaken { #expect(world.logged() == [.ended(nil, .violated(.packetTooLarge))]) }
        }
    }

    @Test(
        "A huge packet is refused at its header, with nothing allocated for it",
        arguments: [
            ("30 ffffff7f", "[attack 4]"), ("10 ffffff7f", "[attack 5]"),
        ])
    func hugeFirstPacket(header: String, tag: String) throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        try world.feed(slot, header)
        #expect(world.isClosing(slot))
        #expect(world.pending(slot).isEmpty)
        #expect(world.connections.connections[slot].partial.pending.memory.baseAddress == nil)
    }

    @Test("A body that stalls takes memory as it comes, and ends with the time for CONNECT [attack 6]")
    func stalledBody() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        try world.feed(slot, "10 fd 7f")
        for _ in 0..<4 {
            world.advance(.seconds(1))
            try world.feed(slot, "00")
        }
        #expect(world.connections.connections[slot].partial.count == 7)
        world.advance(.milliseconds(999))
        #expect(!world.isClosing(slot))
        world.advance(.milliseconds(1))
        #expect(world.isClosing(slot))
        #expect(world.logged() == [.ended(nil, .connectTimedOut)])
    }

    @Test("Packets behind CONNECT may have as many bytes as the limit says [attack 7]")
    func packetLength() throws {
        for (size, isTaken) in [(1_000, true), (1_001, false), (10_000, false)] {
            for version in versions {
                let world = ConnectionWorld { $0.packetBytesMax = 1_000 }
                let slot = try world.client(version)
                let no = version == .v5 ? "00" : ""
                let header = 3 + 3 + (version == .v5 ? 1 : 0)
                let bytes = try packet("30", "0001 'a' \(no) 'x'*\(size - header)")
                #expect(bytes.count == size)
                world.feed(slot, isTaken ? bytes : Array(bytes.prefix(3)))
                #expect(world.isClosing(slot) != isTaken)
                let answer = version == .v5 && !isTaken ? ["DISCONNECT packetTooLarge"] : []
                #expect(world.heard(slot) == answer)
            }
        }
    }

    @Test("A message may have as many bytes as the operator says", arguments: versions)
    func payloadLength(version: ProtocolVersion) throws {
        for (size, isTaken) in [(100, true), (101, false), (1_000, false)] {
            let world = ConnectionWorld { $0.payloadBytesMax = 100 }
            let slot = try world.client(version)
            world.feed(slot, try packet("30", "0001 'a' \(version == .v5 ? "00" : "") 'x'*\(size)"))
            #expect(world.isClosing(slot) != isTaken)
            let answer = version == .v5 && !isTaken ? ["DISCONNECT packetTooLarge"] : []
            #expect(world.heard(slot) == answer)
        }
    }

    // MARK: What must not be sent

    static let illegalBeforeConnect: [String] = [
        "30 04 0001 'ax'", "c0 00", "e0 00", "82 06 0001 0001 'a' 00", "20 02 0000", "f0 00", "00 00", "d0 00",
    ]

    @Test(
        "Whatever comes before CONNECT ends the connection in silence [MQTT-3.1.0-1] [attack 3]",
        arguments: illegalBeforeConnect)
    func firstPacket(notation: String) throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        try world.feed(slot, notation)
        #expect(world.isClosing(slot))
        #expect(world.pending(slot).isEmpty)
        #expect(world.asked(slot).isEmpty)
        #expect(world.logged().count == 1)
        #expect(world.connections.counters.violations == 1)
    }

    /// What a client sends behind CONNECT, and the code an MQTT 5 client hears.
    static let illegal: [(notation: String, tag: String, code: ReasonCode)] = [
        ("10 0d 0004 'MQTT' 04 02 003c 0001 'p'", "[MQTT-3.1.0-2] [attack 30]", .protocolError),
        ("10 00", "a second CONNECT that is no packet [attack 30]", .protocolError),
        ("10 0d 0004 'MQTT' 09 02 003c 0001 'p'", "a second CONNECT of level 9 [attack 30]", .protocolError),
        ("30 ffffffff01", "five bytes of length [attack 1, 15]", .malformedPacket),
        ("c0 8000", "a length with a byte too many [attack 2]", .malformedPacket),
        ("40 01 00", "a body shorter than its fields [attack 8]", .malformedPacket),
        ("c0 01 78", "trailing bytes [attack 9]", .malformedPacket),
        ("30 05 0001 'a' 05 00", "a property length past the end [attack 10]", .malformedPacket),
        ("c1 00", "reserved flags [attack 13]", .malformedPacket),
        ("80 06 0001 00 0001 'a' 00", "reserved flags of SUBSCRIBE [attack 13]", .malformedPacket),
        ("00 00", "packet type 0 [attack 14]", .protocolError),
        ("20 03 000000", "CONNACK [attack 14]", .protocolError),
        ("90 04 0001 00 00", "SUBACK [attack 14]", .protocolError),
        ("b0 04 0001 00 00", "UNSUBACK [attack 14]", .protocolError),
        ("d0 00", "PINGRESP [attack 14]", .protocolError),
        ("d0 01 00", "PINGRESP with a body [attack 14]", .protocolError),
        ("30 06 0003 eda080 00", "a surrogate in a topic [attack 16]", .malformedPacket),
        ("30 05 0002 c0af 00", "an overlong form in a topic [attack 16]", .malformedPacket),
        ("30 05 0002 6100 00", "U+0000 in a topic [attack 17]", .malformedPacket),
        ("30 0e 0001 'a' 0a 02 00000001 02 00000001", "a property twice [attack 21]", .protocolError),
        ("30 06 0001 'a' 02 7f00", "an unknown property [attack 22]", .malformedPacket),
        ("30 07 0001 'a' 03 21 0001", "a property out of its place [attack 22]", .malformedPacket),
        ("30 06 0001 'a' 02 0102", "payload format 2 [attack 23]", .protocolError),
        ("82 09 0001 02 0b00 0001 'a' 00", "subscription identifier 0 [attack 23, 65]", .protocolError),
        ("30 06 0001 'a' 02 0b01", "a client's subscription identifier [attack 25]", .protocolError),
        ("30 08 0001 'a' 04 08 0001 '#'", "a response topic with a wildcard [attack 26]", .protocolError),
        ("e0 07 00 05 11 0000000a", "an expiry for a session that had none [attack 27]", .protocolError),
        ("f0 00", "AUTH without a method [attack 28]", .protocolError),
        ("f0 06 18 04 15 0001 'm'", "AUTH with a method [attack 28]", .protocolError),
        ("30 06 0003 'a/#' 00", "a wildcard in a topic [MQTT-3.3.2-2] [attack 49]", .malformedPacket),
        ("30 04 0001 '+' 00", "a wildcard alone in a topic [attack 49]", .malformedPacket),
        ("30 03 0000 00", "an empty topic without an alias [attack 50]", .protocolError),
        ("30 06 0000 03 23 0001", "an alias that was never set [attack 52]", .protocolError),
        ("30 07 0001 'a' 03 23 0000", "alias 0 [MQTT-3.3.2-8] [attack 52]", .topicAliasInvalid),
        ("30 07 0001 'a' 03 23 0011", "an alias above the maximum [attack 52]", .topicAliasInvalid),
        ("30 07 0001 'a' 03 23 ffff", "an alias far above the maximum [attack 52]", .topicAliasInvalid),
        ("36 06 0001 'a' 0001 00", "QoS 3 [MQTT-3.3.1-4] [attack 53]", .malformedPacket),
        ("38 04 0001 'a' 00", "DUP at QoS 0 [MQTT-3.3.1-2] [attack 53]", .malformedPacket),
        ("32 06 0001 'a' 0000 00", "packet identifier 0 [attack 53]", .protocolError),
        ("82 06 0001 00 0001 'a'", "a filter without options [attack 57]", .malformedPacket),
        ("82 07 0001 00 0001 'a' 03", "a filter at QoS 3 [attack 57]", .protocolError),
        ("82 07 0001 00 0001 'a' c0", "reserved bits in options [attack 57]", .malformedPacket),
        ("82 03 0001 00", "no filter at all [attack 57]", .protocolError),
    ]

    @Test("What a client must not send ends the connection with a reason in MQTT 5", arguments: illegal)
    func violation(notation: String, tag: String, code: ReasonCode) throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v5)
        let smuggled = try packet("30", "0001 'a' 00 'x'")
        world.feed(slot, try FixtureNotation.bytes(notation) + smuggled)
        #expect(world.heard(slot) == ["DISCONNECT \(code)"])
        #expect(world.asked(slot) == ["detach will"])
        #expect(world.logged() == [.ended("p", .violated(code))])
        #expect(world.connections.takeClosing() == [slot])
        world.feed(slot, smuggled)
        #expect(world.asked(slot).isEmpty)
    }

    /// The same in MQTT 3, where a client hears nothing.
    static let illegalInV3: [String] = [
        "10 0d 0004 'MQTT' 04 02 003c 0001 'p'", "30 ffffffff01", "c0 01 78", "c1 00", "80 06 0001 0001 'a' 00",
        "00 00", "20 02 0000", "90 03 0001 00", "d0 00", "f0 00", "30 05 0003 eda080", "30 04 0002 6100",
        "30 05 0003 'a/#'", "30 02 0000", "36 05 0001 'a' 0001", "38 03 0001 'a'", "32 05 0001 'a' 0000",
        "82 06 0001 0001 'a' 04", "82 02 0001", "e0 01 00",
    ]

    @Test(
        "What a client must not send ends the connection in silence before MQTT 5 (3.1.1 §4.8)",
        arguments: illegalInV3)
    func violationInV3(notation: String) throws {
        for version in [ProtocolVersion.v3_1, .v3_1_1] {
            let world = ConnectionWorld()
            let slot = try world.client(version)
            world.feed(slot, try FixtureNotation.bytes(notation) + packet("30", "0001 'a' 'x'"))
            #expect(world.pending(slot).isEmpty)
            #expect(world.asked(slot) == ["detach will"])
            #expect(world.isClosing(slot))
        }
    }

    @Test("Every packet cut short, its length made to fit, ends the connection or is another packet [attack 8]")
    func truncated() throws {
        for vector in try FixtureNotation.vectors(in: "mqtt") where vector.packet != nil {
            guard let version = ["3.1": ProtocolVersion.v3_1, "3.1.1": .v3_1_1, "5.0": .v5][vector.version] else {
                continue
            }
            let bytes = try FixtureNotation.bytes(vector.hex)
            let header = 1 + (bytes.dropFirst().firstIndex { $0 < 0x80 } ?? 1)
            for count in 0..<min(bytes.count - header, 127) {
                let world = ConnectionWorld()
                let slot = try world.client(version)
                let cut = [bytes[0], UInt8(count)] + bytes[header..<header + count]
                world.feed(slot, cut)
                let isTold = world.heard(slot).last?.hasPrefix("DISCONNECT") ?? false
                // A DISCONNECT of the client, cut or not, ends the connection too.
                #expect(isTold == (world.isClosing(slot) && version == .v5) || bytes[0] == 0xE0)
            }
        }
    }

    @Test("A QoS above what the listener serves [MQTT-3.2.2-11], and RETAIN where there is none [MQTT-3.2.2-14]")
    func notSupported() throws {
        for (notation, code) in [
            ("34 06 0001 'a' 0001 00", ReasonCode.qosNotSupported), ("31 04 0001 'a' 00", .retainNotSupported),
        ] {
            let world = ConnectionWorld { limits in
                var listener = ConnectionLimits.Listener()
                listener.qosMax = .atLeastOnce
                limits.listeners = [listener]
                limits.retainAvailable = false
            }
            let slot = try world.client(.v5)
            try world.feed(slot, "32 06 0001 'a' 0001 00 | 82 07 0002 00 0001 'a' 02")
            #expect(world.asked(slot) == ["publish a '' qos=1 id=1", "subscribe 2 [a qos=1]"])
            try world.feed(slot, notation)
            #expect(world.heard(slot) == ["DISCONNECT \(code)"])
        }
    }

    // MARK: Topic aliases

    @Test("An alias is set, used, and set anew (§3.3.2.3.4)")
    func aliases() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v5)
        try world.feed(slot, "30 08 0001 'a' 03 23 0001 '1' | 30 07 0000 03 23 0001 '2'")
        try world.feed(slot, "30 08 0001 'b' 03 23 0010 '3' | 30 08 0001 'c' 03 23 0001 '4'")
        try world.feed(slot, "30 08 0001 'c' 03 23 0001 '5' | 30 07 0000 03 23 0001 '6' | 30 07 0000 03 23 0010 '7'")
        #expect(
            world.asked(slot) == [
                "publish a 1 qos=0", "publish a 2 qos=0", "publish b 3 qos=0", "publish c 4 qos=0",
                "publish c 5 qos=0", "publish c 6 qos=0", "publish b 7 qos=0",
            ])
        #expect(world.pending(slot).isEmpty)
    }

    @Test("Aliases end with their connection [MQTT-3.3.2-7] [attack 52]")
    func aliasesAcrossReconnect() throws {
        let world = ConnectionWorld()
        let first = try world.client(.v5)
        try world.feed(first, "30 08 0001 'a' 03 23 0001 '1'")
        world.end(first)
        let second = try world.client(.v5)
        #expect(second == first)
        try world.feed(second, "30 07 0000 03 23 0001 '2'")
        #expect(world.heard(second) == ["DISCONNECT protocolError"])
    }

    @Test("The memory of aliases is bounded by their number and the length of a topic [attack 52]")
    func aliasMemory() throws {
        for (count, isTaken) in [(1_024, true), (1_025, false), (10_240, false)] {
            let world = ConnectionWorld()
            let slot = try world.client(.v5)
            world.feed(slot, try packet("30", try sized("'t'*\(count)", bytes: 2) + " 03 23 0001 'x'"))
            #expect(world.isClosing(slot) != isTaken)
            #expect(world.heard(slot) == (isTaken ? [] : ["DISCONNECT topicNameInvalid"]))
        }
    }

    @Test("A listener may allow no alias at all")
    func noAliases() throws {
        let world = ConnectionWorld { limits in
            var listener = ConnectionLimits.Listener()
            listener.topicAliasMax = 0
            limits.listeners = [listener]
        }
        let slot = try world.client(.v5)
        try world.feed(slot, "30 07 0001 'a' 03 23 0001")
        #expect(world.heard(slot) == ["DISCONNECT topicAliasInvalid"])
    }

    @Test("Composed and decomposed topics are two topics [attack 19]")
    func topicsAreBytes() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v3_1_1)
        world.feed(slot, try packet("30", "0002 c3a9") + packet("30", "0003 65cc81"))
        #expect(world.asked(slot) == ["publish 0xc3a9 '' qos=0", "publish 0x65cc81 '' qos=0"])
    }

    // MARK: DISCONNECT

    @Test(
        "A normal DISCONNECT discards the will, any other publishes it [MQTT-3.1.2-8] [MQTT-3.1.2-10]",
        arguments: [
            ("e0 00", "detach"), ("e0 01 00", "detach"), ("e0 01 04", "detach will"), ("e0 01 80", "detach will"),
            ("e0 01 81", "detach will"), ("e0 02 00 00", "detach"), ("e0 07 00 05 11 00000000", "detach expiry=0"),
            ("e0 07 04 05 11 ffffffff", "detach will expiry=4294967295"),
        ])
    func disconnect(notation: String, request: String) throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v5, properties: "11 0000000a")
        try world.feed(slot, notation + " c0 00")
        #expect(world.asked(slot) == [request])
        #expect(world.logged() == [.ended("p", .disconnected)])
        #expect(world.pending(slot).isEmpty)
        #expect(world.connections.takeClosing() == [slot])
        world.end(slot)
        #expect(world.asked(slot).isEmpty)
        #expect(world.logged().isEmpty)
    }

    @Test("DISCONNECT before MQTT 5 discards the will", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func disconnectInV3(version: ProtocolVersion) throws {
        let world = ConnectionWorld()
        let slot = try world.client(version)
        try world.feed(slot, "e0 00")
        #expect(world.asked(slot) == ["detach"])
    }

    @Test("An expiry of 0 for a session that had none is no fault (§3.14.2.2.2)")
    func expiryZero() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v5)
        try world.feed(slot, "e0 07 00 05 11 00000000")
        #expect(world.asked(slot) == ["detach expiry=0"])
    }
}
