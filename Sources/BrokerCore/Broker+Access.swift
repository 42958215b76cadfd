internal import Bytes
internal import Clockwork
package import Messaging

/// The access rules, asked on every path (DESIGN §6): when a message comes in, when a route is built, when something
/// waited while the rules changed, when a retained message or a will goes out, when somebody subscribes.
extension Broker {
    /// Other rules from now on. Subscriptions stay, and bring what the new rules let through; what waits is checked
    /// before it is sent.
    package mutating func setAccessRules(_ rules: AccessRuleSets) {
        accessRules = rules
        isRestricted = !rules.allowsAll
        accessGeneration = accessGeneration == .max ? 1 : accessGeneration + 1
        moveOn()
    }

    /// Who has a session, for the rules.
    func identity(of slot: Int) -> ClientIdentity {
        ClientIdentity(
            clientID: sessions[slot].clientID, userName: sessions[slot].userName, listener: sessions[slot].listener)
    }

    /// Whether a session may publish on a topic; nil is a device without one (MQTT-SN 1.2 §6.8).
    func mayPublish(to topic: TopicID?, as slot: Int?) -> Bool {
        guard isRestricted, let topic else { return true }
        return accessRules.mayPublish(topics.name(of: topic), slot.map { identity(of: $0) } ?? stranger)
    }

    /// Whether an offer brings a will that its client may not publish (attack case 77).
    func refusesWill(of offer: SessionOffer, clientID: ClientID) -> Bool {
        guard isRestricted, let will = offer.will else { return false }
        let client = ClientIdentity(clientID: clientID, userName: offer.userName, listener: offer.listener)
        return !will.topic.withView { accessRules.mayPublish($0, client) }
    }

    func mayReceive(_ topic: TopicID, _ slot: Int) -> Bool {
        guard isRestricted else { return true }
        return accessRules.mayReceive(topics.name(of: topic), identity(of: slot))
    }

    /// Whether a session may subscribe to a filter, which stands without `$share/…/` (attack case 81).
    func maySubscribe(_ filter: ByteView, _ slot: Int) -> Bool {
        guard isRestricted else { return true }
        return accessRules.maySubscribe(filter, identity(of: slot))
    }

    /// Of a route, those who may receive: decided here once, and not for each message.
    func permitted(_ route: [RouteEntry], on topic: TopicID) -> [RouteEntry] {
        guard isRestricted else { return route }
        // The members of a shared subscription are asked about when one has its turn.
        return route.filter { $0.isGroup || mayReceive(topic, Int($0.session)) }
    }
}

// MARK: - Retained messages

extension Broker {
    /// Whether a retained message may go to a session, and its publisher could still publish it [M-26].
    func mayReceiveRetained(_ retained: RetainedMessage, on topic: TopicID, _ slot: Int) -> Bool {
        guard isRestricted else { return true }
        guard mayReceive(topic, slot) else { return false }
        return retained.publisher == 0 || accessRules.mayPublish(topics.name(of: topic), publishers[retained.publisher])
    }

    /// Notes who published the message that a topic just retained, if it did.
    mutating func notePublisher(of topic: TopicID, _ slot: Int?) {
        guard topics[topic].retained != nil else { return }
        let publisher: UInt32
        if let slot {
            if sessions[slot].publisher == 0 { sessions[slot].publisher = publishers.hold(identity(of: slot)) }
            publisher = sessions[slot].publisher
            publishers.hold(publisher)
        } else if topics.name(of: topic).beginsWithDollar {
            publisher = 0
        } else {
            publisher = publishers.hold(stranger)
        }
        topics[topic].retained?.publisher = publisher
    }

    /// The session has another identity, or none any more.
    mutating func forgetPublisher(_ slot: Int) {
        publishers.release(sessions[slot].publisher)
        sessions[slot].publisher = 0
    }
}

// MARK: - What waits

extension Broker {
    /// Takes what the rules no longer allow out of a queue, once for each change and each resumption (attack case 41).
    mutating func checkQueue(of slot: Int, now: Now, into effects: inout BrokerEffects) {
        guard sessions[slot].checkedRules != accessGeneration else { return }
        sessions[slot].checkedRules = accessGeneration
        var last: (topic: TopicID, isAllowed: Bool)?
        var isAllWell = true
        for entry in sessions[slot].queue where entry.phase == .message {
            let topic = messages[entry.message].topic
            if last?.topic != topic { last = (topic, mayReceive(topic, slot)) }
            if last?.isAllowed == false {
                isAllWell = false
                break
            }
        }
        guard !isAllWell else { return }
        for entry in takeQueue(of: slot) {
            guard entry.phase == .message, !mayReceive(messages[entry.message].topic, slot) else {
                putBack(entry, of: slot)
                continue
            }
            takeBack(entry, of: slot, now: now, into: &effects)
        }
    }

    /// A delivery that its receiver must no longer have.
    private mutating func takeBack(
        _ entry: QueuedDelivery, of slot: Int, now: Now, into effects: inout BrokerEffects
    ) {
        if entry.packetIdentifier == 0 {
            let isHandedOver = entry.group != 0 && handOver(entry, now: now, into: &effects)
            journalGone(entry.sequence, of: slot)
            if isHandedOver { return }
        } else if entry.qos == .exactlyOnce {
            // The client may hold the identifier: PUBREL, without the message, ends the handshake on both sides.
            var rest = entry
            rest.phase = .release
            rest.identifiers = .none
            rest.message = .passing
            journalRelease(entry.sequence, of: slot)
            putBack(rest, of: slot)
        } else {
            journalGone(entry.sequence, of: slot)
        }
        counters.droppedNotAllowed += 1
        release(entry.message, entry.identifiers)
    }

    /// Empties a queue, to be filled again by `putBack`.
    mutating func takeQueue(of slot: Int) -> DeliveryQueue {
        var queue = DeliveryQueue()
        swap(&queue, &sessions[slot].queue)
        queuedDeliveries -= queue.count
        sessions[slot].queuedBytes = 0
        if queuedMemory.isOn {
            for entry in queue { noteNotWaiting(entry, of: slot) }
        }
        return queue
    }

    mutating func putBack(_ taken: QueuedDelivery, of slot: Int) {
        var entry = taken
        noteWaiting(&entry, of: slot)
        sessions[slot].queue.append(entry)
        queuedDeliveries += 1
        guard entry.phase == .message else { return }
        let size = messages.size(of: entry.message)
        sessions[slot].queuedBytes += size
        if !entry.isFresh { sessions[slot].queue.returnedBytes += size }
    }
}
