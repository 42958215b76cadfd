import Bytes
import MQTTWire
import Messaging
import Support

extension MQTTPacket {
    /// The packet in one line, as fixtures write it: the type, then every field in the standard's order. Flags are
    /// named where they are set, properties stand in the order of the wire.
    var fixtureDescription: String {
        switch self {
        case .connect(let packet): packet.fixtureDescription
        case .connack(let packet):
            line("CONNACK", packet.sessionPresent ? "present" : "", name(packet.reasonCode), text(packet.properties))
        case .publish(let packet): packet.fixtureDescription
        case .puback(let packet): describe("PUBACK", packet)
        case .pubrec(let packet): describe("PUBREC", packet)
        case .pubrel(let packet): describe("PUBREL", packet)
        case .pubcomp(let packet): describe("PUBCOMP", packet)
        case .subscribe(let packet):
            line(
                "SUBSCRIBE", "id=\(packet.packetIdentifier)", text(packet.properties),
                list(packet.filters.map { line(FixtureNotation.word($0.filter), describe($0.options)) }))
        case .suback(let packet):
            line(
                "SUBACK", "id=\(packet.packetIdentifier)", text(packet.properties),
                list(packet.reasonCodes.map(name)))
        case .unsubscribe(let packet):
            line(
                "UNSUBSCRIBE", "id=\(packet.packetIdentifier)", text(packet.properties),
                list(packet.filters.map(FixtureNotation.word)))
        case .unsuback(let packet):
            line(
                "UNSUBACK", "id=\(packet.packetIdentifier)", text(packet.properties),
                packet.reasonCodes.count == 0 ? "" : list(packet.reasonCodes.map(name)))
        case .pingreq: "PINGREQ"
        case .pingresp: "PINGRESP"
        case .disconnect(let packet): line("DISCONNECT", name(packet.reasonCode), text(packet.properties))
        case .auth(let packet): line("AUTH", name(packet.reasonCode), text(packet.properties))
        }
    }
}

extension ConnectPacket {
    fileprivate var fixtureDescription: String {
        let label =
            switch version {
            case .v3_1: "v3.1"
            case .v3_1_1: "v3.1.1"
            case .v5: "v5"
            }
        return line(
            "CONNECT", label, cleanStart ? "clean" : "", "keepAlive=\(keepAlive)",
            "id=" + FixtureNotation.word(clientID), will?.fixtureDescription ?? "",
            userName.map { "user=" + FixtureNotation.word($0) } ?? "",
            password.map { "password=" + FixtureNotation.word($0) } ?? "", text(properties))
    }
}

extension WillFields {
    fileprivate var fixtureDescription: String {
        let fields = line(
            "qos=\(qos.rawValue)", retain ? "retain" : "", "topic=" + FixtureNotation.word(topic),
            "payload=" + FixtureNotation.word(payload), text(properties))
        return "will(\(fields))"
    }
}

extension PublishPacket {
    fileprivate var fixtureDescription: String {
        line(
            "PUBLISH", dup ? "dup" : "", "qos=\(qos.rawValue)", retain ? "retain" : "",
            packetIdentifier == 0 ? "" : "id=\(packetIdentifier)", "topic=" + FixtureNotation.word(topic),
            text(PropertyList(raw: properties.raw)), "payload=" + FixtureNotation.word(payload))
    }
}

private func describe(_ label: String, _ packet: AckPacket) -> String {
    line(label, "id=\(packet.packetIdentifier)", name(packet.reasonCode), text(packet.properties))
}

private func describe(_ options: SubscriptionOptions) -> String {
    line(
        "qos=\(options.maximumQoS.rawValue)", options.noLocal ? "noLocal" : "",
        options.retainAsPublished ? "retainAsPublished" : "",
        options.retainHandling == .sendAtSubscribe ? "" : "retainHandling=\(options.retainHandling.rawValue)")
}

private func text(_ properties: PropertyList) -> String {
    let words = properties.map { property in
        switch property.value {
        case .byte(let value): "\(property.id)=\(value)"
        case .uint16(let value): "\(property.id)=\(value)"
        case .uint32(let value), .variableByteInteger(let value): "\(property.id)=\(value)"
        case .view(let value): "\(property.id)=" + FixtureNotation.word(value)
        case .pair(let name, let value):
            "\(property.id)=" + FixtureNotation.word(name) + ":" + FixtureNotation.word(value)
        }
    }
    return words.isEmpty ? "" : "props(" + words.joined(separator: " ") + ")"
}

private func name(_ code: ReasonCode) -> String { "\(code)" }

private func list(_ words: [String]) -> String { "[" + words.joined(separator: ", ") + "]" }

private func line(_ words: String...) -> String {
    words.filter { !$0.isEmpty }.joined(separator: " ")
}
