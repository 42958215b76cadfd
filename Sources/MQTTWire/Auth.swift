package import Bytes

/// AUTH, only in MQTT 5: §3.15.
package struct AuthPacket: Equatable {
    /// `success`, `continueAuthentication` or `reAuthenticate`.
    package var reasonCode: ReasonCode
    package var properties: PropertyList

    package init(reasonCode: ReasonCode, properties: PropertyList = PropertyList()) {
        self.reasonCode = reasonCode
        self.properties = properties
    }

    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> AuthPacket {
        guard version == .v5 else { throw .packetNotInVersion }
        try frame.check(.auth, version: version)  // [MQTT-3.15.1-1]
        var reader = ByteReader(frame.body)
        // No bytes at all stand for success without properties (§3.15.2.1).
        guard reader.remaining > 0 else { return AuthPacket(reasonCode: .success) }
        let reason = try reader.readReasonCode(for: .auth)
        let properties = try reader.readProperties(of: .auth, version: version, limits: limits)
        try reader.expectEnd()
        if properties.view(.authenticationMethod) == nil, !(reason == .success && properties.isEmpty) {
            throw .missingAuthenticationMethod  // §3.15.2.2.2
        }
        return AuthPacket(reasonCode: reason, properties: properties)
    }

    /// Appends the packet in its shortest form.
    package func encode(into output: inout OutputBuffer) {
        if reasonCode == .success, properties.isEmpty {
            output.appendFixedHeader(.auth, bodyBytes: 0)
            return
        }
        output.appendFixedHeader(.auth, bodyBytes: 1 + properties.encodedByteCount)
        output.append(reasonCode.rawValue)
        output.append(properties, version: .v5)
    }
}
