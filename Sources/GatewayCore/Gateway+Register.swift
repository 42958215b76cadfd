internal import Bytes
internal import MQTTSNWire
internal import Messaging

/// REGISTER from devices, and the topics that their tables hold (§6.5, §7.3).
extension Gateway {
    mutating func registerReceived(_ name: ByteView, msgID: UInt16, _ slot: Int) {
        guard mayTransact(slot) else { return }
        guard isTopicName(name) else {  // [D-28]
            return send(.regack(topicID: 0, msgID: msgID, .notSupported), to: slot)
        }
        // A repeated REGISTER leads to the same topic and thereby to the same id.
        ask(slot, .resolve(token: msgID, name: name))
    }

    mutating func resolved(msgID: UInt16, _ topic: TopicID?, _ refusal: Refusal?, _ slot: Int) {
        guard let topic else {
            guard table[slot].state.isAttached else { return }
            let code = refusal.map { SNReturnCode($0) } ?? .congestion
            return send(.regack(topicID: 0, msgID: msgID, code), to: slot)
        }
        guard table[slot].state.isAttached else { return ask(slot, .forget(topic)) }
        if let index = table[slot].topics.index(of: topic) {
            // Each entry keeps its topic once.
            ask(slot, .forget(topic))
            table[slot].topics.setKnowledge(.known, at: index)
            send(.regack(topicID: topicID(at: index), msgID: msgID, .accepted), to: slot)
        } else if let index = addTopic(topic, .known, slot) {
            send(.regack(topicID: topicID(at: index), msgID: msgID, .accepted), to: slot)  // [SN-6.5]
        } else {
            ask(slot, .forget(topic))
            send(.regack(topicID: 0, msgID: msgID, .congestion), to: slot)
        }
    }

    /// The id at `index` of a device's table: above all predefined ones [D-29], never reserved (§5.3.11).
    func topicID(at index: Int) -> UInt16 {
        UInt16(topicBase + 1 + index)
    }

    /// Gives the topic an id, which the caller has made the broker keep; nil if the table is full.
    mutating func addTopic(
        _ topic: TopicID, _ knowledge: TopicRegistry.Knowledge, isServers: Bool = false, _ slot: Int
    ) -> Int? {
        guard table[slot].topics.entries.count < topicsMax, topicCount < configuration.topicsMax else {
            counters.topicTableFull += 1
            if !table[slot].isTableFullLogged {
                table[slot].isTableFullLogged = true
                log(.topicTableFull(table[slot].clientID))
            }
            return nil
        }
        topicCount += 1
        noteDurable(slot)
        return table[slot].topics.append(TopicRegistry.Entry(topic: topic, knowledge: knowledge, isServers: isServers))
    }

    /// The session is a new one, or over.
    mutating func forgetTopics(_ slot: Int) {
        for entry in table[slot].topics.entries { ask(slot, .forget(entry.topic)) }
        for alias in table[slot].topics.aliases { ask(slot, .forget(alias.topic)) }
        topicCount -= table[slot].topics.entries.count
        table[slot].topics.removeAll()
        noteDurable(slot)
        table[slot].isTableFullLogged = false
    }

    /// Whether the device is in a state for REGISTER, SUBSCRIBE and the like; a sleeping one must CONNECT first
    /// [D-26].
    mutating func mayTransact(_ slot: Int) -> Bool {
        switch table[slot].state {
        case .active:
            return true
        case .awake:
            if !isStrict(slot) { return true }
            callBack(slot)
        case .asleep:
            callBack(slot)
        case .connecting, .disconnected, .lost:
            counters.unexpected += 1
        }
        return false
    }

    /// Tells a sleeping device to CONNECT for what it wants; its sleep goes on [D-26].
    mutating func callBack(_ slot: Int) {
        counters.unexpected += 1
        guard mayReportError(slot) else { return }
        send(.disconnect(duration: nil), to: slot)
    }
}
