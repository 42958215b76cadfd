package import Bytes
package import Messaging

/// PUBLISH: MQTT 5.0 §3.3.
package struct PublishPacket: Equatable {
    /// A topic name without wildcards; empty only in MQTT 5, where an alias stands for it.
    package var topic: ByteView
    /// 0 at QoS 0.
    package var packetIdentifier: UInt16
    package var qos: QoS
    package var dup: Bool
    package var retain: Bool
    /// Empty before MQTT 5.
    package var properties: PublishProperties
    package var payload: ByteView

    package init(
        topic: ByteView, packetIdentifier: UInt16 = 0, qos: QoS, dup: Bool = false, retain: Bool = false,
        properties: PublishProperties = PublishProperties(), payload: ByteView
    ) {
        self.topic = topic
        self.packetIdentifier = packetIdentifier
        self.qos = qos
        self.dup = dup
        self.retain = retain
        self.properties = properties
        self.payload = payload
    }
}

extension PublishPacket {
    /// The packet in `frame`, without copying or allocating.
    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> PublishPacket {
        guard frame.type == .publish else { throw .unexpectedPacketType }
        guard let qos = QoS(rawValue: frame.flags >> 1 & 0b11) else { throw .invalidQoS }  // [MQTT-3.3.1-4]
        let dup = frame.flags & 0b1000 != 0
        guard !dup || qos != .atMostOnce else { throw .duplicateAtQoSZero }  // [MQTT-3.3.1-2]
        var reader = ByteReader(frame.body)
        let topic = try reader.readString()  // [MQTT-3.3.2-1]
        guard !topic.hasWildcard else { throw .wildcardInTopicName }  // [MQTT-3.3.2-2]
        let identifier = qos == .atMostOnce ? 0 : try reader.readPacketIdentifier()
        var properties = PublishProperties()
        if version == .v5 {
            properties = try PublishProperties(validating: reader.readPropertySection(), limits: limits)
        }
        guard !topic.isEmpty || properties.topicAlias != nil else { throw .emptyTopicName }
        return PublishPacket(
            topic: topic, packetIdentifier: identifier, qos: qos, dup: dup, retain: frame.flags & 1 != 0,
            properties: properties, payload: reader.readRest())
    }

    /// Appends the packet with its properties as they are.
    package func encode(version: ProtocolVersion, into output: inout OutputBuffer) {
        PublishPacket.encode(
            topic: topic, packetIdentifier: packetIdentifier, qos: qos, dup: dup, retain: retain,
            forwarded: properties.raw, payload: payload, version: version, into: &output)
    }
}

// MARK: - From pieces

extension PublishPacket {
    /// No subscription identifiers.
    package static var noIdentifiers: UnsafeBufferPointer<UInt32> { UnsafeBufferPointer(start: nil, count: 0) }

    /// Appends a PUBLISH made of pieces: what a delivery does. Room for all of it is made once.
    ///
    /// - Parameters:
    ///   - packetIdentifier: not 0 at QoS 1 and 2; ignored at QoS 0. It stands
    ///     `packetIdentifierOffset(topicBytes:packetBytes:)` behind the packet's first byte.
    ///   - forwarded: encoded properties that go out as they are; ignored before MQTT 5, as are the next three.
    ///   - messageExpiryInterval: seconds that are left [MQTT-3.3.2-6].
    ///   - subscriptionIdentifiers: each 1 to 268,435,455.
    ///   - topicAlias: 1 to the client's maximum; `topic` may then be empty.
    package static func encode(
        topic: ByteView, packetIdentifier: UInt16, qos: QoS, dup: Bool, retain: Bool, forwarded: ByteView = .empty,
        messageExpiryInterval: UInt32? = nil,
        subscriptionIdentifiers: UnsafeBufferPointer<UInt32> = noIdentifiers, topicAlias: UInt16? = nil,
        payload: ByteView, version: ProtocolVersion, into output: inout OutputBuffer
    ) {
        let sectionBytes =
            version == .v5
            ? propertyBytes(
                forwarded: forwarded, messageExpiryInterval: messageExpiryInterval,
                subscriptionIdentifiers: subscriptionIdentifiers, topicAlias: topicAlias) : 0
        let bodyBytes = bodyBytes(
            topic: topic, qos: qos, sectionBytes: sectionBytes, payload: payload, version: version)
        let flags = (dup ? 0b1000 : 0) | qos.rawValue << 1 | (retain ? 1 : 0)
        output.appendFixedHeader(.publish, flags: flags, bodyBytes: bodyBytes)
        output.appendLengthPrefixed(topic)
        if qos != .atMostOnce { output.append(packetIdentifier) }
        if version == .v5 {
            output.append(variableByteInteger: sectionBytes)
            if let topicAlias { output.append(property: .topicAlias, uint16: topicAlias) }
            if let messageExpiryInterval {
                output.append(property: .messageExpiryInterval, uint32: messageExpiryInterval)
            }
            for identifier in subscriptionIdentifiers {
                output.append(property: .subscriptionIdentifier, variableByteInteger: identifier)
            }
            output.append(forwarded)
        }
        output.append(payload)
    }

    /// Bytes that `encode` with the same pieces would append, to be held against the peer's Maximum Packet Size
    /// [MQTT-3.1.2-24].
    package static func encodedByteCount(
        topic: ByteView, qos: QoS, forwarded: ByteView = .empty, messageExpiryInterval: UInt32? = nil,
        subscriptionIdentifiers: UnsafeBufferPointer<UInt32> = noIdentifiers, topicAlias: UInt16? = nil,
        payload: ByteView, version: ProtocolVersion
    ) -> Int {
        let sectionBytes = propertyBytes(
            forwarded: forwarded, messageExpiryInterval: messageExpiryInterval,
            subscriptionIdentifiers: subscriptionIdentifiers, topicAlias: topicAlias)
        let bodyBytes = bodyBytes(
            topic: topic, qos: qos, sectionBytes: sectionBytes, payload: payload, version: version)
        return 1 + VariableByteInteger.byteCount(of: bodyBytes) + bodyBytes
    }

    /// Where the packet identifier of an encoded PUBLISH at QoS 1 or 2 stands, from its first byte: for patching a
    /// packet that goes to several receivers.
    package static func packetIdentifierOffset(topicBytes: Int, packetBytes: Int) -> Int {
        let headerBytes =
            switch packetBytes {
            case ..<0x82: 2
            case ..<0x4003: 3
            case ..<0x20_0004: 4
            default: 5
            }
        return headerBytes + 2 + topicBytes
    }

    private static func propertyBytes(
        forwarded: ByteView, messageExpiryInterval: UInt32?, subscriptionIdentifiers: UnsafeBufferPointer<UInt32>,
        topicAlias: UInt16?
    ) -> Int {
        var bytes = forwarded.count
        if topicAlias != nil { bytes += 3 }
        if messageExpiryInterval != nil { bytes += 5 }
        for identifier in subscriptionIdentifiers {
            bytes += 1 + VariableByteInteger.byteCount(of: Int(identifier))
        }
        return bytes
    }

    private static func bodyBytes(
        topic: ByteView, qos: QoS, sectionBytes: Int, payload: ByteView, version: ProtocolVersion
    ) -> Int {
        var bytes = 2 + topic.count + payload.count
        if qos != .atMostOnce { bytes += 2 }
        if version == .v5 { bytes += VariableByteInteger.byteCount(of: sectionBytes) + sectionBytes }
        return bytes
    }
}
