import Bytes
import MQTTWire
import Messaging
import Testing

@Suite struct PublishTests {
    let arena = Arena()

    @Test("What the server acts on is taken out of the properties")
    func extracted() throws {
        let section = arena.properties {
            $0.append(property: .topicAlias, uint16: 7)
            $0.append(property: .payloadFormatIndicator, byte: 1)
            $0.append(property: .messageExpiryInterval, uint32: 60)
        }
        let properties = try PublishProperties(validating: section.raw)
        #expect(properties.topicAlias == 7)
        #expect(properties.payloadFormatIndicator == 1)
        #expect(properties.messageExpiryInterval == 60)
        #expect(!properties.hasSubscriptionIdentifiers)
        #expect(properties.raw == section.raw)
        #expect(PublishProperties().topicAlias == nil)
    }

    @Test("Properties that all travel are forwarded as they are [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-17]")
    func forwardable() throws {
        let section = arena.properties { appendTravelling(to: &$0) }
        let properties = try PublishProperties(validating: section.raw)
        #expect(properties.forwardable == section.raw)
        #expect(written { properties.appendForwardable(to: &$0) } == Array(section.raw.memory))
        #expect(PublishProperties().forwardable == ByteView.empty)
    }

    @Test("Alias, expiry and subscription identifiers stay behind, the rest keeps its order [MQTT-3.3.2-18]")
    func notForwardable() throws {
        let travelling = arena.properties { appendTravelling(to: &$0) }
        let ids: [PropertyID] = [.topicAlias, .messageExpiryInterval, .subscriptionIdentifier]
        for id in ids {
            let section = arena.properties {
                $0.append(property: .responseTopic, string: "r")
                switch id {
                case .topicAlias: $0.append(property: id, uint16: 1)
                case .messageExpiryInterval: $0.append(property: id, uint32: 1)
                default: $0.append(property: id, variableByteInteger: 300)
                }
                appendTravelling(to: &$0)
            }
            let properties = try PublishProperties(validating: section.raw)
            #expect(properties.forwardable == nil)
            #expect(properties.hasSubscriptionIdentifiers == (id == .subscriptionIdentifier))
            let expected = written { $0.append(property: .responseTopic, string: "r") } + travelling.raw.memory
            #expect(written { properties.appendForwardable(to: &$0) } == expected)
        }
    }

    @Test("Every subscription identifier is shown, in order [MQTT-3.3.4-3]")
    func identifiers() throws {
        let section = arena.properties {
            for value: UInt32 in [1, 128, 268_435_455] {
                $0.append(property: .subscriptionIdentifier, variableByteInteger: value)
            }
        }
        var found: [UInt32] = []
        try PublishProperties(validating: section.raw).forEachSubscriptionIdentifier { found.append($0) }
        #expect(found == [1, 128, 268_435_455])
    }

    @Test("A PUBLISH from pieces is byte for byte what the standard says")
    func fromPieces() {
        let identifiers: [UInt32] = [5, 200]
        let bytes = identifiers.withUnsafeBufferPointer { identifiers in
            written {
                PublishPacket.encode(
                    topic: arena.keep("a/b"), packetIdentifier: 10, qos: .atLeastOnce, dup: true, retain: true,
                    forwarded: arena.keep([0x01, 0x01]), messageExpiryInterval: 60,
                    subscriptionIdentifiers: identifiers, topicAlias: 3, payload: arena.keep("hi"), version: .v5,
                    into: &$0)
            }
        }
        #expect(
            bytes == [
                0x3B, 0x19, 0x00, 0x03, 0x61, 0x2F, 0x62, 0x00, 0x0A, 0x0F, 0x23, 0x00, 0x03, 0x02, 0x00, 0x00, 0x00,
                0x3C, 0x0B, 0x05, 0x0B, 0xC8, 0x01, 0x01, 0x01, 0x68, 0x69,
            ])
    }

    @Test("Before MQTT 5 the pieces of MQTT 5 are left out", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func fromPiecesOfOld(version: ProtocolVersion) {
        let bytes = [UInt32(5)].withUnsafeBufferPointer { identifiers in
            written {
                PublishPacket.encode(
                    topic: arena.keep("a"), packetIdentifier: 10, qos: .atMostOnce, dup: false, retain: false,
                    forwarded: arena.keep([0x01, 0x01]), messageExpiryInterval: 60,
                    subscriptionIdentifiers: identifiers, topicAlias: 3, payload: arena.keep("hi"), version: version,
                    into: &$0)
            }
        }
        #expect(bytes == [0x30, 0x05, 0x00, 0x01, 0x61, 0x68, 0x69])
    }

    @Test("The announced count is the written count, and the identifier is where it is said to be")
    func counts() throws {
        // A body has 5 to 13 bytes besides its payload, so that these cross each border of Remaining Length.
        let sizes = [0, 1] + [127, 16_383].flatMap { border in (-14...4).map { border + $0 } }
        for size in sizes + [2_097_151 - 13, 2_097_151 - 12] {
            let payload = arena.keep([UInt8](repeating: 0x78, count: size))
            for version in [ProtocolVersion.v3_1_1, .v5] {
                for qos in [QoS.atMostOnce, .atLeastOnce] { try checkCount(payload, qos, version) }
            }
        }
    }

    private func checkCount(_ payload: ByteView, _ qos: QoS, _ version: ProtocolVersion) throws {
        let topic = arena.keep("abc")
        let announced = PublishPacket.encodedByteCount(
            topic: topic, qos: qos, messageExpiryInterval: 9, payload: payload, version: version)
        let bytes = written {
            PublishPacket.encode(
                topic: topic, packetIdentifier: 0xABCD, qos: qos, dup: false, retain: false,
                messageExpiryInterval: 9, payload: payload, version: version, into: &$0)
        }
        #expect(announced == bytes.count)
        try withView(bytes) { view in
            let packet = try MQTTWireTests.decode(view, version, maximumPacketSize: bytes.count)
            guard case .publish(let publish) = packet else { throw Unexpected() }
            #expect(publish.payload.count == payload.count)
            #expect(publish.packetIdentifier == (qos == .atMostOnce ? 0 : 0xABCD))
            guard qos == .atLeastOnce else { return }
            let offset = PublishPacket.packetIdentifierOffset(topicBytes: 3, packetBytes: bytes.count)
            #expect(view[offset..<(offset + 2)] == arena.keep([0xAB, 0xCD]))
        }
    }

    @Test("A PUBLISH that is forwarded keeps what travels and nothing else")
    func forwarding() throws {
        let section = arena.properties {
            $0.append(property: .topicAlias, uint16: 1)
            appendTravelling(to: &$0)
        }
        let incoming = try PublishProperties(validating: section.raw)
        let travelling = arena.keep(written { incoming.appendForwardable(to: &$0) })
        let bytes = written {
            PublishPacket.encode(
                topic: arena.keep("t"), packetIdentifier: 0, qos: .atMostOnce, dup: false, retain: false,
                forwarded: travelling, payload: .empty, version: .v5, into: &$0)
        }
        try withView(bytes) { view in
            guard case .publish(let packet) = try MQTTWireTests.decode(view, .v5) else { throw Unexpected() }
            #expect(packet.properties.topicAlias == nil)
            #expect(packet.properties.forwardable == travelling)
        }
    }

    private func appendTravelling(to output: inout OutputBuffer) {
        output.append(property: .payloadFormatIndicator, byte: 1)
        output.append(property: .contentType, string: "text")
        output.appendUserProperty(name: arena.keep("k"), value: arena.keep("1"))
        output.append(property: .correlationData, string: "c")
        output.appendUserProperty(name: arena.keep("k"), value: arena.keep("2"))
    }
}

/// A packet of another type than the test wrote.
struct Unexpected: Error {}
