import Bytes
import MQTTWire
import Messaging
import Support

/// A request to the broker in one line.
func describe(_ request: LinkRequest) -> String {
    switch request {
    case .attach(let offer):
        return line(
            "attach", word(offer.clientID), offer.cleanStart ? "clean" : "", "expiry=\(offer.sessionExpiryInterval)",
            "pace=\(offer.pace)", "receive=\(offer.receiveMaximum)", offer.will.map(describe) ?? "",
            offer.userName.map { "user=\(word($0))" } ?? "")
    case .detach(let farewell):
        return line(
            "detach", farewell.publishesWill ? "will" : "",
            farewell.sessionExpiryInterval.map { "expiry=\($0)" } ?? "")
    case .publish(let publish):
        guard case .name(let name) = publish.topic else { return "publish by id" }
        return line(
            "publish", FixtureNotation.word(name), FixtureNotation.word(publish.payload), "qos=\(publish.qos.rawValue)",
            publish.packetIdentifier == 0 ? "" : "id=\(publish.packetIdentifier)", publish.isDuplicate ? "dup" : "",
            publish.retain ? "retain" : "", publish.messageExpiryInterval.map { "expiry=\($0)" } ?? "",
            publish.properties.isEmpty ? "" : "properties=" + FixtureNotation.hex(publish.properties))
    case .release(let identifier): return "release \(identifier)"
    case .acknowledge(let acknowledgement):
        return "\(acknowledgement.kind) \(acknowledgement.packetIdentifier) \(acknowledgement.outcome)"
    case .abandon(let identifier): return "abandon \(identifier)"
    case .window(let isOpen): return isOpen ? "window open" : "window closed"
    case .subscribe(let identifier, let requests):
        let filters = requests.map { request in
            line(
                word(request.filter), "qos=\(request.options.maximumQoS.rawValue)",
                request.options.noLocal ? "noLocal" : "",
                request.options.identifier == 0 ? "" : "identifier=\(request.options.identifier)")
        }
        return "subscribe \(identifier) [\(filters.joined(separator: ", "))]"
    case .unsubscribe(let identifier, let filters):
        return "unsubscribe \(identifier) [\(filters.map(word).joined(separator: ", "))]"
    case .delivered, .resolve, .keep, .forget, .setWill: return "a device's request"
    }
}

private func describe(_ will: Will) -> String {
    let words = line(
        word(will.topic), word(will.payload), "qos=\(will.qos.rawValue)", will.retain ? "retain" : "",
        will.delayInterval == 0 ? "" : "delay=\(will.delayInterval)",
        will.messageExpiryInterval.map { "expiry=\($0)" } ?? "",
        will.properties.isEmpty ? "" : "properties=" + will.properties.withView(FixtureNotation.hex))
    return "will(\(words))"
}

/// A packet of the server in one line; Reason Strings are left out, which `ReasonTextTests` looks at.
func describe(_ packet: MQTTPacket) -> String {
    switch packet {
    case .connack(let packet):
        return line("CONNACK", packet.sessionPresent ? "present" : "", "\(packet.reasonCode)", text(packet.properties))
    case .publish(let packet):
        return line(
            "PUBLISH", FixtureNotation.word(packet.topic), FixtureNotation.word(packet.payload),
            "qos=\(packet.qos.rawValue)", packet.packetIdentifier == 0 ? "" : "id=\(packet.packetIdentifier)",
            packet.dup ? "dup" : "", packet.retain ? "retain" : "", text(PropertyList(raw: packet.properties.raw)))
    case .puback(let packet): return describe("PUBACK", packet)
    case .pubrec(let packet): return describe("PUBREC", packet)
    case .pubrel(let packet): return describe("PUBREL", packet)
    case .pubcomp(let packet): return describe("PUBCOMP", packet)
    case .suback(let packet):
        return "SUBACK \(packet.packetIdentifier) \(FixtureNotation.hex(packet.reasonCodes.raw))"
    case .unsuback(let packet):
        return line("UNSUBACK \(packet.packetIdentifier)", FixtureNotation.hex(packet.reasonCodes.raw))
    case .pingresp: return "PINGRESP"
    case .disconnect(let packet): return line("DISCONNECT", "\(packet.reasonCode)", text(packet.properties))
    case .auth(let packet): return line("AUTH", "\(packet.reasonCode)", text(packet.properties))
    case .connect, .subscribe, .unsubscribe, .pingreq: return "a client's packet"
    }
}

private func describe(_ name: String, _ packet: AckPacket) -> String {
    "\(name) \(packet.packetIdentifier) \(packet.reasonCode)"
}

private func text(_ properties: PropertyList) -> String {
    properties.filter { $0.id != .reasonString }.map { property in
        switch property.value {
        case .byte(let value): "\(property.id)=\(value)"
        case .uint16(let value): "\(property.id)=\(value)"
        case .uint32(let value), .variableByteInteger(let value): "\(property.id)=\(value)"
        case .view(let value): "\(property.id)=" + FixtureNotation.word(value)
        case .pair(let name, let value):
            "\(property.id)=" + FixtureNotation.word(name) + ":" + FixtureNotation.word(value)
        }
    }.joined(separator: " ")
}

private func word(_ bytes: ByteString) -> String { bytes.withView(FixtureNotation.word) }

private func line(_ words: String...) -> String { words.filter { !$0.isEmpty }.joined(separator: " ") }
