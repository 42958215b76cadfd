package import Bytes

/// One MQTT Control Packet as a value; strings and payloads are views of the bytes it came from.
package enum MQTTPacket: Equatable {
    case connect(ConnectPacket)
    case connack(ConnackPacket)
    case publish(PublishPacket)
    case puback(AckPacket)
    case pubrec(AckPacket)
    case pubrel(AckPacket)
    case pubcomp(AckPacket)
    case subscribe(SubscribePacket)
    case suback(SubackPacket)
    case unsubscribe(UnsubscribePacket)
    case unsuback(UnsubackPacket)
    case pingreq
    case pingresp
    case disconnect(DisconnectPacket)
    case auth(AuthPacket)

    /// The packet in `frame`, from either side of a connection.
    ///
    /// - Parameter version: of the connection; a CONNECT names its own.
    /// - Throws: whatever the standard calls a Malformed Packet, and those Protocol Errors that the packet alone
    ///   shows (MQTT 5.0 §4.13).
    package static func decode(
        _ frame: MQTTFrame, version: ProtocolVersion, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> MQTTPacket {
        switch frame.type {
        case .connect: return .connect(try .decode(frame, limits: limits))
        case .connack: return .connack(try .decode(frame, version: version, limits: limits))
        case .publish: return .publish(try .decode(frame, version: version, limits: limits))
        case .puback: return .puback(try .decode(frame, version: version, limits: limits))
        case .pubrec: return .pubrec(try .decode(frame, version: version, limits: limits))
        case .pubrel: return .pubrel(try .decode(frame, version: version, limits: limits))
        case .pubcomp: return .pubcomp(try .decode(frame, version: version, limits: limits))
        case .subscribe: return .subscribe(try .decode(frame, version: version, limits: limits))
        case .suback: return .suback(try .decode(frame, version: version, limits: limits))
        case .unsubscribe: return .unsubscribe(try .decode(frame, version: version, limits: limits))
        case .unsuback: return .unsuback(try .decode(frame, version: version, limits: limits))
        case .pingreq, .pingresp:
            try frame.check(frame.type, version: version)
            guard frame.body.isEmpty else { throw .trailingBytes }
            return frame.type == .pingreq ? .pingreq : .pingresp
        case .disconnect: return .disconnect(try .decode(frame, version: version, limits: limits))
        case .auth: return .auth(try .decode(frame, version: version, limits: limits))
        }
    }

    /// Appends the packet in its shortest form.
    package func encode(version: ProtocolVersion, into output: inout OutputBuffer) {
        switch self {
        case .connect(let packet): packet.encode(into: &output)
        case .connack(let packet): packet.encode(version: version, into: &output)
        case .publish(let packet): packet.encode(version: version, into: &output)
        case .puback(let packet): packet.encode(.puback, version: version, into: &output)
        case .pubrec(let packet): packet.encode(.pubrec, version: version, into: &output)
        case .pubrel(let packet): packet.encode(.pubrel, version: version, into: &output)
        case .pubcomp(let packet): packet.encode(.pubcomp, version: version, into: &output)
        case .subscribe(let packet): packet.encode(version: version, into: &output)
        case .suback(let packet): packet.encode(version: version, into: &output)
        case .unsubscribe(let packet): packet.encode(version: version, into: &output)
        case .unsuback(let packet): packet.encode(version: version, into: &output)
        case .pingreq: output.appendFixedHeader(.pingreq, bodyBytes: 0)
        case .pingresp: output.appendFixedHeader(.pingresp, bodyBytes: 0)
        case .disconnect(let packet): packet.encode(version: version, into: &output)
        case .auth(let packet): packet.encode(into: &output)
        }
    }
}
