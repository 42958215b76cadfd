package import Bytes

/// CONNACK: MQTT 5.0 §3.2. Before MQTT 5 the reason travels as a `ConnectReturnCode`.
package struct ConnackPacket: Equatable {
    /// Always false in MQTT 3.1, which has no such flag.
    package var sessionPresent: Bool
    package var reasonCode: ReasonCode
    package var properties: PropertyList

    package init(sessionPresent: Bool, reasonCode: ReasonCode, properties: PropertyList = PropertyList()) {
        self.sessionPresent = sessionPresent
        self.reasonCode = reasonCode
        self.properties = properties
    }

    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> ConnackPacket {
        try frame.check(.connack, version: version)
        var reader = ByteReader(frame.body)
        let flags = try reader.readByte()
        guard flags & (version == .v3_1 ? 0xFF : 0xFE) == 0 else { throw .reservedBits }  // [MQTT-3.2.2-1]
        let code = try reader.readByte()
        let reason = version == .v5 ? ReasonCode(rawValue: code) : ConnectReturnCode(rawValue: code)?.reasonCode
        guard let reason, reason.isValid(in: .connack) else { throw .invalidReasonCode }  // [MQTT-3.2.2-8]
        guard flags == 0 || reason == .success else { throw .sessionPresentInRefusal }  // [MQTT-3.2.2-6]
        let properties = try reader.readProperties(of: .connack, version: version, limits: limits)
        try reader.expectEnd()
        return ConnackPacket(sessionPresent: flags != 0, reasonCode: reason, properties: properties)
    }

    /// Appends the packet. Session Present is left out where it may not stand: in MQTT 3.1 and in a refusal.
    package func encode(version: ProtocolVersion, into output: inout OutputBuffer) {
        let code = version == .v5 ? reasonCode.rawValue : ConnectReturnCode(reasonCode).rawValue
        output.appendFixedHeader(.connack, bodyBytes: version == .v5 ? 2 + properties.encodedByteCount : 2)
        output.append(UInt8(sessionPresent && code == 0 && version != .v3_1 ? 1 : 0))  // [MQTT-3.2.2-6]
        output.append(code)
        output.append(properties, version: version)
    }
}
