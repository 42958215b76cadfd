internal import Bytes
internal import MQTTWire
internal import Messaging

extension Connections {
    /// `deliver` for a client that takes topic aliases: the first PUBLISH to a topic names it beside its alias, those
    /// after it carry the alias alone (§3.3.2.3.4). What is too long with an alias goes without one: the packet that
    /// is sent is what Maximum Packet Size bounds [MQTT-3.1.2-24].
    mutating func deliverWithAlias(
        _ slot: Int, _ delivery: Delivery, _ message: MessageView, identifiers: [UInt32],
        into effects: inout [ConnectionEffect]
    ) {
        let bytesMax = connections[slot].packetBytesMax
        let identifier = delivery.packetIdentifier
        switch connections[slot].outgoing.place(of: message.topic, message.topicName) {
        case .known(let alias):
            aliased.prepare(delivery, message, identifiers: identifiers, version: .v5)
            guard aliased.byteCount <= bytesMax else { break }
            aliased.append(to: &connections[slot].output, packetIdentifier: identifier, alias: alias)
            return delivered(aliased.byteCount, to: slot, into: &effects)
        case .free(let alias):
            introducing.prepare(delivery, message, identifiers: identifiers, version: .v5)
            guard introducing.byteCount <= bytesMax else { break }
            connections[slot].outgoing.assign(alias, message.topic, message.topicName)
            introducing.append(to: &connections[slot].output, packetIdentifier: identifier, alias: alias)
            return delivered(introducing.byteCount, to: slot, into: &effects)
        case .none: break
        }
        deliverPlain(slot, delivery, message, identifiers: identifiers, into: &effects)
    }
}
