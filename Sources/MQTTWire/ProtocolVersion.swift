/// The protocol level that a CONNECT names: MQTT 5.0 §3.1.2.2.
@frozen
package enum ProtocolVersion: UInt8, Sendable {
    /// MQTT 3.1, protocol name `MQIsdp`.
    case v3_1 = 3
    /// MQTT 3.1.1, protocol name `MQTT` as in 5.0.
    case v3_1_1 = 4
    /// MQTT 5.0.
    case v5 = 5
}
