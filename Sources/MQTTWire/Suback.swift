package import Bytes

/// SUBACK: MQTT 5.0 §3.9.
package struct SubackPacket: Equatable {
    package var packetIdentifier: UInt16
    package var properties: PropertyList
    package var reasonCodes: ReasonCodes

    package init(
        packetIdentifier: UInt16, properties: PropertyList = PropertyList(), reasonCodes: ReasonCodes
    ) {
        self.packetIdentifier = packetIdentifier
        self.properties = properties
        self.reasonCodes = reasonCodes
    }

    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> SubackPacket {
        try frame.check(.suback, version: version)
        var reader = ByteReader(frame.body)
        return SubackPacket(
            packetIdentifier: try reader.readPacketIdentifier(),
            properties: try reader.readProperties(of: .suback, version: version, limits: limits),
            reasonCodes: try ReasonCodes(validating: reader.readRest(), in: .suback, version: version))
    }

    /// Appends the packet. Before MQTT 5 every failure is 0x80, also in MQTT 3.1, which has no word for it.
    package func encode(version: ProtocolVersion, into output: inout OutputBuffer) {
        let sectionBytes = version == .v5 ? properties.encodedByteCount : 0
        output.appendFixedHeader(.suback, bodyBytes: 2 + sectionBytes + reasonCodes.raw.count)
        output.append(packetIdentifier)
        output.append(properties, version: version)
        if version == .v5 {
            output.append(reasonCodes.raw)
        } else {
            for code in reasonCodes { output.append(code.isError ? 0x80 : code.rawValue) }  // [MQTT-3.9.3-2]
        }
    }
}

/// The reason codes of a SUBACK or UNSUBACK, one for each filter, as they stand on the wire: §3.9.3 and §3.11.3.
package struct ReasonCodes: Equatable, Sequence {
    /// One byte for each code.
    package let raw: ByteView

    /// Codes that we wrote ourselves; none before MQTT 5 in UNSUBACK.
    package init(raw: ByteView = .empty) {
        self.raw = raw
    }

    /// A payload from a peer.
    ///
    /// - Throws: for an empty list and for codes that the packet does not have in this version.
    init(validating payload: ByteView, in type: PacketType, version: ProtocolVersion) throws(MQTTDecodeError) {
        guard !payload.isEmpty else { throw .emptyReasonCodeList }
        for byte in payload.memory {
            guard let code = ReasonCode(rawValue: byte), code.isValid(in: type) else { throw .invalidReasonCode }
            guard version == .v5 || byte <= 2 || byte == 0x80 else { throw .invalidReasonCode }
        }
        raw = payload
    }

    /// How many codes there are.
    package var count: Int { raw.count }

    /// Goes through the codes in their order, without allocating.
    package struct Iterator: IteratorProtocol {
        fileprivate var reader: ByteReader

        package mutating func next() -> ReasonCode? {
            guard let byte = reader.readUInt8() else { return nil }
            return ReasonCode(rawValue: byte) ?? .unspecifiedError
        }
    }

    package func makeIterator() -> Iterator {
        Iterator(reader: ByteReader(raw))
    }
}
