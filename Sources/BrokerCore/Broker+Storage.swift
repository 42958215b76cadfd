internal import Clockwork
internal import Journal
internal import Messaging

/// While nothing can be kept, nobody is promised anything: whoever wants that is refused before anything is done.
extension Broker {
    /// Whether what is told to the journal will be safe some day soon (DESIGN §5).
    package mutating func setStorage(isRefusing: Bool) {
        guard isRefusing != refusesPromises else { return }
        refusesPromises = isRefusing
        if isRefusing { return }
        // Deliveries at QoS 2 have waited in their queues.
        for slot in sessions.indices where sessions[slot].isJournaled && !sessions[slot].queue.isEmpty { lineUp(slot) }
    }

    /// Whether taking a message would be a promise that cannot be kept.
    @inline(never)
    mutating func lacksStorage(for message: Passing, _ publish: IncomingPublish, from session: Int) -> Bool {
        guard publish.qos > .atMostOnce else { return false }
        if publish.qos == .exactlyOnce {
            // What was taken already must not be refused: its identifier would be used for another message.
            if sessions[session].received.place(of: publish.packetIdentifier) != nil { return false }
            if sessions[session].isJournaled { return true }
        }
        if publish.retain, limits.retainAvailable, limits.retainedIsDurable { return true }
        for entry in route(of: message.topic) where entry.maximumQoS > .atMostOnce {
            // Which member's turn it would be is not asked.
            if entry.isGroup || sessions[Int(entry.session)].isJournaled { return true }
        }
        return false
    }

    /// A message at QoS 2 cannot be passed on, since nobody could remember that it was: its publisher is to come again
    /// with its PUBREL. A device does so by itself.
    mutating func keepReceived(_ slot: Int, _ link: LinkID, _ now: Now, into effects: inout BrokerEffects) {
        guard !link.isDevice else { return }
        effects.answer(link, .close(.quotaExceeded))
        detach(slot, Farewell(publishesWill: true), now: now, into: &effects)
    }

    /// Whether a message at QoS 0 is not retained, since the one before would be back after a restart.
    func lacksStorageToRetain(_ message: Passing) -> Bool {
        refusesPromises && limits.retainedIsDurable && message.qos == .atMostOnce
            && !topics.name(of: message.topic).beginsWithDollar
    }

    /// Whether a session cannot be given, since it, or the end of the one before, could not be kept.
    func lacksStorage(for offer: SessionOffer, _ existing: Int?) -> Bool {
        guard refusesPromises else { return false }
        return min(offer.sessionExpiryInterval, limits.sessionExpiryMax) > 0
            || existing.map { sessions[$0].isJournaled } ?? false
    }
}
