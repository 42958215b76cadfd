internal import Bytes
internal import Clockwork
internal import DequeModule
internal import Messaging
internal import OrderedCollections

extension Broker {
    /// Keeps the message as its topic's retained one [MQTT-3.3.1-5]; an empty payload removes it [MQTT-3.3.1-6].
    /// False when there is no room, and it was not promised.
    mutating func retainMessage(
        _ message: Passing, copy: inout MessageHandle?, qos: QoS, isPromised: Bool = false
    ) -> Bool {
        guard limits.retainAvailable else { return true }
        if message.payload.isEmpty {
            if topics[message.topic].retained != nil { journalRetainedGone(message.topic) }
            clearRetained(message.topic)
            return true
        }
        guard isPromised || hasRoomToRetain(message), !lacksStorageToRetain(message) else {
            counters.retainedRefused += 1
            return false
        }
        let isOwn = topics.name(of: message.topic).beginsWithDollar
        clearRetained(message.topic)
        let handle = stored(message, copy: &copy)
        messages.hold(handle)
        messages.setRetained(handle, true)
        topics[message.topic].retained = RetainedMessage(message: handle, qos: qos)
        retainedTopics.insert(name: topics.name(of: message.topic), topic: message.topic)
        gauges_.retainedMessages += 1
        if isOwn {
            ownRetained += 1
            ownRetainedBytes += message.size
        }
        heldRetainedBytes += message.size
        retainedOverhead += Int(messages[handle].overhead)
        journalRetained(handle, on: message.topic)
        return true
    }

    /// Whether there is room for a message as its topic's retained one, in place of the one before.
    func hasRoomToRetain(_ message: Passing) -> Bool {
        guard limits.retainAvailable, !message.payload.isEmpty else { return true }
        // The broker's own topics are bounded where they are made, and take no room from the clients'.
        if topics.name(of: message.topic).beginsWithDollar { return true }
        let old = topics[message.topic].retained
        let oldBytes = old.map { messages.size(of: $0.message) } ?? 0
        let hasPlace =
            old != nil
            || gauges_.retainedMessages - ownRetained < limits.retainedMessagesMax
                && retainedTopics.nodeCount - ownRetained < limits.retainedLevelsMax
        return hasPlace && heldRetainedBytes - ownRetainedBytes - oldBytes + message.size <= limits.retainedBytesMax
    }

    mutating func clearRetained(_ topic: TopicID) {
        guard let old = topics[topic].retained else { return }
        topics[topic].retained = nil
        publishers.release(old.publisher)
        retainedTopics.remove(name: topics.name(of: topic))
        gauges_.retainedMessages -= 1
        if topics.name(of: topic).beginsWithDollar {
            ownRetained -= 1
            ownRetainedBytes -= messages.size(of: old.message)
        }
        heldRetainedBytes -= messages.size(of: old.message)
        retainedOverhead -= Int(messages[old.message].overhead)
        messages.setRetained(old.message, false)
        release(old.message, .none)
    }

    /// Notes what a new subscription is owed; it is sent as far as the window allows, the rest in later turns.
    ///
    /// A search may have to look at every retained topic, and a SUBSCRIBE can ask for thousands of them: so one is
    /// done at once as a rule, and otherwise they stand in line, each filter once, for a share of every turn.
    mutating func oweRetained(_ request: SubscriptionRequest, to slot: Int, now: Now) {
        guard gauges_.retainedMessages > 0 else { return }
        if now.instant != searchInstant {
            searchInstant = now.instant
            searchNodesLeft = searchNodesPerTurn
        }
        let owed = OwedSearch(
            maximumQoS: request.options.maximumQoS,
            identifiers: request.options.identifier == 0 ? .none : .one(request.options.identifier))
        abandonSearch(request.filter, session: slot)
        let isFree = searchLine.isEmpty && sessions[slot].owedSearches.isEmpty && sessions[slot].owedRetained.isEmpty
        if isFree, searchNodesLeft > 0 {
            guard let rest = search(request.filter, owed, for: slot) else { return }
            sessions[slot].owedSearches[request.filter] = rest
        } else {
            sessions[slot].owedSearches[request.filter] = owed
        }
    }

    /// The retained messages of a filter are no longer wanted, as far as they have not been found.
    mutating func abandonSearch(_ filter: ByteString, session slot: Int) {
        guard !sessions[slot].owedSearches.isEmpty else { return }
        if let cursor = sessions[slot].owedSearches.removeValue(forKey: filter)?.cursor {
            retainedTopics.abandon(cursor)
        }
    }

    /// Finds the next topics, as many as are sent before the search goes on; returns what is left of it.
    private mutating func search(_ filter: ByteString, _ owed: OwedSearch, for slot: Int) -> OwedSearch? {
        var found: [TopicID] = []
        var cursor = owed.cursor
        searchNodesLeft -= 1
        filter.withView { filter in
            if filter.hasWildcard {
                let share = RetainedTree.Share(nodesMax: searchNodesPerShare, topicsMax: searchTopicsPerShare)
                searchNodesLeft -= retainedTopics.search(filter: filter, share, from: &cursor, into: &found)
            } else if let topic = topics.find(filter), topics[topic].retained != nil {
                found.append(topic)
            }
        }
        for topic in found {
            topics.keep(topic)
            sessions[slot].owedRetained.append(
                OwedRetained(topic: topic, maximumQoS: owed.maximumQoS, identifiers: owed.identifiers))
        }
        guard let cursor else { return nil }
        return OwedSearch(maximumQoS: owed.maximumQoS, identifiers: owed.identifiers, cursor: cursor)
    }

    /// The session has been sent all that was found for it: its next search stands in line.
    mutating func awaitSearch(_ slot: Int) {
        guard !sessions[slot].isInSearchLine else { return }
        sessions[slot].isInSearchLine = true
        searchLine.append(slot)
    }

    /// This turn's share of the searches, a step for each session that waits and then for the next one.
    mutating func searchInLine(now: Now, into effects: inout BrokerEffects) {
        searchInstant = now.instant
        searchNodesLeft = searchNodesPerTurn
        while searchNodesLeft > 0, let slot = searchLine.popFirst() {
            sessions[slot].isInSearchLine = false
            // What was found fills the session's window before more is looked for.
            if sessions[slot].owedRetained.isEmpty, let next = sessions[slot].owedSearches.elements.first {
                if let rest = search(next.key, next.value, for: slot) {
                    sessions[slot].owedSearches[next.key] = rest
                } else {
                    searchNodesLeft -= sessions[slot].owedSearches.count
                    sessions[slot].owedSearches.remove(at: 0)
                }
            }
            drain(slot, now: now, into: &effects)
        }
    }

    mutating func discardOwedRetained(_ slot: Int) {
        while let owed = sessions[slot].owedRetained.popFirst() { topics.forget(owed.topic) }
        for owed in sessions[slot].owedSearches.values {
            if let cursor = owed.cursor { retainedTopics.abandon(cursor) }
        }
        sessions[slot].owedSearches = [:]
    }
}

/// Nodes of the retained tree that the searches of one turn may look at before the rest waits: a few milliseconds.
private let searchNodesPerTurn = 25_000
/// And one search, before the next one has its turn.
private let searchNodesPerShare = 5_000
/// Topics that are found before those found are sent: what a session that does not read takes.
private let searchTopicsPerShare = 256
