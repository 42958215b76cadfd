internal import Bytes
internal import Messaging

extension MQTTPacket: CustomStringConvertible {
    /// The packet on one line, for `dormouse decode`: the packet's name, its fields as `name=value` in the standard's
    /// order, then each property. Strings are escaped and cut after 128 bytes; of payloads, binary data and passwords
    /// only the length is shown.
    package var description: String {
        let parts: [String] =
            switch self {
            case .connect(let packet): ["CONNECT"] + packet.fields
            case .connack(let packet):
                ["CONNACK", packet.sessionPresent ? "sessionPresent" : "", "\(packet.reasonCode)"]
                    + packet.properties.words
            case .publish(let packet): ["PUBLISH"] + packet.fields
            case .puback(let packet): ["PUBACK"] + packet.fields
            case .pubrec(let packet): ["PUBREC"] + packet.fields
            case .pubrel(let packet): ["PUBREL"] + packet.fields
            case .pubcomp(let packet): ["PUBCOMP"] + packet.fields
            case .subscribe(let packet): ["SUBSCRIBE"] + packet.fields
            case .suback(let packet):
                ["SUBACK", "id=\(packet.packetIdentifier)"] + packet.reasonCodes.map { grantedWord($0) }
                    + packet.properties.words
            case .unsubscribe(let packet): ["UNSUBSCRIBE"] + packet.fields
            case .unsuback(let packet):
                ["UNSUBACK", "id=\(packet.packetIdentifier)"] + packet.reasonCodes.map { "\($0)" }
                    + packet.properties.words
            case .pingreq: ["PINGREQ"]
            case .pingresp: ["PINGRESP"]
            case .disconnect(let packet): ["DISCONNECT", "\(packet.reasonCode)"] + packet.properties.words
            case .auth(let packet): ["AUTH", "\(packet.reasonCode)"] + packet.properties.words
            }
        return parts.filter { !$0.isEmpty }.joined(separator: " ")
    }
}

extension ConnectPacket {
    fileprivate var fields: [String] {
        var words = ["version=\(version)", cleanStart ? "cleanStart" : "", "keepAlive=\(keepAlive)s"]
        words += properties.words
        words.append("clientID=\(quoted(clientID))")
        if let will {
            words.append("will(qos=\(will.qos.rawValue)\(will.retain ? " retain" : "") topic=\(quoted(will.topic))")
            words += will.properties.words
            words.append("payload=\(will.payload.count) bytes)")
        }
        if let userName { words.append("userName=\(quoted(userName))") }
        if let password { words.append("password=\(password.count) bytes") }
        return words
    }
}

extension PublishPacket {
    fileprivate var fields: [String] {
        [
            "qos=\(qos.rawValue)", dup ? "dup" : "", retain ? "retain" : "", "topic=\(quoted(topic))",
            packetIdentifier == 0 ? "" : "id=\(packetIdentifier)",
        ] + PropertyList(raw: properties.raw).words + ["payload=\(payload.count) bytes"]
    }
}

extension AckPacket {
    fileprivate var fields: [String] { ["id=\(packetIdentifier)", "\(reasonCode)"] + properties.words }
}

extension SubscribePacket {
    fileprivate var fields: [String] {
        var words = ["id=\(packetIdentifier)"] + properties.words
        var filters = filters.makeIterator()
        while let (filter, options) = filters.next() {
            let flags = [
                "qos=\(options.maximumQoS.rawValue)", options.noLocal ? "noLocal" : "",
                options.retainAsPublished ? "retainAsPublished" : "",
                options.retainHandling == .sendAtSubscribe ? "" : "\(options.retainHandling)",
            ].filter { !$0.isEmpty }
            words.append("\(quoted(filter))(\(flags.joined(separator: " ")))")
        }
        return words
    }
}

extension UnsubscribePacket {
    fileprivate var fields: [String] {
        var words = ["id=\(packetIdentifier)"] + properties.words
        for filter in filters { words.append(quoted(filter)) }
        return words
    }
}

extension PropertyList {
    /// Each property as `name=value`, in its order.
    fileprivate var words: [String] {
        map { property in
            switch property.value {
            case .byte(let value): "\(property.id)=\(value)"
            case .uint16(let value): "\(property.id)=\(value)"
            case .uint32(let value), .variableByteInteger(let value): "\(property.id)=\(value)"
            case .view(let value):
                property.id.row.type == .binary
                    ? "\(property.id)=\(value.count) bytes" : "\(property.id)=\(quoted(value))"
            case .pair(let name, let value): "\(property.id)=\(quoted(name)):\(quoted(value))"
            }
        }
    }
}

/// A code of SUBACK, where 0x00 is a QoS.
private func grantedWord(_ code: ReasonCode) -> String {
    code == .success ? "grantedQoS0" : "\(code)"
}

/// Bytes of a string that a line shows.
private let shownBytesMax = 128

private func quoted(_ text: ByteView) -> String {
    if text.count <= shownBytesMax { return "'\(text.escaped)'" }
    return "'\(text[0..<shownBytesMax].escaped)' (\(text.count) bytes)"
}
