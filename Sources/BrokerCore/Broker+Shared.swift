internal import Bytes
internal import Clockwork
internal import Messaging

/// Shared subscriptions (MQTT 5.0 §4.8.2): a group stands in the routes like one subscriber, and each message is given
/// to the member whose turn it is.
///
/// What was handed to a member is its own as any delivery is, and remembers the group: when the member goes, what it
/// never saw is handed to another [M-21].
extension Broker {
    /// Who gets a message by an entry of its route, and the serial number of the group if it is shared. Nil if the
    /// rules leave nobody.
    @inline(__always)
    mutating func receiver(of entry: RouteEntry, _ message: Passing) -> (RouteEntry, group: UInt32)? {
        guard entry.isGroup else { return (entry, 0) }
        return member(of: entry.session & ~groupMark, message)
    }

    private mutating func member(of group: UInt32, _ message: Passing) -> (RouteEntry, group: UInt32)? {
        let chosen = readyMember(of: group, message) ?? keeper(of: group, [.busy, .away], message, isAsked: true)
        guard let chosen else { return nil }
        let member = shared[chosen]
        sessions[Int(member.session)].mayHoldShared = true
        return (RouteEntry(member), shared.serial(of: group))
    }

    /// The next of those that take the message at once. Those that turn out to be busy are not asked again until they
    /// have room: what finding that out costs, somebody's earlier message has saved.
    private mutating func readyMember(of group: UInt32, _ message: Passing) -> UInt32? {
        for _ in 0..<shared.count(.ready, of: group) {
            let place = shared.takeTurn(.ready, of: group)
            let member = shared[place]
            guard mayTake(message, member) else { continue }
            if takesAtOnce(Int(member.session), min(message.qos, member.options.maximumQoS)) { return place }
            // One that has only been claimed for is not busy yet.
            if claims[Int(member.session)].isNone { shared.becameBusy(place) }
        }
        return nil
    }

    /// The next of those who cannot take the message now but have room to keep it.
    /// - Parameter isAsked: whether it is given to somebody without room rather than to nobody: the queue's policy
    ///   then decides.
    private mutating func keeper(
        of group: UInt32, _ parts: [SharedGroups.Part], _ message: Passing, isAsked: Bool
    ) -> UInt32? {
        var fallback: UInt32?
        for part in parts {
            var asksLeft = asksMax
            for _ in 0..<shared.count(part, of: group) {
                guard asksLeft > 0 else { break }
                let place = shared.takeTurn(part, of: group)
                let member = shared[place]
                guard mayTake(message, member) else { continue }
                if keeps(message, Int(member.session), min(message.qos, member.options.maximumQoS)) { return place }
                fallback = fallback ?? place
                asksLeft -= 1
            }
        }
        return isAsked ? fallback : nil
    }

    /// Whether the rules let a member have a message. One that may not have it is looked at again for each message, so
    /// that counts as matching; a message looks at each member once, or twice if it turns out to be busy.
    private mutating func mayTake(_ message: Passing, _ member: SharedGroups.Member) -> Bool {
        guard isRestricted, !mayReceive(message.topic, Int(member.session)) else { return true }
        counters.matchingWork += 1
        return false
    }

    /// Looks for a member with room for a message that is given to all or nobody [M-10], and claims it; the turn stays
    /// with the member. Nil if there is none, else whether the member has to hold the message.
    mutating func findsMember(for entry: RouteEntry, _ message: Passing, now: Now) -> Bool? {
        let group = entry.session & ~groupMark
        // Those who have only been claimed for still count as ready, and may have room all the same.
        let chosen =
            readyMember(of: group, message) ?? keeper(of: group, [.busy, .ready, .away], message, isAsked: true)
        guard let chosen else { return false }
        shared.giveTurnBack(chosen)
        let member = shared[chosen]
        let slot = Int(member.session)
        let qos = min(message.qos, member.options.maximumQoS)
        if !claim(slot, qos, message), qos > .atMostOnce {
            discardExpired(slot, now: now)
            guard claim(slot, qos, message) else { return nil }
        }
        return qos > .atMostOnce
    }

    /// Notes what a delivery would take of its receiver's window or queue; false, with nothing noted, if there is no
    /// room for it.
    @discardableResult
    mutating func claim(_ slot: Int, _ qos: QoS, _ message: Passing) -> Bool {
        if takesAtOnce(slot, qos) {
            if qos == .atMostOnce, case .window = sessions[slot].attachment?.pace { return true }
            claims.start(slot)
            return true
        }
        guard keeps(message, slot, qos) else { return false }
        claims.queue(slot)
        return true
    }

    /// Whether a delivery to this session would leave at once.
    private func takesAtOnce(_ slot: Int, _ qos: QoS) -> Bool {
        guard let attachment = sessions[slot].attachment else { return false }
        if qos == .atMostOnce, case .window = attachment.pace { return attachment.isOpen }
        let claim = claims[slot]
        return claim.queued == 0 && canStartAtOnce(slot, attachment, behind: claim.started)
    }

    /// Whether a delivery to this session would leave at once or find a place in its queue.
    private func keeps(_ message: Passing, _ slot: Int, _ qos: QoS) -> Bool {
        if qos == .atMostOnce {
            switch sessions[slot].attachment?.pace {
            case nil: guard limits.queuesQoS0 else { return false }
            case .window: return sessions[slot].attachment?.isOpen == true
            case .oneAtATime: break
            }
        }
        return hasOwnRoom(for: message, in: slot, behind: claims[slot].queued)
    }

    /// The session's queue is empty: its groups count on it again, if its window has room.
    @inline(__always)
    mutating func becomeReady(_ slot: Int) {
        guard shared.isBusySomewhere(UInt32(slot)), takesAtOnce(slot, .atLeastOnce) else { return }
        shared.becameReady(UInt32(slot))
    }
}

// MARK: - Joining and leaving

extension Broker {
    /// A session joins the group of a filter, `$share/…/…`, which begins with its first member.
    mutating func joinGroup(_ request: SubscriptionRequest, _ filter: ByteView, session slot: Int) {
        let group: UInt32
        if let existing = shared.group(named: request.filter) {
            group = existing
        } else {
            group = shared.make(request.filter)
            let options = SubscriptionOptions(maximumQoS: .exactlyOnce)
            enter(filter, subscriber: Int(groupMark | group), options: options)
        }
        shared.join(UInt32(slot), group, request.options, isOnline: sessions[slot].attachment != nil)
    }

    /// A session leaves the group, which ends with its last member.
    mutating func leaveGroup(named name: ByteString, _ filter: ByteView, session slot: Int) {
        guard let group = shared.group(named: name) else { return }
        guard shared.leave(UInt32(slot), group) else { return }
        withdraw(filter, subscriber: Int(groupMark | group))
    }
}

// MARK: - Handing over

extension Broker {
    /// Why a member's deliveries may have to go to others.
    enum Departure {
        /// Its link is gone, its session stays: others take what was never sent, if they are here.
        case away
        /// It unsubscribed: what was never sent goes to the others, or is deleted with the group.
        case left
        /// Its session has ended: all goes to the others but what it was sent at QoS 2 [MQTT-4.8.2-5].
        case ended
    }

    /// Gives the shared deliveries that a member leaves behind to other members, each as the same one that was owed.
    mutating func handOverShared(
        of slot: Int, _ departure: Departure, now: Now, into effects: inout BrokerEffects
    ) {
        guard sessions[slot].mayHoldShared else { return }
        var holdsShared = sessions[slot].inflight.contains { $0.group != 0 }
        for entry in takeQueue(of: slot) {
            if isLeftBehind(entry, by: slot, departure) {
                if handOver(entry, onlyToThoseHere: departure == .away, now: now, into: &effects) {
                    journalGone(entry.sequence, of: slot)
                    continue
                }
                if departure == .left {
                    journalGone(entry.sequence, of: slot)
                    counters.discardedWithSession += 1
                    release(entry.message, entry.identifiers)
                    continue
                }
            }
            if entry.group != 0 { holdsShared = true }
            putBack(entry, of: slot)
        }
        sessions[slot].mayHoldShared = holdsShared
        if sessions[slot].queue.isEmpty { noteEmpty(slot, into: &effects) }
    }

    private func isLeftBehind(_ entry: QueuedDelivery, by slot: Int, _ departure: Departure) -> Bool {
        guard entry.group != 0, entry.phase == .message else { return false }
        let wasSent = entry.packetIdentifier != 0
        switch departure {
        case .away:
            return !wasSent
        case .left:
            if wasSent { return false }
            guard let group = shared.group(withSerial: entry.group) else { return true }
            return shared.member(UInt32(slot), of: group) == nil
        case .ended:
            return !(wasSent && entry.qos == .exactlyOnce)
        }
    }

    /// Gives a delivery to another member of its group. False, with nothing done, if there is none for it.
    mutating func handOver(
        _ entry: QueuedDelivery, onlyToThoseHere: Bool = false, now: Now, into effects: inout BrokerEffects
    ) -> Bool {
        guard let group = shared.group(withSerial: entry.group) else { return false }
        let message = messages.passing(entry.message)
        guard message.expiresAt > now.unixSeconds else {
            counters.expired += 1
            release(entry.message, entry.identifiers)
            return true
        }
        let place: UInt32?
        if let ready = readyMember(of: group, message) {
            place = ready
        } else if onlyToThoseHere {
            place = keeper(of: group, [.busy], message, isAsked: false)
        } else {
            place = keeper(of: group, [.busy, .away], message, isAsked: true)
        }
        guard let place else { return false }
        let member = shared[place]
        sessions[Int(member.session)].mayHoldShared = true
        let receiver = RouteEntry(member)
        var overlaps = Overlaps()
        let wanted = WantedDelivery(
            qos: min(message.qos, receiver.maximumQoS), retain: message.retain && receiver.retainAsPublished,
            identifiers: identifiers(for: receiver, topic: message.topic, &overlaps), group: entry.group)
        var copy: MessageHandle? = entry.message
        if messages[entry.message].isEvicted, sessions[Int(member.session)].attachment != nil {
            // It cannot go at once: its bytes have to come from the disk.
            enqueue(message, copy: &copy, wanted, to: Int(member.session), now: now, into: &effects)
            lineUp(Int(member.session))
            release(entry.message, entry.identifiers)
            return true
        }
        // It is the same delivery that was owed before, for another receiver.
        counters.deliveriesOwed -= 1
        deliver(message, copy: &copy, wanted, to: Int(member.session), now: now, into: &effects)
        release(entry.message, entry.identifiers)
        return true
    }
}

/// Marks a subscriber in a route as a group; no session has so high a number.
let groupMark: UInt32 = 0x8000_0000
/// How many members without room are asked for a message, before one of them has to take or to drop it.
private let asksMax = 16

extension RouteEntry {
    /// Whether the entry is a shared subscription's.
    @inline(__always)
    var isGroup: Bool { session & groupMark != 0 }

    /// A member of a group, with the options of its own subscription [MQTT-4.8.2-3].
    init(_ member: SharedGroups.Member) {
        let options = member.options
        self.init(
            session: member.session, maximumQoS: options.maximumQoS, noLocal: false,
            retainAsPublished: options.retainAsPublished,
            identifiers: options.identifier == 0 ? .none : .one(options.identifier))
    }
}
