import Authentication
import Bytes
import Clockwork
import MQTTWire
import Messaging
import ScramClient
import Support
import Testing

@testable import ConnectionCore

/// Enhanced authentication: MQTT 5.0 §4.12 and §3.15.
@Suite struct AuthenticateTests {
    private static let scram: String = "SCRAM-SHA-256"
    private static let section: String = "15 000d 'SCRAM-SHA-256'"

    private func world(allowsAnonymous: Bool = false) throws -> ConnectionWorld {
        let users = try users(["alice": "secret", "bob": "hidden"])
        return ConnectionWorld { limits in
            limits.nonceSecret = "a test's own"
            var listener = ConnectionLimits.Listener()
            listener.allowsAnonymous = allowsAnonymous
            listener.scramUsers = users
            limits.listeners = [listener]
        }
    }

    // MARK: What a client sends

    private func data(_ text: String) throws -> String {
        try text.isEmpty ? "" : "16 " + sized("'\(text)'", bytes: 2)
    }

    private func connect(
        _ text: String, id: String = "'p'", flags: String = "02", rest: String = ""
    ) throws -> [UInt8] {
        // The section is longer than the 127 bytes whose length fits one byte only where a test says so.
        try ConnectionCoreTests.connect(
            .v5, id: id, flags: flags, properties: Self.section + " " + data(text), rest: rest)
    }

    private func auth(_ code: String, _ text: String, method: String = section) throws -> [UInt8] {
        let section = try FixtureNotation.bytes(method + " " + data(text))
        var output = OutputBuffer()
        defer { output.deallocate() }
        output.append(variableByteInteger: section.count)
        return try packet("f0", "\(code) \(FixtureNotation.hex(output.pending)) " + method + " " + data(text))
    }

    /// The data of the one AUTH 0x18 that the server has sent.
    private func challenge(_ world: ConnectionWorld, _ slot: Int) throws -> String {
        let data = try world.pending(slot).withUnsafeBytes { memory -> String in
            let frame = try #require(try MQTTFrame.next(in: ByteView(memory), maximumPacketSize: .max))
            #expect(frame.byteCount == memory.count)
            let packet = try AuthPacket.decode(frame, version: .v5)
            #expect(packet.reasonCode == .continueAuthentication)
            #expect(packet.properties.view(.authenticationMethod).map { ByteString($0) } == "SCRAM-SHA-256")
            let data = try #require(packet.properties.view(.authenticationData))
            return String(decoding: data.memory, as: UTF8.self)
        }
        _ = world.heard(slot)
        return data
    }

    /// A connection that waits for the client's last message, which is returned.
    private func challenged(
        _ world: ConnectionWorld, _ user: String = "alice", _ password: String = "secret"
    ) throws -> (slot: Int, final: String) {
        let slot = try world.open()
        let client = ScramClient(user: user, password: password)
        world.feed(slot, try connect(client.first))
        #expect(world.asked(slot).isEmpty)
        return (slot, try client.final(to: try challenge(world, slot)))
    }

    /// A connection of alice, whose CONNACK was read.
    private func authenticated(_ world: ConnectionWorld) throws -> Int {
        let (slot, final) = try challenged(world)
        world.feed(slot, try auth("18", final))
        #expect(world.heard(slot).first?.hasPrefix("CONNACK success") == true)
        _ = (world.asked(slot), world.logged())
        return slot
    }

    // MARK: CONNECT

    @Test(
        """
        AUTH 0x18 goes to and fro until CONNACK, each with the method of CONNECT [MQTT-4.12.0-2] [MQTT-4.12.0-3] \
        [MQTT-4.12.0-5] [MQTT-3.15.2-1]
        """)
    func exchange() throws {
        let world = try world()
        var offers: [SessionOffer] = []
        let answer = world.answersConnect
        world.answersConnect = { offer in
            offers.append(offer)
            return answer(offer)
        }
        let (slot, final) = try challenged(world)
        world.feed(slot, try auth("18", final))
        #expect(world.asked(slot) == ["attach p clean expiry=0 pace=window(65535) receive=20 user=alice"])
        let connack = try #require(world.heard(slot).first)
        #expect(connack.hasPrefix("CONNACK success"))
        #expect(connack.contains("authenticationMethod=\(Self.scram) authenticationData="))
        // Who has proved to be somebody owns the session by that name [attack 39].
        #expect(offers.map { $0.userName } == ["alice"])
        #expect(world.logged().first == .authenticated("p", userName: "alice"))
    }

    @Test("The server's AUTH has no reason string and no user property [MQTT-3.15.2-2] [MQTT-3.15.2-3]")
    func nothingMore() throws {
        let world = try world()
        let slot = try world.open()
        world.feed(slot, try connect("n,,n=alice,r=abc"))
        let line = try #require(world.heard(slot).first)
        #expect(line.split(separator: " ").count == 4)
        #expect(!line.contains("reasonString") && !line.contains("userProperty"))
    }

    @Test("A client may leave its first data for the first AUTH (§4.12)")
    func dataLater() throws {
        let world = try world()
        let slot = try world.open()
        world.feed(slot, try connect(""))
        #expect(world.heard(slot) == ["AUTH continueAuthentication authenticationMethod=\(Self.scram)"])
        let client = ScramClient(user: "bob", password: "hidden")
        world.feed(slot, try auth("18", client.first))
        let final = try client.final(to: try challenge(world, slot))
        world.feed(slot, try auth("18", final))
        #expect(world.heard(slot).first?.hasPrefix("CONNACK success") == true)
    }

    @Test("An exchange is the same byte by byte [attack 11]")
    func byteByByte() throws {
        let world = try world()
        let slot = try world.open()
        let client = ScramClient(user: "alice", password: "secret")
        for byte in try connect(client.first) { world.feed(slot, [byte]) }
        for byte in try auth("18", try client.final(to: try challenge(world, slot))) { world.feed(slot, [byte]) }
        #expect(world.heard(slot).first?.hasPrefix("CONNACK success") == true)
    }

    @Test(
        "A method that is not known, or not spoken on the listener: 0x8C and the end [MQTT-4.12.0-1] [attack 28]")
    func unknownMethod() throws {
        let world = try world()
        for method in ["SCRAM-SHA-1", "scram-sha-256", "SCRAM-SHA-256-PLUS", ""] {
            let slot = try world.open()
            world.feed(
                slot,
                try ConnectionCoreTests.connect(.v5, properties: "15 " + sized("'\(method)'", bytes: 2)))
            #expect(world.heard(slot) == ["CONNACK badAuthenticationMethod"])
            #expect(world.isClosing(slot) && world.asked(slot).isEmpty)
        }
        let plain = ConnectionWorld()
        let slot = try plain.open()
        plain.feed(slot, try connect("n,,n=alice,r=abc"))
        #expect(plain.heard(slot) == ["CONNACK badAuthenticationMethod"])
    }

    @Test("Authentication Data without a method is a protocol error: 0x82 (§3.1.2.11.10) [attack 28]")
    func dataWithoutMethod() throws {
        let world = try world()
        let slot = try world.open()
        world.feed(slot, try ConnectionCoreTests.connect(.v5, properties: data("n,,n=alice,r=abc")))
        #expect(world.heard(slot) == ["CONNACK protocolError"])
        #expect(world.isClosing(slot))
    }

    @Test(
        """
        Who cannot show who it is gets CONNACK 0x87, and nobody's session is touched [MQTT-4.12.0-4] [MQTT-3.1.4-2] \
        [attack 37]
        """,
        arguments: [("alice", "wrong"), ("nobody", "secret"), ("bob", "secret"), ("Alice", "secret")])
    func wrongProof(user: String, password: String) throws {
        let world = try world()
        let (slot, final) = try challenged(world, user, password)
        world.feed(slot, try auth("18", final) + packet("30", "0001 'a' 00 'x'"))
        #expect(world.heard(slot) == ["CONNACK notAuthorized"])
        #expect(world.asked(slot).isEmpty)
        #expect(world.isClosing(slot))
        #expect(world.logged() == [.authenticationFailed("p", .wrongProof), .refused("p", .notAuthorized)])
        #expect(world.connections.counters.authenticationsFailed == 1)
        world.end(slot)
        #expect(world.asked(slot).isEmpty)
    }

    @Test("A message that is none of the method: CONNACK 0x87 [MQTT-4.12.0-4]")
    func malformed() throws {
        let world = try world()
        for text in ["n", "p=tls-unique,,n=alice,r=abc", "n,a=bob,n=alice,r=abc"] {
            let slot = try world.open()
            world.feed(slot, try connect(text))
            #expect(world.heard(slot) == ["CONNACK notAuthorized"])
            #expect(world.isClosing(slot) && world.asked(slot).isEmpty)
        }
    }

    @Test("A proof is good for its own exchange alone")
    func replay() throws {
        let world = try world()
        let (_, final) = try challenged(world)
        let (other, _) = try challenged(world)
        world.feed(other, try auth("18", final))
        #expect(world.heard(other) == ["CONNACK notAuthorized"])
    }

    @Test("A user name in CONNECT must be the one that is proved [M-40]")
    func userNameInConnect() throws {
        for (name, isTaken) in [("alice", true), ("bob", false), ("", false)] {
            let world = try world()
            let slot = try world.open()
            let client = ScramClient(user: "alice", password: "secret")
            world.feed(slot, try connect(client.first, flags: "82", rest: sized("'\(name)'", bytes: 2)))
            world.feed(slot, try auth("18", try client.final(to: try challenge(world, slot))))
            let heard = try #require(world.heard(slot).first)
            #expect(heard.hasPrefix(isTaken ? "CONNACK success" : "CONNACK badUserNameOrPassword"))
            #expect(world.asked(slot).isEmpty != isTaken)
        }
    }

    @Test("The broker's refusal to give somebody else's session is CONNACK 0x87 [attack 39]")
    func takeover() throws {
        let world = try world()
        world.answersConnect = { $0.userName == "bob" ? .refused(.notAuthorized) : nil }
        let (slot, final) = try challenged(world, "bob", "hidden")
        world.feed(slot, try auth("18", final))
        #expect(world.heard(slot) == ["CONNACK notAuthorized"])
    }

    // MARK: While it goes on

    /// Packets that must not come before CONNACK, and the code that answers them.
    static let forbidden: [(String, String, ReasonCode)] = [
        ("PUBLISH", "30 04 0001 'a' 00", .protocolError), ("SUBSCRIBE", "82 07 0001 00 0001 'a' 00", .protocolError),
        ("PINGREQ", "c0 00", .protocolError), ("PUBACK", "40 02 0001", .protocolError),
        ("UNSUBSCRIBE", "a2 06 0001 00 0001 'a'", .protocolError), ("CONNACK", "20 03 00 00 00", .protocolError),
        ("CONNECT", "10 0e 0004 'MQTT' 05 02 003c 00 0001 'p'", .protocolError),
        ("AUTH 0x19", "f0 12 19 10 15 000d 'SCRAM-SHA-256'", .protocolError),
        ("AUTH 0x00", "f0 12 00 10 15 000d 'SCRAM-SHA-256'", .protocolError),
        ("AUTH without anything", "f0 00", .protocolError),
        ("AUTH without a method", "f0 02 18 00", .protocolError),
        ("AUTH with another method", "f0 10 18 0e 15 000b 'SCRAM-SHA-1'", .protocolError),
        ("AUTH with an unknown reason", "f0 12 17 10 15 000d 'SCRAM-SHA-256'", .protocolError),
        ("AUTH with reserved bits", "f1 12 18 10 15 000d 'SCRAM-SHA-256'", .malformedPacket),
        ("DISCONNECT with reserved bits", "e1 00", .malformedPacket),
        ("a packet above the limit before CONNACK", "f0 80 80 02", .packetTooLarge),
    ]

    @Test(
        """
        Only AUTH 0x18 with the same method and DISCONNECT may come before CONNACK [MQTT-3.1.2-30] [MQTT-4.12.0-3] \
        [MQTT-4.12.0-5] [MQTT-3.15.1-1] [MQTT-3.15.2-1] [MQTT-3.14.0-1] [MQTT-3.1.0-2] [attack 28]
        """,
        arguments: forbidden)
    func comesTooSoon(name: String, bytes: String, code: ReasonCode) throws {
        let world = try world()
        let (slot, final) = try challenged(world)
        try world.feed(slot, bytes)
        #expect(world.heard(slot) == ["CONNACK \(code)"])
        #expect(world.isClosing(slot) && world.asked(slot).isEmpty)
        #expect(world.logged() == [.ended("p", .violated(code))])
        #expect(world.connections.counters.violations == 1)
        world.feed(slot, try auth("18", final))
        #expect(world.heard(slot).isEmpty && world.asked(slot).isEmpty)
    }

    @Test("A client may go before it has shown who it is: no session, no will (§4.12)")
    func leaves() throws {
        let world = try world()
        let (slot, _) = try challenged(world)
        try world.feed(slot, "e0 00")
        #expect(world.isClosing(slot) && world.asked(slot).isEmpty && world.heard(slot).isEmpty)
        #expect(world.logged() == [.ended("p", .disconnected)])
        let (lost, _) = try challenged(world)
        world.end(lost)
        #expect(world.asked(lost).isEmpty)
        #expect(world.logged() == [.ended("p", .lost)])
    }

    @Test("The time for CONNECT covers the whole exchange [attack 44]")
    func timeout() throws {
        let world = try world()
        let slot = try world.open()
        world.advance(.seconds(3))
        world.feed(slot, try connect(ScramClient(user: "alice", password: "secret").first))
        world.advance(.milliseconds(1_999))
        #expect(!world.isClosing(slot))
        world.advance(.milliseconds(2))
        #expect(world.isClosing(slot) && world.asked(slot).isEmpty)
        #expect(world.logged() == [.ended("p", .connectTimedOut)])
        #expect(world.connections.counters.connectTimeouts == 1)
    }

    @Test("A client that cannot take the challenge is told so, if that fits [MQTT-3.1.2-24] [M-02]")
    func smallMaximum() throws {
        let world = try world()
        let slot = try world.open()
        world.feed(
            slot,
            try ConnectionCoreTests.connect(
                .v5, properties: Self.section + " 27 00000014 " + data("n,,n=alice,r=abc")))
        #expect(world.heard(slot) == ["CONNACK packetTooLarge"])
        #expect(world.isClosing(slot))
    }

    // MARK: Without a method

    @Test("Who names no method gets none, and no AUTH [MQTT-4.12.0-6]")
    func withoutMethod() throws {
        let world = try world(allowsAnonymous: true)
        let slot = try world.open()
        world.feed(slot, try ConnectionCoreTests.connect(.v5))
        let heard = world.heard(slot)
        #expect(heard.count == 1 && heard.first?.contains("authentication") == false)
    }

    @Test("AUTH from a client whose CONNECT had no method: 0x82 [MQTT-4.12.0-7] [attack 28]")
    func authWithoutMethod() throws {
        for bytes in ["f0 00", "f0 12 19 10 15 000d 'SCRAM-SHA-256'", "f0 12 18 10 15 000d 'SCRAM-SHA-256'"] {
            let world = try world(allowsAnonymous: true)
            let slot = try world.client(.v5)
            try world.feed(slot, bytes)
            #expect(world.heard(slot) == ["DISCONNECT protocolError"])
            #expect(world.isClosing(slot))
        }
    }

    @Test("Where nobody may come without a proof, others are refused in their version's words", arguments: versions)
    func anonymousRefused(version: ProtocolVersion) throws {
        let world = try world()
        for (flags, rest, codes) in [("02", "", (5, 0x87)), ("c2", "0005 'alice' 0006 'secret'", (4, 0x86))] {
            let slot = try world.open()
            world.feed(slot, try ConnectionCoreTests.connect(version, flags: flags, rest: rest))
            #expect(world.pending(slot).dropFirst(3).first == UInt8(version == .v5 ? codes.1 : codes.0))
            #expect(world.isClosing(slot) && world.asked(slot).isEmpty)
        }
    }
}

/// Re-authentication: MQTT 5.0 §4.12.1.
extension AuthenticateTests {
    @Test("A client shows again who it is, while messages go on; AUTH 0x00 ends it [MQTT-4.12.1-1] (§4.12.1)")
    func again() throws {
        let world = try world()
        let slot = try authenticated(world)
        let client = ScramClient(user: "alice", password: "secret")
        world.feed(slot, try auth("19", client.first))
        let serverFirst = try challenge(world, slot)
        try world.feed(slot, "30 05 0001 'a' 00 'x' c0 00")
        #expect(world.asked(slot) == ["publish a x qos=0"])
        #expect(world.heard(slot) == ["PINGRESP"])
        world.feed(slot, try auth("18", try client.final(to: serverFirst)))
        let heard = try #require(world.heard(slot).first)
        #expect(heard.hasPrefix("AUTH success authenticationMethod=\(Self.scram) authenticationData="))
        #expect(world.asked(slot).isEmpty)
        #expect(world.logged() == [.authenticated("p", userName: "alice")])
        // And once more, with the data later.
        world.feed(slot, try auth("19", ""))
        #expect(world.heard(slot) == ["AUTH continueAuthentication authenticationMethod=\(Self.scram)"])
    }

    @Test(
        "A proof that fails ends the connection with 0x87, and another user is one [MQTT-4.12.1-2] [M-42]",
        arguments: [("alice", "wrong"), ("nobody", "secret"), ("bob", "hidden")])
    func failsAgain(user: String, password: String) throws {
        let world = try world()
        let slot = try authenticated(world)
        let client = ScramClient(user: user, password: password)
        world.feed(slot, try auth("19", client.first))
        world.feed(slot, try auth("18", try client.final(to: try challenge(world, slot))))
        #expect(world.heard(slot) == ["DISCONNECT notAuthorized"])
        #expect(world.asked(slot) == ["detach will"])
        #expect(world.isClosing(slot))
        #expect(world.logged().last == .ended("p", .refused(.notAuthorized)))
    }

    @Test(
        "AUTH out of turn, or with another method: DISCONNECT [MQTT-4.12.1-1] [MQTT-3.15.1-1] [attack 28]",
        arguments: [
            ("f0 12 18 10 15 000d 'SCRAM-SHA-256'", ReasonCode.protocolError),
            ("f0 12 00 10 15 000d 'SCRAM-SHA-256'", .protocolError), ("f0 00", .protocolError),
            ("f0 10 19 0e 15 000b 'SCRAM-SHA-1'", .protocolError), ("f0 02 19 00", .protocolError),
            ("f0 15 19 13 15 000d 'SCRAM-SHA-256' 15 0000", .protocolError),
            ("f2 12 19 10 15 000d 'SCRAM-SHA-256'", .malformedPacket),
            ("f0 12 19 10 15 000d 'SCRAM-SHA-256' f0 12 19 10 15 000d 'SCRAM-SHA-256'", .protocolError),
        ])
    func outOfTurn(bytes: String, code: ReasonCode) throws {
        let world = try world()
        let slot = try authenticated(world)
        try world.feed(slot, bytes)
        #expect(world.heard(slot).last == "DISCONNECT \(code)")
        #expect(world.isClosing(slot))
    }

    @Test("Re-authentications have a limit in a minute: at it, one more, and the next minute [attack 28] [M-43]")
    func flood() throws {
        let world = try world()
        let slot = try authenticated(world)
        let client = ScramClient(user: "alice", password: "secret")
        for round in 1...21 {
            // The eleventh comes when the minute is over.
            if round == 11 {
                world.advance(.seconds(59))
                try world.feed(slot, "c0 00")
                #expect(world.heard(slot) == ["PINGRESP"])
                world.advance(.seconds(1))
            }
            world.feed(slot, try auth("19", client.first))
            if round == 21 { break }
            let serverFirst = try challenge(world, slot)
            world.feed(slot, try auth("18", try client.final(to: serverFirst)))
            #expect(world.heard(slot).first?.hasPrefix("AUTH success") == true)
        }
        #expect(world.heard(slot) == ["DISCONNECT messageRateTooHigh"])
        #expect(world.isClosing(slot))
    }
}
