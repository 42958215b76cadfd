internal import Bytes
package import Clockwork
internal import DequeModule
internal import Messaging
internal import OrderedCollections

extension Broker {
    /// The session that `link` has now.
    func session(of link: LinkID) -> Int? {
        let slot = link.slot
        let session: Int32
        if link.isDevice {
            session = slot < deviceSessions.count ? deviceSessions[slot] : -1
        } else {
            session = slot < connectionSessions.count ? connectionSessions[slot] : -1
        }
        return session >= 0 ? Int(session) : nil
    }

    /// The session of that name, with or without a link.
    func session(named clientID: ClientID) -> Int? {
        sessionNames.find(nameHash(clientID)) { sessions[Int($0)].clientID == clientID }.map(Int.init)
    }

    private func nameHash(_ clientID: ClientID) -> UInt64 {
        clientID.withView { nameHashing.hash($0) }
    }

    private mutating func setSession(_ session: Int?, of link: LinkID) {
        let value = session.map(Int32.init) ?? -1
        if link.isDevice {
            while deviceSessions.count <= link.slot { deviceSessions.append(-1) }
            deviceSessions[link.slot] = value
        } else {
            while connectionSessions.count <= link.slot { connectionSessions.append(-1) }
            connectionSessions[link.slot] = value
        }
    }

    mutating func attachRequested(
        _ offer: SessionOffer, link: LinkID, now: Now, into effects: inout BrokerEffects
    ) {
        precondition(session(of: link) == nil, "a link attached twice")
        let clientID = offer.clientID.isEmpty ? assignedClientID(offer.assignedClientIDPrefix) : offer.clientID
        let existing = session(named: clientID)
        if let existing, let owner = sessions[existing].userName, owner != offer.userName {
            // Nothing of the session is touched for somebody else (attack case 39).
            return effects.answer(link, .refused(.notAuthorized))
        }
        if let existing, mustNotClaim(existing, offer, link) { return effects.answer(link, .refused(.notAuthorized)) }
        guard !refusesWill(of: offer, clientID: clientID) else {
            return effects.answer(link, .refused(.notAuthorized))
        }
        let offer = withoutClaim(existing, offer)
        if lacksStorage(for: offer, existing) { return effects.answer(link, .refused(.serverUnavailable)) }
        if existing == nil, sessionNames.count >= limits.sessionsMax {
            return effects.answer(link, .refused(.quotaExceeded))
        }
        let resumed = resume(existing, offer, now: now, into: &effects)
        let session = resumed ?? begin(clientID, offer)
        adopt(offer, session: session, link: link)
        effects.answer(
            link,
            .attached(
                Attached(
                    sessionPresent: resumed != nil,
                    assignedClientID: offer.clientID.isEmpty ? clientID : nil,
                    sessionExpiryInterval: sessions[session].expiryInterval)))
        drain(session, now: now, into: &effects)
    }

    /// Ends what the client had before: its link in any case [MQTT-3.1.4-3], its session if it starts clean
    /// [MQTT-3.1.2-4]. Returns the session if it goes on.
    private mutating func resume(
        _ existing: Int?, _ offer: SessionOffer, now: Now, into effects: inout BrokerEffects
    ) -> Int? {
        guard let existing else { return nil }
        if let old = sessions[existing].attachment?.link {
            effects.answer(old, .close(.sessionTakenOver))
            // The will of a link that is taken over goes out as after any loss, unless the session goes on and the
            // will's delay gives the client time to come back, which it just has [MQTT-3.1.3-9]. A session without an
            // expiry interval ends with its link, and takes no time to wait for (§3.1.4).
            let goesOn = !offer.cleanStart && sessions[existing].expiryInterval > 0
            let keepsWill = goesOn && (sessions[existing].will?.delayInterval ?? 0) > 0
            detach(existing, Farewell(publishesWill: !keepsWill), now: now, into: &effects)
        }
        guard sessions[existing].isLive else { return nil }
        if offer.cleanStart {
            end(existing, now: now, into: &effects)
            return nil
        }
        timers.cancel(existing << 1)
        timers.cancel(existing << 1 | 1)
        if sessions[existing].pendingWill != nil { journalWillGone(of: existing) }
        sessions[existing].pendingWill = nil
        return existing
    }

    private mutating func begin(_ clientID: ClientID, _ offer: SessionOffer) -> Int {
        var session = Session(clientID: clientID, userName: offer.userName, expiryInterval: 0)
        session.listener = offer.listener
        session.lastPacketIdentifier = offer.firstPacketIdentifier &- 1
        let slot: Int
        if let free = freeSessions.popLast() {
            slot = free
            sessions[slot] = session
        } else {
            slot = sessions.count
            sessions.append(session)
        }
        enter(clientID, slot)
        return slot
    }

    /// The session can be found by its name from now on.
    mutating func enter(_ clientID: ClientID, _ slot: Int) {
        sessionNames.insert(nameHash(clientID), UInt32(slot))
    }

    mutating func adopt(_ offer: SessionOffer, session: Int, link: LinkID) {
        let window: UInt16
        switch offer.pace {
        case .window(let receiveMaximum): window = min(receiveMaximum, limits.inflightMessagesMax)
        case .oneAtATime: window = 1
        }
        sessions[session].attachment = Attachment(
            link: link, pace: offer.pace, window: window, receiveMaximum: offer.receiveMaximum)
        sessions[session].will = offer.will
        sessions[session].isDevice = link.isDevice
        sessions[session].sleepRules = sleepRules.place(of: offer.sleepQueue)
        sessions[session].expiryInterval = min(offer.sessionExpiryInterval, limits.sessionExpiryMax)
        takeIdentity(of: offer, session)
        // What was in flight is checked again before it is sent again, also by rules that it was sent under.
        sessions[session].checkedRules = 0
        shared.becameReady(UInt32(session))
        setSession(session, of: link)
        if link.isDevice { gauges_.connectedDevices += 1 } else { gauges_.connectedClients += 1 }
        journalSession(session)
    }

    /// A client id nobody has [MQTT-3.1.3-6].
    private mutating func assignedClientID(_ prefix: ClientID) -> ClientID {
        while true {
            var bytes = prefix.bytes
            for _ in 0..<2 {
                let word = random.next()
                for shift in stride(from: 60, through: 0, by: -4) {
                    bytes.append(contentsOf: String(hexDigit(UInt8(truncatingIfNeeded: word >> UInt64(shift)))).utf8)
                }
            }
            let candidate = ClientID(bytes)
            if session(named: candidate) == nil { return candidate }
        }
    }

    /// The link is gone: will, expiry, and what was in flight goes back to the head of the queue (DESIGN §4).
    mutating func detach(
        _ slot: Int, _ farewell: Farewell, now: Now, into effects: inout BrokerEffects
    ) {
        guard let attachment = sessions[slot].attachment else { return }
        setSession(nil, of: attachment.link)
        if attachment.link.isDevice { gauges_.connectedDevices -= 1 } else { gauges_.connectedClients -= 1 }
        loseBusy(slot)
        sessions[slot].attachment = nil
        if let expiry = farewell.sessionExpiryInterval {
            sessions[slot].expiryInterval = min(expiry, limits.sessionExpiryMax)
        }
        returnInflight(slot)
        shared.becameAway(UInt32(slot))
        if sessions[slot].expiryInterval > 0 { handOverShared(of: slot, .away, now: now, into: &effects) }
        let will = sessions[slot].will
        sessions[slot].will = nil
        let expiry = sessions[slot].expiryInterval
        if farewell.publishesWill, let will {
            leave(will, of: slot, expiry: expiry, now: now, into: &effects)
        }
        switch expiry {
        case 0: return end(slot, now: now, into: &effects)
        case .max: break
        default: timers.schedule(slot << 1, at: now.instant + .seconds(Int64(expiry)))
        }
        journalSession(slot, awaySince: now.unixSeconds)
    }

    /// Publishes the will now, or when its delay or the session ends, whichever comes first [MQTT-3.1.3-9].
    private mutating func leave(
        _ will: Will, of slot: Int, expiry: UInt32, now: Now, into effects: inout BrokerEffects
    ) {
        let delay = min(will.delayInterval, expiry)
        guard delay > 0 else { return publish(will, of: slot, now: now, into: &effects) }
        sessions[slot].pendingWill = will
        journal(will, due: delay == .max ? .max : now.unixSeconds + Int64(delay), of: slot)
        if delay != .max { timers.schedule(slot << 1 | 1, at: now.instant + .seconds(Int64(delay))) }
    }

    /// The session ends for good: nothing of it stays.
    mutating func end(_ slot: Int, now: Now, into effects: inout BrokerEffects) {
        timers.cancel(slot << 1)
        timers.cancel(slot << 1 | 1)
        publishPendingWill(slot, now: now, into: &effects)
        removeAllSubscriptions(slot)
        discardOwedRetained(slot)
        guard sessions[slot].isLive else { return }
        handOverShared(of: slot, .ended, now: now, into: &effects)
        forgetPublisher(slot)
        let session = sessions[slot]
        queuedDeliveries -= session.queue.count
        for entry in session.queue where entry.phase == .message {
            noteNotWaiting(entry, of: slot)
            counters.discardedWithSession += 1
            release(entry.message, entry.identifiers)
        }
        for entry in session.inflight where entry.phase == .publish {
            counters.discardedWithSession += 1
            release(entry.message, entry.identifiers)
        }
        for entry in session.received { release(entry.message, .none) }
        journalEnd(of: slot)
        noteEmpty(slot, into: &effects)
        sessionNames.remove(nameHash(session.clientID), UInt32(slot))
        line.remove(slot)
        searchLine.remove(slot)
        queuedMemory.forget(slot)
        sessions[slot] = Session.free
        freeSessions.append(slot)
    }

    /// Ends every link, in the order of the sessions: the server goes [MQTT-4.13.1-1].
    /// - Returns: whether there are more, to be ended by the next call: wills of very many, each for very many, would
    ///   not fit into memory at once.
    @discardableResult
    package mutating func shutDown(now: Now, into effects: inout BrokerEffects) -> Bool {
        sweep()
        while nextToShutDown < sessions.count {
            guard effects.list.count < effectsPerTurn else { return true }
            let slot = nextToShutDown
            nextToShutDown += 1
            guard let link = sessions[slot].attachment?.link else { continue }
            effects.answer(link, .close(.serverShuttingDown))
            // A device is not lost because its gateway goes (MQTT-SN 1.2 §6.14); MQTT knows no such difference.
            detach(slot, Farewell(publishesWill: !link.isDevice), now: now, into: &effects)
        }
        nextToShutDown = 0
        return false
    }
}
