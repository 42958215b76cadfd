internal import Clockwork
internal import DequeModule
internal import Messaging

/// How many of a queue's oldest deliveries are looked at for room that all queues share.
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
        guard makeRoom(for: message, isHeld: isHeld, wanted, in: slot, now: now, into: &effects) else {
            counters.droppedQueueFull += 1
            return release(wanted.identifiers)
        }
        if turnedAwayByAll > 0 { noteRoomForAll(into: &effects) }
        let handle = stored(message, copy: &copy)
        messages.hold(handle)
        queuedDeliveries += 1
        sessions[slot].queue.append(
            QueuedDelivery(
                message: handle, identifiers: wanted.identifiers, packetIdentifier: 0, qos: wanted.qos,
                retain: wanted.retain, phase: .message, group: wanted.group))
        sessions[slot].queuedBytes += message.size
        sessions[slot].soonestExpiry = min(sessions[slot].soonestExpiry, message.expiresAt)
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
    private func excess(with message: Passing) -> (bytes: Int, overhead: Int) {
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
        guard let sleepQueue = sessions[slot].sleepQueue, sessions[slot].attachment?.isOpen != true else {
            return limits
        }
        return sleepQueue
    }

    func hasOwnRoom(for message: Passing, in slot: Int) -> Bool {
        let room = room(of: slot)
        return sessions[slot].queue.count < room.messages && sessions[slot].queuedBytes + message.size <= room.bytes
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
        if wanted.isPromised, queuedDeliveries < limits.queuedDeliveriesMax { return true }
        if !hasOwnRoom(for: message, in: slot) { discardExpired(slot, now: now) }
        if !hasOwnRoom(for: message, in: slot) {
            noteFull(slot, into: &effects)
            guard limits.queueFullPolicy == .dropOldest, message.size <= room(of: slot).bytes else { return false }
            while !hasOwnRoom(for: message, in: slot) {
                guard discardOldest(slot) else { return false }
            }
        }
        if hasRoomAmongAll(for: message, isHeld: isHeld) { return true }
        noteAllFull(into: &effects)
        guard limits.queueFullPolicy == .dropOldest, isHeld || canGiveRoom(slot, to: message) else { return false }
        while !hasRoomAmongAll(for: message, isHeld: isHeld) {
            guard discardOldest(slot) else { return false }
        }
        return true
    }

    /// Whether the oldest deliveries of this queue would make room among all: those that wait elsewhere too would not,
    /// and are not to be dropped for nothing.
    private func canGiveRoom(_ slot: Int, to message: Passing) -> Bool {
        var (bytes, overhead) = excess(with: message)
        for entry in sessions[slot].queue.prefix(oldestLookedAt) where entry.isFresh {
            if bytes <= 0, overhead <= 0 { break }
            let held = messages[entry.message]
            guard held.holders == 1 else { continue }
            bytes -= messages.size(of: entry.message)
            overhead -= Int(held.overhead)
        }
        return bytes <= 0 && overhead <= 0
    }

    /// Drops the oldest delivery that the client has seen nothing of; false if there is none. What was in flight stays
    /// at the head of the queue: the client may know it, and waits for its PUBREL.
    private mutating func discardOldest(_ slot: Int) -> Bool {
        guard let index = sessions[slot].queue.firstIndex(where: { $0.isFresh }) else { return false }
        let entry = sessions[slot].queue.remove(at: index)
        queuedDeliveries -= 1
        sessions[slot].queuedBytes -= messages.size(of: entry.message)
        counters.droppedQueueFull += 1
        release(entry.message, entry.identifiers)
        return true
    }

    /// Drops what has expired, wherever it stands in the queue [MQTT-3.3.2-5]. The time of the soonest expiry keeps
    /// this from being done more than once a second.
    private mutating func discardExpired(_ slot: Int, now: Now) {
        guard sessions[slot].soonestExpiry <= now.unixSeconds else { return }
        var kept = Deque<QueuedDelivery>(minimumCapacity: sessions[slot].queue.count)
        var soonest = Int64.max
        for entry in sessions[slot].queue {
            let size = entry.isFresh ? messages.size(of: entry.message) : 0
            if isExpired(entry, now: now) {
                queuedDeliveries -= 1
                sessions[slot].queuedBytes -= size
                continue
            }
            if entry.isFresh { soonest = min(soonest, messages[entry.message].expiresAt) }
            kept.append(entry)
        }
        sessions[slot].queue = kept
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
        var holders = 0
        var places = 0
        for entry in route(of: message.topic) where min(publish.qos, entry.maximumQoS) > .atMostOnce {
            guard !entry.isGroup else {
                guard findsMember(for: entry, message) else { return false }
                holders += 1
                places += 1
                continue
            }
            let slot = Int(entry.session)
            if entry.noLocal, slot == publisher { continue }
            if entry.mixesNoLocal, slot == publisher,
                ownMaximumQoS(entry, topic: message.topic) == .atMostOnce
            {
                continue
            }
            holders += 1
            if let attachment = sessions[slot].attachment, canStartAtOnce(slot, attachment) { continue }
            places += 1
            if !hasOwnRoom(for: message, in: slot) { discardExpired(slot, now: now) }
            guard hasOwnRoom(for: message, in: slot) else {
                noteFull(slot, into: &effects)
                return false
            }
        }
        let hasRoom =
            queuedDeliveries + places <= limits.queuedDeliveriesMax
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
