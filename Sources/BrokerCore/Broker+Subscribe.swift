internal import Bytes
internal import Clockwork
internal import Messaging
internal import OrderedCollections

extension Broker {
    mutating func subscribeReceived(
        _ identifier: UInt16, _ requests: [SubscriptionRequest], session slot: Int, link: LinkID, now: Now,
        into effects: inout BrokerEffects
    ) {
        counters.matchingWork += UInt64(requests.count) * workPerFilter
        var outcomes: [SubscriptionOutcome] = []
        outcomes.reserveCapacity(requests.count)
        for request in requests {
            outcomes.append(subscribe(request, session: slot, now: now))
        }
        // SUBACK first, then what is retained [D-44].
        effects.answer(link, .subscribed(packetIdentifier: identifier, outcomes))
        drain(slot, now: now, into: &effects)
    }

    /// A subscription that was granted before: what limits and rules say now does not matter, but what is no filter
    /// is none. False for that.
    mutating func restore(_ request: SubscriptionRequest, session slot: Int) -> Bool {
        guard request.filter.withView({ isWellFormed($0) }) else { return false }
        if let key = key(of: request.filter), sessions[slot].subscriptions[key] != nil { return false }
        grant(request, session: slot)
        return true
    }

    private mutating func subscribe(
        _ request: SubscriptionRequest, session slot: Int, now: Now
    ) -> SubscriptionOutcome {
        if let refusal = refusal(of: request, session: slot) { return .refused(refusal) }
        let granted = grant(request, session: slot)
        // No retained messages (§4.8.2), and no topic id in a device's SUBACK, as for a wildcard [M-20].
        guard !granted.isShared else { return .granted(request.options.maximumQoS, nil) }
        switch request.options.retainHandling {
        case .sendAtSubscribe: oweRetained(request, to: slot, now: now)
        case .sendIfNew: if granted.isNew { oweRetained(request, to: slot, now: now) }
        case .doNotSend: break
        }
        return .granted(request.options.maximumQoS, granted.topic)
    }

    /// - Returns: the topic of a filter without wildcards.
    @discardableResult
    private mutating func grant(
        _ request: SubscriptionRequest, session slot: Int
    ) -> (isNew: Bool, isShared: Bool, topic: TopicID?) {
        let key = internedKey(of: request.filter)
        let isNew = sessions[slot].subscriptions.updateValue(request.options, forKey: key) == nil
        if isNew { gauges_.subscriptions += 1 }
        journalSubscription(request, of: slot)
        return request.filter.withView { filter in
            if let shared = SharedFilter(filter) {
                joinGroup(request, shared.filter, session: slot)
                return (isNew, true, nil)
            }
            return (isNew, false, enter(filter, subscriber: slot, options: request.options))
        }
    }

    /// A filter with or without wildcards gets a subscriber: a session, or a group with `groupMark`.
    /// - Returns: the topic of a filter without wildcards.
    @discardableResult
    mutating func enter(_ filter: ByteView, subscriber slot: Int, options: SubscriptionOptions) -> TopicID? {
        guard filter.hasWildcard else { return subscribeExactly(filter, session: slot, options: options) }
        _ = wildcards.insert(filter: filter, session: UInt32(slot), options: options)
        moveOn()
        return nil
    }

    private func refusal(of request: SubscriptionRequest, session slot: Int) -> Refusal? {
        if let refusal = request.filter.withView({ refusal(of: $0, session: slot) }) { return refusal }
        if refusesPromises, sessions[slot].isJournaled { return .quotaExceeded }
        if let key = key(of: request.filter), sessions[slot].subscriptions[key] != nil { return nil }
        let hasRoom =
            sessions[slot].subscriptions.count < limits.subscriptionsPerSessionMax
            && gauges_.subscriptions < limits.subscriptionsMax
            && wildcards.nodeCount < limits.subscriptionLevelsMax
            && request.filter.withView { hasShapesLeft(for: $0) }
        return hasRoom ? nil : .quotaExceeded
    }

    /// Why a filter can be nobody's, or not this session's.
    private func refusal(of filter: ByteView, session slot: Int) -> Refusal? {
        if filter.isShared, !limits.sharedSubscriptionsAvailable { return .sharedSubscriptionsNotSupported }
        guard isWellFormed(filter) else { return .topicFilterInvalid }
        return maySubscribe(SharedFilter(filter)?.filter ?? filter, slot) ? nil : .notAuthorized
    }

    /// What a session knows a filter by; nil if nobody can be subscribed to it.
    private func key(of filter: ByteString) -> SubscriptionSet.Key? {
        filter.withView { view in
            guard !view.hasWildcard, !view.isShared else { return .filter(filter) }
            return topics.find(view).map { .topic($0) }
        }
    }

    /// The same, of a filter that is about to be subscribed to: that keeps its topic.
    private mutating func internedKey(of filter: ByteString) -> SubscriptionSet.Key {
        filter.withView { view in
            view.hasWildcard || view.isShared ? .filter(filter) : .topic(topics.intern(view))
        }
    }

    private func isWellFormed(_ filter: ByteView) -> Bool {
        guard filter.isShared else { return limits.topicRules.allowsFilter(filter) }
        // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
        guard filter.count <= limits.topicBytesMax, let shared = SharedFilter(filter) else { return false }
        return limits.topicRules.allowsFilter(shared.filter)
    }

    /// Whether a filter with wildcards leaves the cost of matching within its limit [M-60].
    private func hasShapesLeft(for filter: ByteView) -> Bool {
        let filter = SharedFilter(filter)?.filter ?? filter
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
        _ identifier: UInt16, _ filters: [ByteString], session slot: Int, link: LinkID, now: Now,
        into effects: inout BrokerEffects
    ) {
        counters.matchingWork += UInt64(filters.count) * workPerFilter
        var outcomes: [UnsubscriptionOutcome] = []
        outcomes.reserveCapacity(filters.count)
        for filter in filters {
            if let key = key(of: filter), sessions[slot].subscriptions.removeValue(forKey: key) != nil {
                abandonSearch(filter, session: slot)
                remove(key, session: slot)
                journalUnsubscription(filter, of: slot)
                outcomes.append(.removed)
            } else if filter.withView({ !isWellFormed($0) }) {
                outcomes.append(.refused(.topicFilterInvalid))
            } else {
                outcomes.append(.noSubscriptionExisted)
            }
        }
        effects.answer(link, .unsubscribed(packetIdentifier: identifier, outcomes))
        handOverShared(of: slot, .left, now: now, into: &effects)
    }

    private mutating func remove(_ key: SubscriptionSet.Key, session slot: Int) {
        gauges_.subscriptions -= 1
        switch key {
        case .topic(let topic): withdraw(topic, subscriber: slot)
        case .filter(let filter):
            filter.withView { view in
                if let shared = SharedFilter(view) {
                    leaveGroup(named: filter, shared.filter, session: slot)
                } else {
                    withdraw(view, subscriber: slot)
                }
            }
        }
    }

    /// The opposite of `enter`.
    mutating func withdraw(_ filter: ByteView, subscriber slot: Int) {
        if filter.hasWildcard {
            _ = wildcards.remove(filter: filter, session: UInt32(slot))
            return moveOn()
        }
        if let topic = topics.find(filter) { withdraw(topic, subscriber: slot) }
    }

    private mutating func withdraw(_ topic: TopicID, subscriber slot: Int) {
        let removed = exactSubscriptions.remove(
            session: UInt32(slot), list: topic.index, head: &topics[topic].exact)
        guard removed != nil else { return }
        topics[topic].generation = 0
        topics.forget(topic)
    }

    mutating func removeAllSubscriptions(_ slot: Int) {
        let subscriptions = sessions[slot].subscriptions
        sessions[slot].subscriptions = SubscriptionSet()
        for entry in subscriptions.entries { remove(entry.key, session: slot) }
    }

    /// Routes of before are no longer good.
    mutating func moveOn() {
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
        guard session(of: link).map({ mayPublish(to: topic, as: $0) }) ?? true else {
            return effects.answer(link, .resolved(token: token, nil, .notAuthorized))
        }
        topics.keep(topic)
        effects.answer(link, .resolved(token: token, topic, nil))
    }
}
