import Bytes
import Clockwork
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

@Suite struct WishesTests {
    // MARK: Response Information

    private func connack(_ information: ByteString, id: String = "'p'", _ properties: String) throws -> String {
        let world = ConnectionWorld { $0.responseInformation = information }
        let slot = try world.open()
        world.feed(slot, try connect(.v5, id: id, properties: properties))
        return try #require(world.heard(slot).first)
    }

    @Test("Response Information is for those who ask, and only where the operator has some [MQTT-3.1.2-28]")
    func responseInformation() throws {
        for (information, properties, isThere) in [
            ("replies/", "", false), ("replies/", "19 00", false), ("replies/", "19 01", true), ("", "19 01", false),
        ] as [(ByteString, String, Bool)] {
            let heard = try connack(information, properties)
            #expect(heard.contains("responseInformation=replies/") == isThere)
            #expect(heard.contains("responseInformation") == isThere)
        }
    }

    @Test("%c as a level stands for the client's id, if that can be a level [M-30]")
    func clientIDInResponseInformation() throws {
        for (information, id, expected) in [
            ("r/%c/x", "'me'", "r/me/x"), ("%c", "'me'", "me"), ("r/%cx/", "'me'", "r/%cx/"), ("r/%c", "'a/b'", nil),
            ("r/%c", "'a+'", nil), ("r/%c", "'#'", nil), ("r", "'#'", "r"),
        ] as [(ByteString, String, String?)] {
            let heard = try connack(information, id: id, "19 01")
            if let expected {
                #expect(heard.hasSuffix("responseInformation=" + expected))
            } else {
                #expect(!heard.contains("responseInformation"))
            }
        }
    }

    // MARK: Payload format

    private func checking() -> ConnectionWorld { ConnectionWorld { $0.checksPayloadFormat = true } }

    @Test("A payload that is said to be UTF-8 and is not: 0x99 in PUBACK and PUBREC, the end at QoS 0 (§3.3.2.3.2)")
    func payloadFormat() throws {
        let world = checking()
        let slot = try world.client(.v5)
        try world.feed(slot, "32 09 0001 'a' 0007 02 0101 ff")
        #expect(world.heard(slot) == ["PUBACK 7 payloadFormatInvalid"])
        try world.feed(slot, "34 09 0001 'a' 0008 02 0101 ff")
        #expect(world.heard(slot) == ["PUBREC 8 payloadFormatInvalid"])
        #expect(world.asked(slot).isEmpty)
        #expect(!world.isClosing(slot))
        try world.feed(slot, "30 07 0001 'a' 02 0101 ff")
        #expect(world.heard(slot) == ["DISCONNECT payloadFormatInvalid"])
        #expect(world.asked(slot) == ["detach will"])
    }

    @Test("What is UTF-8, says nothing, or is not checked, passes")
    func payloadPasses() throws {
        for (isChecked, bytes) in [
            (true, "30 08 0001 'a' 02 0101 c3a9"), (true, "30 07 0001 'a' 02 0101 00"),
            (true, "30 07 0001 'a' 02 0100 ff"),
            (true, "30 05 0001 'a' 00 ff"), (true, "30 06 0001 'a' 02 0101"), (false, "30 07 0001 'a' 02 0101 ff"),
        ] {
            let world = ConnectionWorld { $0.checksPayloadFormat = isChecked }
            let slot = try world.client(.v5)
            try world.feed(slot, bytes)
            #expect(world.asked(slot).count == 1)
            #expect(!world.isClosing(slot))
        }
    }

    @Test("A will whose payload is not what it says is refused with CONNECT: 0x99 (§3.1.3.2.3)")
    func willFormat() throws {
        for (payload, isTaken) in [("ff", false), ("'x'", true)] {
            let world = checking()
            let slot = try world.open()
            world.feed(slot, try connect(.v5, flags: "06", rest: "02 0101 0001 'w' 0001 \(payload)"))
            #expect(world.isClosing(slot) != isTaken)
            #expect(world.pending(slot)[3] == (isTaken ? 0 : 0x99))
        }
    }

    // MARK: Other servers

    private func redirecting(_ redirection: ServerRedirection) -> ConnectionWorld {
        ConnectionWorld { $0.redirection = redirection }
    }

    @Test("A server that goes says where to go instead, for now or for good (§4.11)")
    func redirectedAtShutdown() throws {
        for (isPermanent, code) in [(false, "useAnotherServer"), (true, "serverMoved")] {
            let world = redirecting(ServerRedirection(references: "b:1 c", isPermanent: isPermanent))
            let slot = try world.client(.v5)
            world.answer(slot, .close(.serverShuttingDown))
            #expect(world.heard(slot) == ["DISCONNECT \(code) serverReference=0x623a312063"])
            let other = try world.client(.v5)
            world.answer(other, .close(.sessionTakenOver))
            #expect(world.heard(other) == ["DISCONNECT sessionTakenOver"])
            let old = try world.client(.v3_1_1)
            world.answer(old, .close(.serverShuttingDown))
            #expect(world.pending(old).isEmpty)
        }
    }

    @Test("The Server Reference is left out where the packet would be too long with it [MQTT-3.1.2-24]")
    func referenceTooLong() throws {
        let world = redirecting(ServerRedirection(references: ByteString(Array(repeating: 0x78, count: 100))))
        // e0, length, code, length of the section, 1c, two bytes of length, the reference.
        for (size, bytes) in [("0000006b", 107), ("0000006a", 3)] {
            let slot = try world.client(.v5, properties: "27 " + size)
            world.answer(slot, .close(.serverShuttingDown))
            #expect(world.pending(slot).count == bytes)
            #expect(world.pending(slot)[2] == 0x9C)
        }
    }

    @Test("A server that is being emptied sends clients on as they connect")
    func redirectedAtConnect() throws {
        let world = redirecting(ServerRedirection(references: "b:1", refusesNewClients: true))
        let slot = try world.open()
        world.feed(slot, try connect(.v5) + FixtureNotation.bytes("c0 00"))
        #expect(world.heard(slot) == ["CONNACK useAnotherServer serverReference=b:1"])
        #expect(world.asked(slot).isEmpty)
        #expect(world.isClosing(slot))
        let old = try world.open()
        world.feed(old, try connect(.v3_1_1))
        #expect(world.pending(old) == [0x20, 2, 0, 3])
    }

    // MARK: Before CONNACK

    private func open(_ world: ConnectionWorld, _ behind: String) throws -> Int {
        world.answersConnect = { _ in nil }
        let slot = try world.open()
        world.feed(slot, try connect(.v5) + FixtureNotation.bytes(behind))
        #expect(world.asked(slot).count == 1)
        return slot
    }

    @Test("What comes before CONNACK is handled behind it, in its order, cut wherever it may be (§3.1.4)")
    func heldBytes() throws {
        let sent = "30 05 0001 'a' 00 '1' | c0 00 | 30 05 0001 'a' 00 '2' | 30 05 0001 'a' 00 '3'"
        let bytes = try FixtureNotation.bytes(sent)
        for cut in 0...bytes.count {
            for second in [cut, bytes.count] {
                let world = ConnectionWorld()
                let slot = try open(world, "")
                world.feed(slot, Array(bytes[..<cut]))
                world.feed(slot, Array(bytes[cut..<second]))
                #expect(world.asked(slot).isEmpty)
                #expect(world.pending(slot).isEmpty)
                world.answer(slot, .attached(Attached(sessionPresent: false, sessionExpiryInterval: 0)))
                world.feedHeld()
                world.feed(slot, Array(bytes[second...]))
                #expect(world.asked(slot) == ["publish a 1 qos=0", "publish a 2 qos=0", "publish a 3 qos=0"])
                let heard = world.heard(slot)
                #expect(heard.count == 2 && heard[0].hasPrefix("CONNACK success") && heard[1] == "PINGRESP")
                #expect(world.connections.connections[slot].held.isEmpty)
            }
        }
    }

    @Test("Of what came before a refusal nothing is handled [MQTT-3.1.4-6]")
    func heldAndRefused() throws {
        let world = ConnectionWorld()
        let slot = try open(world, "30 05 0001 'a' 00 '1' | c0 00")
        world.answer(slot, .refused(.notAuthorized))
        world.feedHeld()
        #expect(world.asked(slot).isEmpty)
        #expect(world.heard(slot) == ["CONNACK notAuthorized"])
    }

    @Test("Before CONNACK four times the bytes of a CONNECT may come: at it, one more, ten times")
    func heldBytesMax() throws {
        for (count, isTaken) in [(400, true), (401, false), (4_000, false)] {
            let world = ConnectionWorld { $0.packetBeforeConnectBytesMax = 100 }
            let slot = try open(world, "")
            world.feed(slot, Array(repeating: 0xC0, count: count))
            #expect(world.isClosing(slot) != isTaken)
            #expect(world.asked(slot) == (isTaken ? [] : ["detach will"]))
            #expect(world.pending(slot).isEmpty)
        }
    }

    @Test("A connection that ends while what it sent is held leaves nothing for the next in its place")
    func heldAndGone() throws {
        let world = ConnectionWorld()
        let slot = try open(world, "c0 00")
        world.answer(slot, .attached(Attached(sessionPresent: false, sessionExpiryInterval: 0)))
        world.end(slot)
        let next = try world.open()
        world.feedHeld()
        #expect(next == slot)
        #expect(world.pending(next).isEmpty)
    }
}
