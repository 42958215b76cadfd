package import Bytes
package import Messaging

/// SUBSCRIBE: MQTT 5.0 §3.8.
package struct SubscribePacket: Equatable {
    package var packetIdentifier: UInt16
    package var properties: PropertyList
    package var filters: SubscriptionFilters

    package init(
        packetIdentifier: UInt16, properties: PropertyList = PropertyList(), filters: SubscriptionFilters
    ) {
        self.packetIdentifier = packetIdentifier
        self.properties = properties
        self.filters = filters
    }

    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> SubscribePacket {
        try frame.check(.subscribe, version: version)  // [MQTT-3.8.1-1]
        var reader = ByteReader(frame.body)
        return SubscribePacket(
            packetIdentifier: try reader.readPacketIdentifier(),
            properties: try reader.readProperties(of: .subscribe, version: version, limits: limits),
            filters: try SubscriptionFilters(
                validating: reader.readRest(), version: version, countMax: limits.filtersMax))
    }

    package func encode(version: ProtocolVersion, into output: inout OutputBuffer) {
        let sectionBytes = version == .v5 ? properties.encodedByteCount : 0
        output.appendFixedHeader(.subscribe, flags: 0b0010, bodyBytes: 2 + sectionBytes + filters.raw.count)
        output.append(packetIdentifier)
        output.append(properties, version: version)
        output.append(filters.raw)
    }
}

/// The filters of a SUBSCRIBE with their options, still as they stand on the wire: §3.8.3.
package struct SubscriptionFilters: Equatable {
    /// The packet's payload.
    package let raw: ByteView
    /// How many filters there are; not 0 in a packet that was decoded.
    package let count: Int

    /// Filters that we wrote ourselves with `OutputBuffer.append(filter:options:version:)`.
    package init(raw: ByteView, count: Int) {
        self.raw = raw
        self.count = count
    }

    /// A payload from a peer.
    ///
    /// - Parameter countMax: how many filters there may be.
    /// - Throws: for an empty list or one that is too long, bad strings and lengths, and options that the version does
    ///   not have. What the filters mean is not looked at.
    package init(
        validating payload: ByteView, version: ProtocolVersion, countMax: Int = .max
    ) throws(MQTTDecodeError) {
        guard !payload.isEmpty else { throw .emptyFilterList }  // [MQTT-3.8.3-2]
        var reader = ByteReader(payload)
        var count = 0
        while reader.remaining > 0 {
            guard count < countMax else { throw .tooManyFilters }
            _ = try reader.readString()  // [MQTT-3.8.3-1]
            _ = try SubscriptionOptions(byte: reader.readByte(), version: version)
            count += 1
        }
        raw = payload
        self.count = count
    }
}

extension SubscriptionFilters: Sequence {
    /// Goes through the filters in their order, without allocating.
    package struct Iterator: IteratorProtocol {
        fileprivate var reader: ByteReader

        package mutating func next() -> (filter: ByteView, options: SubscriptionOptions)? {
            guard let filter = reader.readLengthPrefixed(), let byte = reader.readUInt8() else { return nil }
            // The options of MQTT 5 include those before it.
            guard let options = try? SubscriptionOptions(byte: byte, version: .v5) else { return nil }
            return (filter, options)
        }
    }

    package func makeIterator() -> Iterator {
        Iterator(reader: ByteReader(raw))
    }
}

extension SubscriptionOptions {
    /// The options byte of a filter: §3.8.3.1. Before MQTT 5 it holds the QoS alone (3.1.1 §3.8.3). The
    /// subscription identifier stands elsewhere and stays 0.
    package init(byte: UInt8, version: ProtocolVersion) throws(MQTTDecodeError) {
        guard byte & (version == .v5 ? 0xC0 : 0xFC) == 0 else { throw .reservedBits }  // [MQTT-3.8.3-5]
        guard let qos = QoS(rawValue: byte & 0b11), let handling = RetainHandling(rawValue: byte >> 4) else {
            throw .invalidSubscriptionOptions
        }
        self.init(
            maximumQoS: qos, noLocal: byte & 0b0100 != 0, retainAsPublished: byte & 0b1000 != 0,
            retainHandling: handling)
    }

    /// The options as they stand on the wire.
    package func byte(version: ProtocolVersion) -> UInt8 {
        guard version == .v5 else { return maximumQoS.rawValue }
        return maximumQoS.rawValue | (noLocal ? 0b0100 : 0) | (retainAsPublished ? 0b1000 : 0)
            | retainHandling.rawValue << 4
    }
}

extension OutputBuffer {
    /// One filter for `SubscriptionFilters(raw:count:)`: 65,535 bytes at most.
    package mutating func append(filter: ByteView, options: SubscriptionOptions, version: ProtocolVersion) {
        appendLengthPrefixed(filter)
        append(options.byte(version: version))
    }
}
