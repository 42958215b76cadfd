internal import Bytes
internal import MQTTSNWire
internal import Messaging

/// SUBSCRIBE and UNSUBSCRIBE: by name, filter, predefined id and short name (§6.9).
extension Gateway {
    /// SUBSCRIBE and UNSUBSCRIBE of one device on their way through the broker; the standard allows one.
    static let transactionsMax = 8

    mutating func subscribeReceived(_ packet: SNSubscribe, _ slot: Int) {
        guard mayTransact(slot) else { return }
        guard let (filter, kind) = filter(of: packet.topic, slot) else {
            return rejectSubscribe(packet, filterError(packet.topic), slot)
        }
        guard table[slot].transactions.count < Self.transactionsMax else {
            return rejectSubscribe(packet, .congestion, slot)
        }
        table[slot].transactions.removeAll { $0.msgID == packet.msgID }
        table[slot].transactions.append(Transaction(msgID: packet.msgID, kind: .subscribe(filter, kind)))
        let request = SubscriptionRequest(filter: filter, options: SubscriptionOptions(maximumQoS: packet.qos))
        ask(slot, .subscribe(packetIdentifier: packet.msgID, [request]))
    }

    private mutating func rejectSubscribe(_ packet: SNSubscribe, _ code: SNReturnCode, _ slot: Int) {
        send(.suback(qos: .atMostOnce, topicID: 0, msgID: packet.msgID, code), to: slot)
    }

    /// The filter that a SUBSCRIBE or UNSUBSCRIBE means; nil if it means none.
    private func filter(
        of topic: SNSubscribe.Topic, _ slot: Int
    ) -> (filter: ByteString, kind: Transaction.SubscriptionKind)? {
        let reference: TopicReference
        switch topic {
        case .name(let name):
            guard configuration.topicRules.allowsFilter(name), name.isMQTTString else { return nil }
            return (ByteString(name), name.hasWildcard ? .wildcard : .plain)
        case .predefined(let id): reference = TopicReference(type: .predefined, id: id)
        case .short(let id): reference = TopicReference(type: .short, id: id)
        case .reserved: return nil
        }
        let name = name(reference, clientID: table[slot].clientID, listener: table[slot].path.listener)
        return name.map { (ByteString($0), .alias(reference)) }
    }

    private func filterError(_ topic: SNSubscribe.Topic) -> SNReturnCode {
        switch topic {
        case .predefined: .invalidTopicID
        case .name, .short, .reserved: .notSupported  // [D-31]
        }
    }

    /// SUBACK with the topic id to come [D-27]; what is retained follows it [D-44].
    mutating func subscribed(msgID: UInt16, _ outcome: SubscriptionOutcome?, _ slot: Int) {
        guard case .subscribe(let filter, let kind) = takeTransaction(msgID, slot), let outcome else { return }
        switch outcome {
        case .refused(let refusal):
            send(.suback(qos: .atMostOnce, topicID: 0, msgID: msgID, SNReturnCode(refusal)), to: slot)
        case .granted(let qos, let topic):
            guard let topicID = remember(topic, kind, filter, slot) else {
                table[slot].transactions.append(Transaction(msgID: msgID, kind: .takeBack))
                ask(slot, .unsubscribe(packetIdentifier: msgID, [filter]))
                return send(.suback(qos: .atMostOnce, topicID: 0, msgID: msgID, .congestion), to: slot)
            }
            send(.suback(qos: qos, topicID: topicID, msgID: msgID, .accepted), to: slot)
        }
    }

    /// Notes how the device will know the topic, and returns the id for SUBACK; nil if its table is full.
    private mutating func remember(
        _ topic: TopicID?, _ kind: Transaction.SubscriptionKind, _ filter: ByteString, _ slot: Int
    ) -> UInt16? {
        switch kind {
        case .wildcard:
            return 0
        case .plain:
            guard let topic else { return 0 }
            if table[slot].topics.removeAlias(of: topic) {
                ask(slot, .forget(topic))
                noteDurable(slot)
            }
            if let index = table[slot].topics.index(of: topic) {
                table[slot].topics.setKnowledge(.known, at: index)
                return topicID(at: index)
            }
            let isServers = filter.withView { $0.beginsWithDollar }
            guard let index = addTopic(topic, .known, isServers: isServers, slot) else { return nil }
            ask(slot, .keep(topic))
            return topicID(at: index)
        case .alias(let reference):
            guard let topic else { return 0 }
            guard table[slot].topics.aliases.count < topicsMax || table[slot].topics.alias(of: topic) != nil else {
                counters.topicTableFull += 1
                return nil
            }
            if table[slot].topics.setAlias(reference, for: topic) { ask(slot, .keep(topic)) }
            noteDurable(slot)
            return reference.type == .predefined ? reference.id : 0
        }
    }

    mutating func unsubscribeReceived(_ packet: SNSubscribe, _ slot: Int) {
        guard mayTransact(slot) else { return }
        // UNSUBACK has no code to say that there is nothing to unsubscribe from, or that it must come later.
        guard let (filter, kind) = filter(of: packet.topic, slot),
            table[slot].transactions.count < Self.transactionsMax
        else { return send(.unsuback(msgID: packet.msgID), to: slot) }
        if case .alias(let reference) = kind, let topic = table[slot].topics.removeAlias(reference) {
            ask(slot, .forget(topic))
            noteDurable(slot)
        }
        table[slot].transactions.removeAll { $0.msgID == packet.msgID }
        table[slot].transactions.append(Transaction(msgID: packet.msgID, kind: .unsubscribe))
        ask(slot, .unsubscribe(packetIdentifier: packet.msgID, [filter]))
    }

    mutating func unsubscribed(msgID: UInt16, _ slot: Int) {
        guard case .unsubscribe = takeTransaction(msgID, slot) else { return }
        send(.unsuback(msgID: msgID), to: slot)  // [SN-6.9]
    }

    private mutating func takeTransaction(_ msgID: UInt16, _ slot: Int) -> Transaction.Kind? {
        guard let place = table[slot].transactions.firstIndex(where: { $0.msgID == msgID }) else { return nil }
        let kind = table[slot].transactions.remove(at: place).kind
        // Nearly always there was one: its memory is given back.
        if table[slot].transactions.isEmpty { table[slot].transactions = [] }
        return kind
    }
}
