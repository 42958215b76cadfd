internal import DequeModule
internal import Messaging

/// Among how many of those that wait, the newest first, a message of the same topic is looked for [D-76].
private let newestLookedAt = 1_024

/// What queues of sleeping devices have of their own: what gives way when they are full, only the last message of each
/// topic, and an age at which messages are no longer worth a wake.
extension Broker {
    /// The rules of a queue whose link sleeps or is away; nil if it is here, or brought none.
    func sleepRules(of slot: Int) -> QueueLimits? {
        sessions[slot].attachment?.isOpen == true ? nil : sleepRules[sessions[slot].sleepRules]
    }

    /// What happens to a message that finds this queue full [D-75].
    func fullPolicy(of slot: Int) -> QueueFullPolicy {
        switch sleepRules(of: slot)?.whenFull {
        case nil: limits.queueFullPolicy
        case .dropNewest: .dropNewest
        case .dropOldest: .dropOldest
        }
    }

    /// Whether a queue that is full need not stop a publisher: its device chose what is dropped, or an earlier message
    /// of the topic makes place.
    func givesWay(_ slot: Int, to message: Passing) -> Bool {
        guard let rules = sleepRules(of: slot) else { return false }
        if rules.whenFull != nil { return true }
        guard rules.keepsLast, let place = placeOfEarlier(message, slot) else { return false }
        return fits(message, at: place, of: slot, rules)
    }

    /// When a delivery that the client has seen nothing of is no longer sent, in seconds since 1970: when its message
    /// expires, or has waited for as long as this session allows [D-77].
    func end(of entry: QueuedDelivery, in slot: Int) -> Int64 {
        let message = messages[entry.message]
        return min(message.expiresAt, endOfWait(takenAt: message.takenAt, in: slot))
    }

    /// When a message that was taken then has waited for as long as this session allows.
    func endOfWait(takenAt: UInt32, in slot: Int) -> Int64 {
        guard let seconds = sleepRules[sessions[slot].sleepRules]?.expiry, seconds > 0 else { return .max }
        return Int64(takenAt) + Int64(seconds)
    }

    /// Gives a message the place of the one of its topic that waits, where only the last is kept [D-76]. False if the
    /// message has to find a place of its own, or none.
    mutating func takePlace(
        of message: Passing, copy: inout MessageHandle?, isHeld: Bool, _ wanted: WantedDelivery, in slot: Int
    ) -> Bool {
        guard let rules = sleepRules(of: slot), rules.keepsLast, wanted.group == 0,
            let place = placeOfEarlier(message, slot)
        else { return false }
        let earlier = sessions[slot].queue.fresh[place]
        let isRoomy = isHeld || wanted.isPromised || hasRoomAmongAll(for: message, without: earlier.message)
        guard fits(message, at: place, of: slot, rules), isRoomy else {
            // Others would have to go for it, and it is not to wait beside the one that it makes stale.
            if fullPolicy(of: slot) == .dropOldest, canGiveOwnRoom(slot, to: message) {
                sessions[slot].queue.fresh.remove(at: place)
                queuedDeliveries -= 1
                journalGone(earlier.sequence, of: slot)
                countReplaced(earlier, slot)
            }
            return false
        }
        let handle = stored(message, copy: &copy)
        messages.hold(handle)
        var entry = QueuedDelivery(
            message: handle, identifiers: wanted.identifiers, packetIdentifier: 0, qos: wanted.qos,
            retain: wanted.retain, phase: .message, sequence: earlier.sequence)
        journal(&entry, of: slot)
        noteWaiting(&entry, of: slot)
        sessions[slot].queue.fresh[place] = entry
        sessions[slot].queuedBytes += message.size
        noteQueued(message, slot)
        countReplaced(earlier, slot)
        return true
    }

    private mutating func countReplaced(_ earlier: QueuedDelivery, _ slot: Int) {
        sessions[slot].queuedBytes -= messages.size(of: earlier.message)
        counters.replaced += 1
        noteNotWaiting(earlier, of: slot)
        release(earlier.message, earlier.identifiers)
    }

    /// Where a message of the same topic waits that the client has seen nothing of. A shared one is another's work.
    private func placeOfEarlier(_ message: Passing, _ slot: Int) -> Int? {
        let fresh = sessions[slot].queue.fresh
        for place in fresh.indices.suffix(newestLookedAt).reversed()
        where fresh[place].group == 0 && messages[fresh[place].message].topic == message.topic {
            return place
        }
        return nil
    }

    /// Whether a message fits the queue in the place of another. A smaller one always does.
    private func fits(_ message: Passing, at place: Int, of slot: Int, _ rules: QueueLimits) -> Bool {
        let growth = message.size - messages.size(of: sessions[slot].queue.fresh[place].message)
        return growth <= 0 || sessions[slot].queuedBytes + growth <= rules.bytes
    }

    /// Whether a message can be held when this one has gone. Nothing is won by one that others hold too.
    private func hasRoomAmongAll(for message: Passing, without earlier: MessageHandle) -> Bool {
        let isLastHolder = messages[earlier].holders == 1
        let excess = excess(with: message)
        return excess.bytes <= (isLastHolder ? messages.size(of: earlier) : 0)
            && excess.overhead <= (isLastHolder ? messages[earlier].overhead : 0)
    }
}

/// The rules that sessions brought for the time when they sleep or are away: those of a few listeners, for very many.
struct SleepRules {
    private var rules: [QueueLimits] = []

    /// The rules at a place that `place(of:)` gave; nil for 0.
    subscript(place: UInt16) -> QueueLimits? { place == 0 ? nil : rules[Int(place) - 1] }

    /// Where these rules are; 0 for none, and for more kinds of them than there are listeners.
    mutating func place(of limits: QueueLimits?) -> UInt16 {
        guard let limits else { return 0 }
        if let place = rules.firstIndex(of: limits) { return UInt16(place + 1) }
        guard rules.count < Int(UInt16.max) else { return 0 }
        rules.append(limits)
        return UInt16(rules.count)
    }
}
