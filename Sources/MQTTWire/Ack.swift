package import Bytes

/// PUBACK, PUBREC, PUBREL and PUBCOMP: MQTT 5.0 §3.4 to §3.7.
package struct AckPacket: Equatable {
    package var packetIdentifier: UInt16
    /// Always `success` before MQTT 5.
    package var reasonCode: ReasonCode
    package var properties: PropertyList

    package init(
        packetIdentifier: UInt16, reasonCode: ReasonCode = .success, properties: PropertyList = PropertyList()
    ) {
        self.packetIdentifier = packetIdentifier
        self.reasonCode = reasonCode
        self.properties = properties
    }

    /// The acknowledgement in `frame`, whose type is one of the four.
    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> AckPacket {
        guard PropertyPackets(frame.type).isSubset(of: [.puback, .pubrec, .pubrel, .pubcomp]) else {
            throw .unexpectedPacketType
        }
        try frame.check(frame.type, version: version)
        var reader = ByteReader(frame.body)
        var packet = AckPacket(packetIdentifier: try reader.readPacketIdentifier())
        // Without more bytes the reason is success; with only the reason there are no properties (§3.4.2.2.1).
        if version == .v5, reader.remaining > 0 {
            packet.reasonCode = try reader.readReasonCode(for: frame.type)
            if reader.remaining > 0 {
                packet.properties = try reader.readProperties(
                    of: PropertyPackets(frame.type), version: version, limits: limits)
            }
        }
        try reader.expectEnd()
        return packet
    }

    /// Appends the packet in its shortest form. `type` is one of the four; a PUBREL is never marked DUP.
    package func encode(_ type: PacketType, version: ProtocolVersion, into output: inout OutputBuffer) {
        let hasProperties = version == .v5 && !properties.isEmpty
        let hasReason = version == .v5 && (hasProperties || reasonCode != .success)
        let bodyBytes = 2 + (hasReason ? 1 : 0) + (hasProperties ? properties.encodedByteCount : 0)
        output.appendFixedHeader(type, flags: type == .pubrel ? 0b0010 : 0, bodyBytes: bodyBytes)  // [MQTT-3.6.1-1]
        output.append(packetIdentifier)
        if hasReason { output.append(reasonCode.rawValue) }
        if hasProperties { output.append(properties, version: version) }
    }
}

extension ByteReader {
    /// A reason code that a packet of `type` may carry.
    mutating func readReasonCode(for type: PacketType) throws(MQTTDecodeError) -> ReasonCode {
        guard let code = ReasonCode(rawValue: try readByte()), code.isValid(in: type) else {
            throw .invalidReasonCode
        }
        return code
    }
}
