internal import Clockwork
internal import DequeModule
internal import Messaging
internal import OrderedCollections

/// How many deliveries a session gets in one go before the others have their turn.
private let deliveriesPerShare = 64
/// And how many bytes of them, so that a window can close before much is on its way.
private let bytesPerShare = 64 << 10

extension Broker {
    /// Gives a new message to a session: to its link if the window is open and nothing waits before it, else to its
    /// queue if it has to be kept. Inlined, and `enqueue` not: a fan-out at QoS 0 costs 90 instructions less for each
    /// receiver, of 1,300.
    @inline(__always)
    mutating func deliver(
        _ message: Passing, copy: inout MessageHandle?, _ wanted: WantedDelivery, to slot: Int, now: Now,
        into effects: inout BrokerEffects
    ) {
        counters.deliveriesOwed += 1
        guard let attachment = sessions[slot].attachment else {
            if wanted.qos == .atMostOnce, !limits.queuesQoS0 {
                counters.droppedAway += 1
                return release(wanted.identifiers)
            }
            return enqueue(message, copy: &copy, wanted, to: slot, now: now, into: &effects)
        }
        if wanted.qos == .atMostOnce, case .window = attachment.pace {
            guard attachment.isOpen else {
                counters.droppedSlowLink += 1
                return release(wanted.identifiers)
            }
            var delivery = Delivery(
                message: copy ?? .passing, topic: message.topic, identifiers: wanted.identifiers, packetIdentifier: 0,
                qos: .atMostOnce, retain: wanted.retain)
            delivery.isRecorded = passesRecorded
            release(wanted.identifiers)
            return send(delivery, to: attachment.link, into: &effects)
        }
        guard canStartAtOnce(slot, attachment) else {
            return enqueue(message, copy: &copy, wanted, to: slot, now: now, into: &effects)
        }
        guard wanted.isPromised || isHeld(message, copy) || hasRoomToHold(message) else {
            noteAllFull(into: &effects)
            counters.droppedQueueFull += 1
            return release(wanted.identifiers)
        }
        if turnedAwayByAll > 0 { noteRoomForAll(into: &effects) }
        let handle = stored(message, copy: &copy)
        messages.hold(handle)
        let entry = QueuedDelivery(
            message: handle, identifiers: wanted.identifiers, packetIdentifier: 0, qos: wanted.qos,
            retain: wanted.retain, phase: .message, group: wanted.group)
        start(entry, of: slot, attachment, into: &effects)
    }

    /// Whether a delivery that has to be acknowledged can go out now: nothing waits before it.
    /// - Parameter earlier: deliveries of the same message that are going to start before it.
    @inline(__always)
    func canStartAtOnce(_ slot: Int, _ attachment: Attachment, behind earlier: Int = 0) -> Bool {
        attachment.isOpen && sessions[slot].queue.isEmpty && hasRoom(slot, attachment, behind: earlier)
    }

    /// Whether the link can take one more delivery that it has to acknowledge or, one at a time, any delivery.
    @inline(__always)
    func hasRoom(_ slot: Int, _ attachment: Attachment, behind earlier: Int = 0) -> Bool {
        attachment.busyWith == nil && sessions[slot].inflight.count + earlier < attachment.window
    }

    /// Hands out what waits, as far as the window allows and a fair share of the turn goes.
    mutating func drain(_ slot: Int, now: Now, into effects: inout BrokerEffects) {
        if isRestricted { checkQueue(of: slot, now: now, into: &effects) }
        var bytesLeft = bytesPerShare
        for _ in 0..<deliveriesPerShare where bytesLeft > 0 {
            guard let attachment = sessions[slot].attachment, attachment.isOpen else { return }
            if let entry = sessions[slot].queue.first {
                guard mayStart(entry, of: slot, attachment) else { return }
                if queuedMemory.isOn, awaitsBytes(of: entry, in: slot, now: now) { return }
                dequeue(slot)
                if sessions[slot].queue.isEmpty { noteEmpty(slot, into: &effects) }
                if isExpired(entry, of: slot, now: now) { continue }
                if queuedMemory.isOn, isLost(entry, of: slot, into: &effects) { continue }
                if entry.phase == .message { bytesLeft -= messages.size(of: entry.message) }
                start(entry, of: slot, attachment, into: &effects)
            } else if let owed = sessions[slot].owedRetained.first {
                bytesLeft -= topics[owed.topic].retained.map { messages.size(of: $0.message) } ?? 0
                guard pay(owed, of: slot, attachment, now: now, into: &effects) else { return }
            } else if !sessions[slot].owedSearches.isEmpty {
                return awaitSearch(slot)
            } else {
                becomeReady(slot)
                return reportDrained(slot, into: &effects)
            }
        }
        lineUp(slot)
    }

    /// The session goes on in a later turn.
    mutating func lineUp(_ slot: Int) {
        guard !sessions[slot].isInLine else { return }
        sessions[slot].isInLine = true
        line.append(slot)
    }

    private func mayStart(_ entry: QueuedDelivery, of slot: Int, _ attachment: Attachment) -> Bool {
        if entry.qos == .atMostOnce, case .window = attachment.pace { return true }
        // At QoS 2 the client must not see what is not kept.
        if refusesPromises, entry.qos == .exactlyOnce, sessions[slot].isJournaled { return false }
        return hasRoom(slot, attachment)
    }

    private mutating func dequeue(_ slot: Int) {
        guard let entry = sessions[slot].queue.popFirst() else { return }
        queuedDeliveries -= 1
        guard entry.phase == .message else { return }
        noteNotWaiting(entry, of: slot)
        let size = messages.size(of: entry.message)
        sessions[slot].queuedBytes -= size
        if !entry.isFresh { sessions[slot].queue.returnedBytes -= size }
    }

    /// A message whose time is over, or that has waited too long for a device, is not sent, unless the client may have
    /// it already [MQTT-3.3.2-5] [D-77].
    mutating func isExpired(_ entry: QueuedDelivery, of slot: Int, now: Now) -> Bool {
        guard entry.isFresh else { return false }
        guard end(of: entry, in: slot) <= now.unixSeconds else { return false }
        counters.expired += 1
        journalGone(entry.sequence, of: slot)
        release(entry.message, entry.identifiers)
        return true
    }

    /// Sends one waiting delivery; its message is held by the delivery from here on.
    private mutating func start(
        _ entry: QueuedDelivery, of slot: Int, _ attachment: Attachment, into effects: inout BrokerEffects
    ) {
        if entry.phase == .release {
            sessions[slot].inflight.append(
                InflightDelivery(
                    message: .passing, identifiers: .none, packetIdentifier: entry.packetIdentifier,
                    qos: .exactlyOnce, retain: false, phase: .release, sequence: entry.sequence))
            let again = Acknowledgement(.pubrel, entry.packetIdentifier)
            return effects.answer(attachment.link, .acknowledge(again))
        }
        var delivery = Delivery(
            message: entry.message, topic: messages[entry.message].topic, identifiers: entry.identifiers,
            packetIdentifier: entry.packetIdentifier, qos: entry.qos, isDuplicate: entry.packetIdentifier != 0,
            retain: entry.retain)
        if entry.qos == .atMostOnce {
            journalGone(entry.sequence, of: slot)
            delivery.isRecorded = entry.sequence != 0 || passesRecorded
            if case .oneAtATime = attachment.pace {
                let busy = BusyDelivery(message: entry.message, identifiers: entry.identifiers)
                sessions[slot].attachment?.busyWith = busy
                // Counted when it was sent: it may need a REGISTER first, and come to nothing.
                return effects.answer(attachment.link, .deliver(delivery))
            }
            release(entry.message, entry.identifiers)
        } else {
            if delivery.packetIdentifier == 0 {
                delivery.packetIdentifier = sessions[slot].nextPacketIdentifier()
            }
            let sequence = journalSent(entry, as: delivery.packetIdentifier, of: slot)
            delivery.isRecorded = sequence != 0 && entry.qos == .exactlyOnce
            sessions[slot].inflight.append(
                InflightDelivery(
                    message: entry.message, identifiers: entry.identifiers,
                    packetIdentifier: delivery.packetIdentifier, qos: entry.qos, retain: entry.retain,
                    phase: .publish, group: entry.group, sequence: sequence))
        }
        send(delivery, to: attachment.link, into: &effects)
    }

    /// Sends the retained message that is owed, if the topic still has one. False if the window is full.
    private mutating func pay(
        _ owed: OwedRetained, of slot: Int, _ attachment: Attachment, now: Now, into effects: inout BrokerEffects
    ) -> Bool {
        guard let retained = topics[owed.topic].retained else {
            forgetOwed(slot)
            return true
        }
        guard messages[retained.message].expiresAt > now.unixSeconds else {
            forgetOwed(slot)
            journalRetainedGone(owed.topic)
            clearRetained(owed.topic)
            counters.deliveriesOwed += 1
            counters.expired += 1
            return true
        }
        guard mayReceiveRetained(retained, on: owed.topic, slot) else {
            forgetOwed(slot)
            return true
        }
        let entry = QueuedDelivery(
            message: retained.message, identifiers: owed.identifiers, packetIdentifier: 0,
            qos: min(retained.qos, owed.maximumQoS), retain: true, phase: .message)
        guard mayStart(entry, of: slot, attachment) else { return false }
        counters.deliveriesOwed += 1
        messages.hold(retained.message)
        start(entry, of: slot, attachment, into: &effects)
        forgetOwed(slot)
        return true
    }

    private mutating func forgetOwed(_ slot: Int) {
        guard let owed = sessions[slot].owedRetained.popFirst() else { return }
        topics.forget(owed.topic)
    }

    private mutating func reportDrained(_ slot: Int, into effects: inout BrokerEffects) {
        guard let attachment = sessions[slot].attachment, attachment.awaitsDrained, hasRoom(slot, attachment) else {
            return
        }
        sessions[slot].attachment?.awaitsDrained = false
        effects.answer(attachment.link, .drained)
    }

    @inline(__always)
    private mutating func send(_ delivery: Delivery, to link: LinkID, into effects: inout BrokerEffects) {
        switch delivery.qos {
        case .atMostOnce: counters.messagesSent.qos0 += 1
        case .atLeastOnce: counters.messagesSent.qos1 += 1
        case .exactlyOnce: counters.messagesSent.qos2 += 1
        }
        effects.answer(link, .deliver(delivery))
    }

    /// The link opens or closes its window.
    mutating func windowChanged(_ isOpen: Bool, session slot: Int, now: Now, into effects: inout BrokerEffects) {
        sessions[slot].attachment?.isOpen = isOpen
        guard isOpen else { return }
        let isOneAtATime = sessions[slot].attachment?.pace == .oneAtATime
        sessions[slot].attachment?.awaitsDrained = isOneAtATime
        drain(slot, now: now, into: &effects)
    }

    /// One holder of the message and the owner of the list let go.
    mutating func release(_ message: MessageHandle, _ identifiers: SubscriptionIdentifiers) {
        if messages.release(message) {
            dyingMessages.append(message)
        } else if queuedMemory.isOn {
            queuedMemory.suspects.append(message)
        }
        release(identifiers)
    }

    mutating func release(_ identifiers: SubscriptionIdentifiers) {
        if identifiers.listIndex != nil { dyingLists.append(identifiers) }
    }
}
