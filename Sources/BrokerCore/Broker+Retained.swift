internal import Bytes
internal import Messaging
internal import DequeModule

extension Broker {
    /// Keeps the message as its topic's retained one [MQTT-3.3.1-5]; an empty payload removes it [MQTT-3.3.1-6].
    /// False when there is no room.
    mutating func retainMessage(_ message: Passing, copy: inout MessageHandle?, qos: QoS) -> Bool {
        guard limits.retainAvailable else { return true }
        if message.payload.isEmpty {
            clearRetained(message.topic)
            return true
        }
        let old = topics[message.topic].retained
        let oldBytes = old.map { messages.size(of: $0.message) } ?? 0
        guard old != nil || gauges_.retainedMessages < limits.retainedMessagesMax,
            heldRetainedBytes - oldBytes + message.size <= limits.retainedBytesMax
        else {
            counters.retainedRefused += 1
            return false
        }
        clearRetained(message.topic)
        let handle = stored(message, copy: &copy)
        messages.hold(handle)
        topics[message.topic].retained = RetainedMessage(message: handle, qos: qos)
        retainedTopics.insert(name: topics.name(of: message.topic), topic: message.topic)
        gauges_.retainedMessages += 1
        heldRetainedBytes += message.size
        return true
    }

    mutating func clearRetained(_ topic: TopicID) {
        guard let old = topics[topic].retained else { return }
        topics[topic].retained = nil
        retainedTopics.remove(name: topics.name(of: topic))
        gauges_.retainedMessages -= 1
        heldRetainedBytes -= messages.size(of: old.message)
        release(old.message, .none)
    }

    /// Notes what a new subscription is owed; it is sent as far as the window allows, the rest in later turns.
    mutating func oweRetained(_ request: SubscriptionRequest, to slot: Int) {
        guard gauges_.retainedMessages > 0 else { return }
        var found: [TopicID] = []
        request.filter.withView { filter in
            if filter.hasWildcard {
                retainedTopics.matches(filter: filter, into: &found)
            } else if let topic = topics.find(filter), topics[topic].retained != nil {
                found.append(topic)
            }
        }
        let identifiers: SubscriptionIdentifiers =
            request.options.identifier == 0 ? .none : .one(request.options.identifier)
        for topic in found {
            topics.keep(topic)
            sessions[slot].owedRetained.append(
                OwedRetained(topic: topic, maximumQoS: request.options.maximumQoS, identifiers: identifiers))
        }
    }

    mutating func discardOwedRetained(_ slot: Int) {
        while let owed = sessions[slot].owedRetained.popFirst() { topics.forget(owed.topic) }
    }
}
