package import Bytes

/// UNSUBSCRIBE: MQTT 5.0 §3.10.
package struct UnsubscribePacket: Equatable {
    package var packetIdentifier: UInt16
    package var properties: PropertyList
    package var filters: UnsubscriptionFilters

    package init(
        packetIdentifier: UInt16, properties: PropertyList = PropertyList(), filters: UnsubscriptionFilters
    ) {
        self.packetIdentifier = packetIdentifier
        self.properties = properties
        self.filters = filters
    }

    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> UnsubscribePacket {
        try frame.check(.unsubscribe, version: version)  // [MQTT-3.10.1-1]
        var reader = ByteReader(frame.body)
        return UnsubscribePacket(
            packetIdentifier: try reader.readPacketIdentifier(),
            properties: try reader.readProperties(of: .unsubscribe, version: version, limits: limits),
            filters: try UnsubscriptionFilters(validating: reader.readRest(), countMax: limits.filtersMax))
    }

    package func encode(version: ProtocolVersion, into output: inout OutputBuffer) {
        let sectionBytes = version == .v5 ? properties.encodedByteCount : 0
        output.appendFixedHeader(.unsubscribe, flags: 0b0010, bodyBytes: 2 + sectionBytes + filters.raw.count)
        output.append(packetIdentifier)
        output.append(properties, version: version)
        output.append(filters.raw)
    }
}

/// The filters of an UNSUBSCRIBE, still as they stand on the wire: §3.10.3.
package struct UnsubscriptionFilters: Equatable, Sequence {
    /// The packet's payload.
    package let raw: ByteView
    /// How many filters there are; not 0 in a packet that was decoded.
    package let count: Int

    /// Filters that we wrote ourselves with `OutputBuffer.appendLengthPrefixed(_:)`.
    package init(raw: ByteView, count: Int) {
        self.raw = raw
        self.count = count
    }

    /// A payload from a peer.
    ///
    /// - Parameter countMax: how many filters there may be.
    /// - Throws: for an empty list or one that is too long, bad strings and lengths. What the filters mean is not
    ///   looked at.
    package init(validating payload: ByteView, countMax: Int = .max) throws(MQTTDecodeError) {
        guard !payload.isEmpty else { throw .emptyFilterList }  // [MQTT-3.10.3-2]
        var reader = ByteReader(payload)
        var count = 0
        while reader.remaining > 0 {
            guard count < countMax else { throw .tooManyFilters }
            _ = try reader.readString()  // [MQTT-3.10.3-1]
            count += 1
        }
        raw = payload
        self.count = count
    }

    /// Goes through the filters in their order, without allocating.
    package struct Iterator: IteratorProtocol {
        fileprivate var reader: ByteReader

        package mutating func next() -> ByteView? {
            reader.readLengthPrefixed()
        }
    }

    package func makeIterator() -> Iterator {
        Iterator(reader: ByteReader(raw))
    }
}
