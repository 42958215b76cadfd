internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// Devices that come by another listener than before, where predefined ids may mean something else (§6.7).
extension Gateway {
    /// The device comes by `listener` from now on. Predefined ids that do not mean the same there are forgotten: their
    /// topics get normal ids, as if subscribed to by a filter [D-57].
    mutating func changeListener(_ slot: Int, to listener: UInt16) {
        let old = predefinedTopics[place(of: table[slot].path.listener)]
        let new = predefinedTopics[place(of: listener)]
        for alias in table[slot].topics.aliases where alias.reference.type == .predefined {
            let id = alias.reference.id
            guard old.pattern(id, of: table[slot].clientID) != new.pattern(id, of: table[slot].clientID) else {
                continue
            }
            _ = table[slot].topics.removeAlias(of: alias.topic)
            noteDurable(slot)
            renumber(alias, slot)
            ask(slot, .forget(alias.topic))
        }
    }

    /// The delivery under way by an id that is no longer good goes on under a normal one, after REGISTER.
    private mutating func renumber(_ alias: TopicRegistry.Alias, _ slot: Int) {
        var downlink: Downlink
        let until: Instant
        switch table[slot].exchange {
        case .publishing(let published): (downlink, until) = (published, now.instant)
        case .resting(let resting, let end): (downlink, until) = (resting, end)
        case .idle, .registering, .recording, .releasing: return
        }
        guard downlink.reference == alias.reference else { return }
        guard let index = placeForDelivery(of: alias.topic, slot) else {
            table[slot].exchange = .idle
            table[slot].retryAt = nil
            return ask(slot, .abandon(packetIdentifier: downlink.msgID))
        }
        downlink.reference = TopicReference(type: .normal, id: topicID(at: index))
        table[slot].exchange = .resting(downlink, until: until)
    }

    /// Where the topic is among the device's normal ids, new if it has none yet; nil if there is no more room.
    mutating func placeForDelivery(of topic: TopicID, isServers: Bool = false, _ slot: Int) -> Int? {
        if let index = table[slot].topics.index(of: topic) { return index }
        guard let index = addTopic(topic, .unknown, isServers: isServers, slot) else { return nil }
        ask(slot, .keep(topic))
        return index
    }
}
