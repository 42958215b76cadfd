internal import Bytes
internal import Clockwork
internal import Messaging
internal import OrderedCollections

extension Broker {
    mutating func subscribeReceived(
        _ identifier: UInt16, _ requests: [SubscriptionRequest], session slot: Int, link: LinkID, now: Now,
        into effects: inout BrokerEffects
    ) {
        var outcomes: [SubscriptionOutcome] = []
        outcomes.reserveCapacity(requests.count)
        for request in requests {
            outcomes.append(subscribe(request, session: slot, now: now))
        }
        // SUBACK first, then what is retained [D-44].
        effects.answer(link, .subscribed(packetIdentifier: identifier, outcomes))
        drain(slot, now: now, into: &effects)
    }

    private mutating func subscribe(
        _ request: SubscriptionRequest, session slot: Int, now: Now
    ) -> SubscriptionOutcome {
        if let refusal = refusal(of: request, session: slot) { return .refused(refusal) }
        let options = request.options
        let isNew = sessions[slot].subscriptions.updateValue(options, forKey: request.filter) == nil
        var topic: TopicID?
        request.filter.withView { filter in
            if filter.hasWildcard {
                _ = wildcards.insert(filter: filter, session: UInt32(slot), options: options)
                moveOn()
            } else {
                topic = subscribeExactly(filter, session: slot, options: options)
            }
        }
        if isNew { gauges_.subscriptions += 1 }
        switch options.retainHandling {
        case .sendAtSubscribe: oweRetained(request, to: slot, now: now)
        case .sendIfNew: if isNew { oweRetained(request, to: slot, now: now) }
        case .doNotSend: break
        }
        return .granted(options.maximumQoS, topic)
    }

    private func refusal(of request: SubscriptionRequest, session slot: Int) -> Refusal? {
        let isAllowed = request.filter.withView { filter -> Refusal? in
            if filter.isShared { return .sharedSubscriptionsNotSupported }
            return limits.topicRules.allowsFilter(filter) ? nil : .topicFilterInvalid
        }
        if let isAllowed { return isAllowed }
        if sessions[slot].subscriptions[request.filter] != nil { return nil }
        let hasRoom =
            sessions[slot].subscriptions.count < limits.subscriptionsPerSessionMax
            && gauges_.subscriptions < limits.subscriptionsMax
            && wildcards.nodeCount < limits.subscriptionLevelsMax
            && request.filter.withView { hasShapesLeft(for: $0) }
        return hasRoom ? nil : .quotaExceeded
    }

    /// Whether a filter with wildcards leaves the cost of matching within its limit [M-60].
    func hasShapesLeft(for filter: ByteView) -> Bool {
        guard filter.hasWildcard else { return true }
        let added = wildcards.shapesAdded(by: filter)
        return added == 0 || wildcards.shapeCount + added <= limits.wildcardShapesMax
    }

    /// A filter without wildcards stands on its topic, which it keeps.
    private mutating func subscribeExactly(
        _ filter: ByteView, session slot: Int, options: SubscriptionOptions
    ) -> TopicID {
        let topic = topics.intern(filter)
        let replaced = exactSubscriptions.insert(
            session: UInt32(slot), options: options, list: topic.index, head: &topics[topic].exact)
        if replaced == nil { topics.keep(topic) }
        topics[topic].generation = 0
        return topic
    }

    mutating func unsubscribeReceived(
        _ identifier: UInt16, _ filters: [ByteString], session slot: Int, link: LinkID,
        into effects: inout BrokerEffects
    ) {
        var outcomes: [UnsubscriptionOutcome] = []
        outcomes.reserveCapacity(filters.count)
        for filter in filters {
            if sessions[slot].subscriptions.removeValue(forKey: filter) != nil {
                abandonSearch(filter, session: slot)
                remove(filter, session: slot)
                outcomes.append(.removed)
            } else if filter.withView({ !$0.isShared && !limits.topicRules.allowsFilter($0) }) {
                outcomes.append(.refused(.topicFilterInvalid))
            } else {
                outcomes.append(.noSubscriptionExisted)
            }
        }
        effects.answer(link, .unsubscribed(packetIdentifier: identifier, outcomes))
    }

    private mutating func remove(_ filter: ByteString, session slot: Int) {
        gauges_.subscriptions -= 1
        filter.withView { filter in
            if filter.hasWildcard {
                _ = wildcards.remove(filter: filter, session: UInt32(slot))
                return moveOn()
            }
            guard let topic = topics.find(filter) else { return }
            let removed = exactSubscriptions.remove(
                session: UInt32(slot), list: topic.index, head: &topics[topic].exact)
            guard removed != nil else { return }
            topics[topic].generation = 0
            topics.forget(topic)
        }
    }

    mutating func removeAllSubscriptions(_ slot: Int) {
        let subscriptions = sessions[slot].subscriptions
        sessions[slot].subscriptions = SubscriptionSet()
        for entry in subscriptions.entries { remove(entry.filter, session: slot) }
    }

    /// Routes of before are no longer good.
    private mutating func moveOn() {
        generation = generation == .max ? 1 : generation + 1
    }

    /// A number for a device's topic name (MQTT-SN 1.2 §6.5); the topic is kept until the device forgets it.
    mutating func resolveReceived(
        _ token: UInt16, _ name: ByteView, link: LinkID, into effects: inout BrokerEffects
    ) {
        guard limits.topicRules.allowsName(name) else {
            return effects.answer(link, .resolved(token: token, nil, .topicNameInvalid))
        }
        guard !name.beginsWithDollar else {
            return effects.answer(link, .resolved(token: token, nil, .notAuthorized))
        }
        let topic = topics.intern(name)
        topics.keep(topic)
        effects.answer(link, .resolved(token: token, topic, nil))
    }
}

extension ByteView {
    /// Whether a filter is a shared subscription's: `$share/…` (MQTT 5.0 §4.8.2).
    var isShared: Bool {
        let prefix: StaticString = "$share"
        guard count >= 6, self[0..<6] == ByteView(start: prefix.utf8Start, count: 6) else { return false }
        return count == 6 || self[6] == UInt8(ascii: "/")
    }
}
