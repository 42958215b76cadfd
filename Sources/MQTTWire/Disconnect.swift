package import Bytes

/// DISCONNECT: MQTT 5.0 §3.14.
package struct DisconnectPacket: Equatable {
    /// Always `normalDisconnection` before MQTT 5.
    package var reasonCode: ReasonCode
    package var properties: PropertyList

    package init(
        reasonCode: ReasonCode = .normalDisconnection, properties: PropertyList = PropertyList()
    ) {
        self.reasonCode = reasonCode
        self.properties = properties
    }

    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> DisconnectPacket {
        try frame.check(.disconnect, version: version)  // [MQTT-3.14.1-1]
        var reader = ByteReader(frame.body)
        var packet = DisconnectPacket()
        // Without bytes the reason is 0x00; with only the reason there are no properties (§3.14.2.2.1).
        if version == .v5, reader.remaining > 0 {
            packet.reasonCode = try reader.readReasonCode(for: .disconnect)
            if reader.remaining > 0 {
                packet.properties = try reader.readProperties(of: .disconnect, version: version, limits: limits)
            }
        }
        try reader.expectEnd()
        return packet
    }

    /// Appends the packet in its shortest form.
    package func encode(version: ProtocolVersion, into output: inout OutputBuffer) {
        let hasProperties = version == .v5 && !properties.isEmpty
        let hasReason = version == .v5 && (hasProperties || reasonCode != .normalDisconnection)
        let bodyBytes = (hasReason ? 1 : 0) + (hasProperties ? properties.encodedByteCount : 0)
        output.appendFixedHeader(.disconnect, bodyBytes: bodyBytes)
        if hasReason { output.append(reasonCode.rawValue) }
        if hasProperties { output.append(properties, version: version) }
    }
}
