import Bytes
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

@Suite struct ReasonTextTests {
    /// The only packet that waits, and what its Reason String says.
    private func reason(_ world: ConnectionWorld, _ slot: Int) throws -> String? {
        let bytes = world.pending(slot)
        defer { world.wrote(bytes.count, of: slot) }
        return try bytes.withUnsafeBytes { memory in
            let frame = try #require(try MQTTFrame.next(in: ByteView(memory), maximumPacketSize: .max))
            #expect(frame.byteCount == bytes.count)
            let properties: PropertyList? =
                switch try MQTTPacket.decode(frame, version: .v5) {
                case .connack(let packet): packet.properties
                case .puback(let packet), .pubrec(let packet), .pubrel(let packet), .pubcomp(let packet):
                    packet.properties
                case .suback(let packet): packet.properties
                case .unsuback(let packet): packet.properties
                case .disconnect(let packet): packet.properties
                default: nil
                }
            #expect(properties?.contains { $0.id == .userProperty } == false)
            return properties?.view(.reasonString).map { String(decoding: $0.memory, as: UTF8.self) }
        }
    }

    @Test("Every code that a packet may carry has words, and they are a string of MQTT", arguments: 0...255)
    func everyCode(raw: Int) throws {
        guard let code = ReasonCode(rawValue: UInt8(raw)), code.isError else { return }
        for type in [PacketType.connack, .puback, .suback, .unsuback, .disconnect] {
            var output = OutputBuffer()
            defer { output.deallocate() }
            ReasonText(code, in: type, ConnectionLimits()).append(to: &output)
            let list = try PropertyList(validating: output.pending, in: .disconnect)
            let text = try #require(list.view(.reasonString))
            #expect(text.count > 10 && text.count < 120)
        }
    }

    static let answers: [(answer: LinkAnswer, text: String)] = [
        (.acknowledge(Acknowledgement(.puback, 1, .notAuthorized)), "this client may not publish to the topic"),
        (.acknowledge(Acknowledgement(.pubrec, 1, .quotaExceeded)), "the server has no room to keep the message"),
        (
            .acknowledge(Acknowledgement(.pubcomp, 1, .packetIdentifierNotFound)),
            "no message is open under the packet identifier"
        ),
        (
            .acknowledge(Acknowledgement(.pubrel, 1, .packetIdentifierNotFound)),
            "no message is open under the packet identifier"
        ),
        (
            .subscribed(packetIdentifier: 1, [.granted(.atMostOnce, nil), .refused(.notAuthorized)]),
            "filter 2: this client may not subscribe to the topic filter"
        ),
        (
            .unsubscribed(packetIdentifier: 1, [.refused(.topicFilterInvalid)]),
            "filter 1: the topic filter has a wildcard out of place or too many levels, or is longer than 1024"
        ),
    ]

    @Test(
        "An answer with an error says why, unless Request Problem Information is 0 [MQTT-3.1.2-29]",
        arguments: answers)
    func answer(_ answer: LinkAnswer, _ text: String) throws {
        for (properties, expected) in [("", text), ("17 01", text), ("17 00", nil)] as [(String, String?)] {
            let world = ConnectionWorld()
            let slot = try world.client(.v5, properties: properties)
            world.answer(slot, answer)
            #expect(try reason(world, slot) == expected)
        }
    }

    @Test("An answer is sent without its words where it would be too long with them", arguments: answers)
    func answerSize(_ answer: LinkAnswer, _ text: String) throws {
        // [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.6.2-2] [MQTT-3.7.2-2] [MQTT-3.9.2-1] [MQTT-3.11.2-1]; and there is no
        // User Property that could be too long: [MQTT-3.4.2-3] [MQTT-3.5.2-3] [MQTT-3.6.2-3] [MQTT-3.7.2-3]
        // [MQTT-3.9.2-2] [MQTT-3.11.2-2].
        let whole = ConnectionWorld()
        let free = try whole.client(.v5)
        whole.answer(free, answer)
        let bytes = whole.pending(free).count
        for (size, expected) in [(bytes, text), (bytes - 1, nil)] as [(Int, String?)] {
            let world = ConnectionWorld()
            let digits = String(size, radix: 16)
            let slot = try world.client(
                .v5, properties: "27 " + String(repeating: "0", count: 8 - digits.count) + digits)
            world.answer(slot, answer)
            #expect(try reason(world, slot) == expected)
            #expect(!world.isClosing(slot))
        }
    }

    @Test("What was done as asked needs no words")
    func success() throws {
        let answers: [LinkAnswer] = [
            .acknowledge(Acknowledgement(.puback, 1)),
            .acknowledge(Acknowledgement(.puback, 1, .noMatchingSubscribers)),
            .acknowledge(Acknowledgement(.pubrel, 1)), .subscribed(packetIdentifier: 1, [.granted(.exactlyOnce, nil)]),
            .unsubscribed(packetIdentifier: 1, [.removed, .noSubscriptionExisted]),
        ]
        for answer in answers {
            let world = ConnectionWorld()
            let slot = try world.client(.v5)
            world.answer(slot, answer)
            #expect(try reason(world, slot) == nil)
        }
    }

    @Test("A CONNECT that is refused hears why, unless that is too long [MQTT-3.2.2-19] [MQTT-3.2.2-20]")
    func refusedConnect() throws {
        let text = "the client identifier is missing where it must not, or longer than 256"
        let bytes = 2 + 2 + 1 + 3 + text.utf8.count
        for (properties, expected) in [
            ("", text), ("17 00", text), ("27 000000\(String(bytes, radix: 16))", text),
            ("27 000000\(String(bytes - 1, radix: 16))", nil),
        ] as [(String, String?)] {
            let world = ConnectionWorld()
            let slot = try world.open()
            world.feed(slot, try connect(.v5, id: "'i'*257", properties: properties))
            #expect(world.pending(slot)[3] == 0x85)
            #expect(try reason(world, slot) == expected)
        }
    }

    @Test("DISCONNECT says why, unless that is too long [MQTT-3.14.2-3] [MQTT-3.14.2-4]")
    func disconnect() throws {
        let text = "nothing came for one and a half times the keep-alive"
        let bytes = 2 + 1 + 1 + 3 + text.utf8.count
        for (properties, expected) in [
            ("", text), ("17 00", text), ("27 000000\(String(bytes, radix: 16))", text),
            ("27 000000\(String(bytes - 1, radix: 16))", nil),
        ] as [(String, String?)] {
            let world = ConnectionWorld()
            let slot = try world.client(.v5, properties: properties)
            world.advance(.seconds(91))
            #expect(world.pending(slot)[2] == 0x8D)
            #expect(try reason(world, slot) == expected)
        }
    }

    @Test(
        "A rule that was broken is named",
        arguments: [
            ("10 00", "the packet has no place here"), ("3e 06 0001 'a' 0001 00", "there is no QoS 3"),
            ("38 04 0001 'a' 00", "DUP is set at QoS 0"),
            ("30 07 0001 'a' 03 23 0011", "the topic alias is not within Topic Alias Maximum, which is 16"),
            ("30 04 0001 '+' 00", "the topic name has a wildcard"),
            ("30 04 0001 ff 00", "a string is not UTF-8, or has U+0000 in it"),
            ("30 ffffff7f", "a packet may have so many bytes: 262144"), ("f0 00", "the packet has no place here"),
            ("60 02 0001", "the flags of the fixed header are not those of the packet type"),
        ])
    func violation(bytes: String, text: String) throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v5)
        try world.feed(slot, bytes)
        #expect(try reason(world, slot) == text)
    }

    @Test("Before MQTT 5 there are no words", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func beforeV5(version: ProtocolVersion) throws {
        for (answer, _) in Self.answers {
            let world = ConnectionWorld()
            let slot = try world.client(version)
            world.answer(slot, answer)
            #expect(world.pending(slot).count < 7)
        }
    }
}
