internal import MQTTWire

/// What a client did that ends its connection (MQTT 5.0 §4.13, 3.1.1 §4.8).
enum Violation: Error, Equatable {
    /// The bytes are no packet, or one that says what it must not.
    case undecodable(MQTTDecodeError)
    /// A CONNECT that is no packet, and the version that it names if that much could be read.
    case badConnect(MQTTDecodeError, ProtocolVersion?)
    /// Another packet than CONNECT came first [MQTT-3.1.0-1].
    case connectExpected
    /// A packet that is well formed and has no place here.
    case protocolError
    /// A topic alias of 0, or above the maximum [MQTT-3.3.2-8].
    case topicAliasInvalid
    /// An alias for a name longer than the operator allows.
    case topicNameInvalid
    /// A message longer than the operator allows.
    case payloadTooLarge
    /// A QoS above what CONNACK announced [MQTT-3.2.2-11].
    case qosNotSupported
    /// RETAIN where CONNACK said there is none [MQTT-3.2.2-14].
    case retainNotSupported
    /// A payload that says it is UTF-8 and is not, where the operator has that checked (MQTT 5.0 §3.3.2.3.2).
    case payloadFormatInvalid
}

extension ReasonCode {
    init(_ violation: Violation) {
        switch violation {
        case .undecodable(let error), .badConnect(let error, _): self = ReasonCode(error)
        case .connectExpected, .protocolError: self = .protocolError
        case .topicAliasInvalid: self = .topicAliasInvalid
        case .topicNameInvalid: self = .topicNameInvalid
        case .payloadTooLarge: self = .packetTooLarge
        case .qosNotSupported: self = .qosNotSupported
        case .retainNotSupported: self = .retainNotSupported
        case .payloadFormatInvalid: self = .payloadFormatInvalid
        }
    }
}

/// Runs a step of the codec; its error is the connection's.
func decoding<Value>(_ step: () throws(MQTTDecodeError) -> Value) throws(Violation) -> Value {
    do {
        return try step()
    } catch {
        throw .undecodable(error)
    }
}
