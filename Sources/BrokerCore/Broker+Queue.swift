internal import Clockwork
internal import DequeModule
internal import Messaging

/// How many of a queue's oldest deliveries that the client has seen nothing of are looked at for room among all.
private let oldestLookedAt = 64

/// Queues, and what happens when they are full [M-10].
extension Broker {
    /// Puts a message at the end of the queue, or turns it away when there is no room.
    @inline(never)
    mutating func enqueue(
        _ message: Passing, copy: inout MessageHandle?, _ wanted: WantedDelivery, to slot: Int, now: Now,
        into effects: inout BrokerEffects
    ) {
        let isHeld = isHeld(message, copy)
        if sleepRules[sessions[slot].sleepRules]?.keepsLast == true,
            takePlace(of: message, copy: &copy, isHeld: isHeld, wanted, in: slot)
        {
            return
        }
        guard makeRoom(for: message, isHeld: isHeld, wanted, in: slot, now: now, into: &effects) else {
            counters.droppedQueueFull += 1
            return release(wanted.identifiers)
        }
        if turnedAwayByAll > 0 { noteRoomForAll(into: &effects) }
        let handle = stored(message, copy: &copy)
        messages.hold(handle)
        queuedDeliveries += 1
        var entry = QueuedDelivery(
            message: handle, identifiers: wanted.identifiers, packetIdentifier: 0, qos: wanted.qos,
            retain: wanted.retain, phase: .message, group: wanted.group)
        journal(&entry, of: slot)
        noteWaiting(&entry, of: slot)
        sessions[slot].queue.append(entry)
        sessions[slot].queuedBytes += message.size
        noteQueued(message, slot)
    }

    /// A message waits: when it will have waited too long, and who wants to know that it does.
    mutating func noteQueued(_ message: Passing, _ slot: Int) {
        let end = min(message.expiresAt, endOfWait(takenAt: message.takenAt, in: slot))
        sessions[slot].soonestExpiry = min(sessions[slot].soonestExpiry, end)
        if limits.notesDeviceQueues, sessions[slot].isDevice { changedQueues.note(slot) }
    }

    // MARK: - Room

    /// Whether one more message may wait or be in flight, beside the retained ones: by the bytes of all, and by what
    /// they take beside them, since a message may be all name.
    func hasRoomToHold(_ message: Passing) -> Bool {
        let (bytes, overhead) = excess(with: message)
        return bytes <= 0 && overhead <= 0
    }

    /// How far one more message would go beyond what may be held, in bytes of messages and beside them.
    func excess(with message: Passing) -> (bytes: Int, overhead: Int) {
        let overhead = messages.overhead - retainedOverhead + MessageTable.overhead(of: topics.name(of: message.topic))
        let bytes = messages.bytes - heldRetainedBytes + message.size
        return (bytes - limits.heldBytesMax, overhead - limits.heldOverheadBytesMax)
    }

    /// Whether the copy of a message is among those that wait already. One that is only retained is not: when the next
    /// one takes its place it would wait without ever having found room.
    func isHeld(_ message: Passing, _ copy: MessageHandle?) -> Bool {
        guard let copy, !message.lacksRoom else { return false }
        return !messages.isRetained(copy)
    }

    /// How much may wait for a session: less for a link that sleeps or is away, where it asked for that.
    private func room(of slot: Int) -> QueueLimits {
        let limits = QueueLimits(messages: limits.queuedMessagesMax, bytes: limits.queuedBytesMax)
        return sleepRules(of: slot) ?? limits
    }

    /// Whether a message has a place in this queue.
    /// - Parameter earlier: copies of the same message that are going to wait before it.
    func hasOwnRoom(for message: Passing, in slot: Int, behind earlier: Int = 0) -> Bool {
        let room = room(of: slot)
        return sessions[slot].queue.count + earlier < room.messages
            && sessions[slot].queuedBytes + (earlier + 1) * message.size <= room.bytes
    }

    private func hasRoomAmongAll(for message: Passing, isHeld: Bool) -> Bool {
        queuedDeliveries < limits.queuedDeliveriesMax && (isHeld || hasRoomToHold(message))
    }

    /// Whether a message has a place at the end of a queue. What has expired makes room first, then, where that is the
    /// policy, what has waited longest.
    private mutating func makeRoom(
        for message: Passing, isHeld: Bool, _ wanted: WantedDelivery, in slot: Int, now: Now,
        into effects: inout BrokerEffects
    ) -> Bool {
        // Nobody was asked about the places of all queues, which are a matter of memory [M-11].
        if wanted.isPromised, fullPolicy(of: slot) == .refuse, queuedDeliveries < limits.queuedDeliveriesMax {
            return true
        }
        if !hasOwnRoom(for: message, in: slot) { discardExpired(slot, now: now) }
        let isFull = !hasOwnRoom(for: message, in: slot)
        if isFull { noteFull(slot, into: &effects) }
        if !isFull, hasRoomAmongAll(for: message, isHeld: isHeld) { return true }
        guard fullPolicy(of: slot) == .dropOldest, canGiveOwnRoom(slot, to: message),
            canGiveRoom(slot, to: message, isHeld: isHeld)
        else {
            if !isFull { noteAllFull(into: &effects) }
            return false
        }
        while !hasOwnRoom(for: message, in: slot) {
            guard discardFresh(0, of: slot) else { return false }
        }
        if hasRoomAmongAll(for: message, isHeld: isHeld) { return true }
        noteAllFull(into: &effects)
        return giveRoom(slot, to: message, isHeld: isHeld)
    }

    /// Whether a queue has room for a message without all that the client has seen nothing of. What was in flight
    /// stays: the client may know it, and waits for its PUBREL.
    func canGiveOwnRoom(_ slot: Int, to message: Passing) -> Bool {
        let room = room(of: slot)
        let queue = sessions[slot].queue
        return queue.returned.count < room.messages && queue.returnedBytes + message.size <= room.bytes
    }

    /// Whether the oldest deliveries of this queue would make room among all, looking at no more than a few. A place is
    /// given by each; the bytes of a message only by its last holder, so those that wait elsewhere too, or are in
    /// flight, or retained, would be dropped for nothing. Where these do not suffice, only the newest is dropped.
    private func canGiveRoom(_ slot: Int, to message: Passing, isHeld: Bool) -> Bool {
        var lack = lack(of: message, isHeld: isHeld)
        for entry in sessions[slot].queue.fresh.prefix(oldestLookedAt) {
            if lack.isNothing { break }
            lack.places -= 1
            guard messages[entry.message].holders == 1 else { continue }
            lack.bytes -= messages.size(of: entry.message)
            lack.overhead -= Int(messages[entry.message].overhead)
        }
        return lack.isNothing
    }

    /// Drops, of the oldest deliveries of a queue, those that make room among all, until there is enough.
    private mutating func giveRoom(_ slot: Int, to message: Passing, isHeld: Bool) -> Bool {
        var index = 0
        for _ in 0..<oldestLookedAt where index < sessions[slot].queue.fresh.count {
            let lack = lack(of: message, isHeld: isHeld)
            if lack.isNothing { return true }
            let oldest = sessions[slot].queue.fresh[index].message
            let isLastHolder = messages[oldest].holders == 1
            let helps = lack.places > 0 || isLastHolder && (lack.overhead > 0 || messages.size(of: oldest) > 0)
            if helps { _ = discardFresh(index, of: slot) } else { index += 1 }
        }
        return hasRoomAmongAll(for: message, isHeld: isHeld)
    }

    /// What is missing for one more message to wait among all.
    private func lack(of message: Passing, isHeld: Bool) -> RoomLack {
        let places = queuedDeliveries + 1 - limits.queuedDeliveriesMax
        guard !isHeld else { return RoomLack(places: places, bytes: 0, overhead: 0) }
        let (bytes, overhead) = excess(with: message)
        return RoomLack(places: places, bytes: bytes, overhead: overhead)
    }

    /// Drops a delivery that the client has seen nothing of, the oldest at 0; false if there is none.
    private mutating func discardFresh(_ index: Int, of slot: Int) -> Bool {
        guard index < sessions[slot].queue.fresh.count else { return false }
        let entry = sessions[slot].queue.fresh.remove(at: index)
        queuedDeliveries -= 1
        sessions[slot].queuedBytes -= messages.size(of: entry.message)
        counters.droppedQueueFull += 1
        noteNotWaiting(entry, of: slot)
        journalGone(entry.sequence, of: slot)
        release(entry.message, entry.identifiers)
        return true
    }

    /// Drops what has expired, wherever it stands in the queue [MQTT-3.3.2-5]. The time of the soonest expiry keeps
    /// this from being done more than once a second.
    mutating func discardExpired(_ slot: Int, now: Now) {
        guard sessions[slot].soonestExpiry <= now.unixSeconds else { return }
        var kept = Deque<QueuedDelivery>(minimumCapacity: sessions[slot].queue.fresh.count)
        var soonest = Int64.max
        for entry in sessions[slot].queue.fresh {
            let size = messages.size(of: entry.message)
            if isExpired(entry, of: slot, now: now) {
                queuedDeliveries -= 1
                sessions[slot].queuedBytes -= size
                noteNotWaiting(entry, of: slot)
                continue
            }
            soonest = min(soonest, end(of: entry, in: slot))
            kept.append(entry)
        }
        sessions[slot].queue.fresh = kept
        sessions[slot].soonestExpiry = soonest
    }

    // MARK: - All or nothing

    /// Whether everybody who has to hold the message can, and it can be retained if it shall be: asked before anything
    /// is done with it, where publishers are refused [M-10].
    ///
    /// - Parameter isStored: whether room to hold the message was found already.
    mutating func findsRoom(
        _ message: Passing, _ publish: IncomingPublish, isStored: Bool, from publisher: Int, now: Now,
        into effects: inout BrokerEffects
    ) -> Bool {
        if publish.retain, !hasRoomToRetain(message) {
            counters.retainedRefused += 1
            return false
        }
        claims.begin()
        defer { claims.end() }
        var holders = 0
        let route = route(of: message.topic)
        let hasGroups = route.last?.isGroup == true
        for entry in route {
            if entry.isGroup {
                guard let isHolder = findsMember(for: entry, message, now: now) else { return false }
                if isHolder { holders += 1 }
                continue
            }
            let slot = Int(entry.session)
            if entry.noLocal, slot == publisher { continue }
            var qos = min(publish.qos, entry.maximumQoS)
            if qos > .atMostOnce, entry.mixesNoLocal, slot == publisher {
                qos = min(qos, ownMaximumQoS(entry, topic: message.topic))
            }
            guard qos > .atMostOnce else {
                // Nobody asks about it [M-13], but it takes room from what comes after it.
                if hasGroups { claim(slot, qos, message) }
                continue
            }
            holders += 1
            if claim(slot, qos, message) { continue }
            discardExpired(slot, now: now)
            guard claim(slot, qos, message) || givesWay(slot, to: message) else {
                noteFull(slot, into: &effects)
                return false
            }
        }
        let hasRoom =
            queuedDeliveries + claims.places <= limits.queuedDeliveriesMax
            && (isStored || holders == 0 || hasRoomToHold(message))
        if !hasRoom { noteAllFull(into: &effects) }
        return hasRoom
    }

    // MARK: - What the operator hears

    private mutating func noteFull(_ slot: Int, into effects: inout BrokerEffects) {
        sessions[slot].turnedAway += 1
        if sessions[slot].turnedAway == 1 { effects.logs.append(.full(sessions[slot].clientID)) }
    }

    /// A queue is empty, or goes: what it was too small for is told.
    mutating func noteEmpty(_ slot: Int, into effects: inout BrokerEffects) {
        guard sessions[slot].turnedAway > 0 else { return }
        effects.logs.append(.emptied(sessions[slot].clientID, turnedAway: sessions[slot].turnedAway))
        sessions[slot].turnedAway = 0
    }

    mutating func noteAllFull(into effects: inout BrokerEffects) {
        turnedAwayByAll += 1
        if turnedAwayByAll == 1 { effects.logs.append(.allFull) }
    }

    /// An eighth of the room must be free before it counts as there again: else each message out and in would be told.
    mutating func noteRoomForAll(into effects: inout BrokerEffects) {
        guard messages.bytes - heldRetainedBytes <= limits.heldBytesMax / 8 * 7,
            messages.overhead - retainedOverhead <= limits.heldOverheadBytesMax / 8 * 7,
            queuedDeliveries <= limits.queuedDeliveriesMax / 8 * 7
        else { return }
        effects.logs.append(.allHaveRoom(turnedAway: turnedAwayByAll))
        turnedAwayByAll = 0
    }
}

/// What is missing of the room that all queues share; not above 0 where nothing is.
private struct RoomLack {
    var places: Int
    var bytes: Int
    var overhead: Int

    var isNothing: Bool { places <= 0 && bytes <= 0 && overhead <= 0 }
}
