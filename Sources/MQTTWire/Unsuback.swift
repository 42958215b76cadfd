package import Bytes

/// UNSUBACK: MQTT 5.0 §3.11.
package struct UnsubackPacket: Equatable {
    package var packetIdentifier: UInt16
    package var properties: PropertyList
    /// Empty before MQTT 5, where the packet has no payload.
    package var reasonCodes: ReasonCodes

    package init(
        packetIdentifier: UInt16, properties: PropertyList = PropertyList(),
        reasonCodes: ReasonCodes = ReasonCodes()
    ) {
        self.packetIdentifier = packetIdentifier
        self.properties = properties
        self.reasonCodes = reasonCodes
    }

    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> UnsubackPacket {
        try frame.check(.unsuback, version: version)
        var reader = ByteReader(frame.body)
        var packet = UnsubackPacket(packetIdentifier: try reader.readPacketIdentifier())
        if version == .v5 {
            packet.properties = try reader.readProperties(of: .unsuback, version: version, limits: limits)
            packet.reasonCodes = try ReasonCodes(validating: reader.readRest(), in: .unsuback, version: version)
        }
        try reader.expectEnd()
        return packet
    }

    package func encode(version: ProtocolVersion, into output: inout OutputBuffer) {
        let bodyBytes = version == .v5 ? 2 + properties.encodedByteCount + reasonCodes.count : 2
        output.appendFixedHeader(.unsuback, bodyBytes: bodyBytes)
        output.append(packetIdentifier)
        output.append(properties, version: version)
        if version == .v5 { output.append(reasonCodes.raw) }
    }
}
