package import Bytes
package import Clockwork
package import Journal
package import Messaging

/// Gives a new broker what an earlier one had, out of the records of a store: all of them, in the order of
/// `StoreReader.read`, before anything else is asked of it.
///
/// What does not fit together, in a database that was damaged, is left out and counted.
package struct BrokerRestorer {
    private let now: Now
    /// Messages that are needed in memory; nil for all.
    private let lasting: Set<UInt64>?
    /// Where the messages are, each held once until the end.
    private var handles: [UInt64: MessageHandle] = [:]
    /// Records that refer to something that is not there, or make no sense.
    package private(set) var omitted = 0

    /// - Parameter lasting: the serials of messages that are retained or held for PUBREL. Others stay on disk beyond
    ///   the memory that queues have; nil: all are taken into memory.
    package init(now: Now, lasting: Set<UInt64>? = nil) {
        self.now = now
        self.lasting = lasting
    }

    /// Takes one record.
    package mutating func take(_ record: JournalRecord, into broker: inout Broker) {
        broker.journal.isPaused = true
        let isTaken =
            switch record {
            case .session(let record): broker.restore(record, now: now)
            case .subscription(let record): broker.restore(record)
            case .message(let record): take(record, into: &broker)
            case .delivery(let record): broker.restore(record, handles[record.serial])
            case .released(let session, let sequence): broker.restoreRelease(session: session, sequence: sequence)
            case .received(let session, let packetIdentifier, let serial, let retain):
                broker.restoreReceived(
                    session: session, packetIdentifier: packetIdentifier, retain: retain, handles[serial])
            case .retained(let serial, let topic): broker.restoreRetained(topic, handles[serial])
            case .will(let record): broker.restore(record, now: now)
            case .sessionGone, .subscriptionGone, .messageGone, .started, .deliveryGone, .receivedGone,
                .retainedGone, .willGone, .device, .deviceGone, .deviceTopic, .deviceTopicsGone:
                false
            }
        if !isTaken { omitted += 1 }
    }

    private mutating func take(_ record: MessageRecord, into broker: inout Broker) -> Bool {
        guard handles[record.serial] == nil, let handle = broker.restore(record) else { return false }
        handles[record.serial] = handle
        if let lasting, !lasting.contains(record.serial) { broker.evictBeyondMemory(handle) }
        return true
    }

    /// Everything was taken: messages that nobody holds go, and the journal says so.
    package mutating func finish(_ broker: inout Broker) {
        broker.journal.isPaused = false
        for serial in handles.keys.sorted() {
            if let handle = handles[serial] { broker.release(handle, .none) }
        }
        handles = [:]
        broker.sweep()
    }
}

extension Broker {
    /// The session of a record, if it was restored.
    private func restored(_ session: UInt32) -> Int? {
        let slot = Int(session)
        return slot < sessions.count && sessions[slot].isLive ? slot : nil
    }

    fileprivate mutating func restore(_ record: SessionRecord, now: Now) -> Bool {
        let clientID = ClientID(record.clientID)
        let slot = Int(record.session)
        guard slot < limits.sessionsMax, restored(record.session) == nil, session(named: clientID) == nil,
            !clientID.isEmpty
        else { return false }
        // Records come in the order of their slots: none is looked for among very many.
        if slot < sessions.count { freeSessions.removeAll { $0 == slot } }
        while sessions.count <= slot {
            if sessions.count < slot { freeSessions.append(sessions.count) }
            sessions.append(Session.free)
        }
        sessions[slot] = Session(
            clientID: clientID, userName: record.userName.map { ByteString($0) },
            expiryInterval: record.expiryInterval)
        sessions[slot].isDevice = record.isDevice
        sessions[slot].isJournaled = journal.isOn
        enter(clientID, slot)
        // Whoever was here until the crash has been away since then, and nobody knows for how long that is.
        let away = min(max(now.unixSeconds - (record.awaySince ?? now.unixSeconds), 0), Int64(record.expiryInterval))
        if record.expiryInterval != .max {
            timers.schedule(slot << 1, at: now.instant + .seconds(Int64(record.expiryInterval) - away))
        }
        return true
    }

    fileprivate mutating func restore(_ record: SubscriptionRecord) -> Bool {
        let options = SubscriptionOptions(journaled: record.options, identifier: record.identifier)
        guard let slot = restored(record.session), let options else { return false }
        return restore(SubscriptionRequest(filter: ByteString(record.filter), options: options), session: slot)
    }

    fileprivate mutating func restore(_ record: MessageRecord) -> MessageHandle? {
        guard limits.topicRules.allowsName(record.topic) else { return nil }
        lastSerial = max(lastSerial, record.serial)
        let handle = store(
            Passing(
                serial: record.serial, topic: topics.intern(record.topic), properties: record.properties,
                payload: record.payload, expiresAt: record.expiresAt, qos: record.qos, retain: record.retain,
                takenAt: record.takenAt))
        if journal.isOn {
            _ = messages.noteJournaled(handle)
            messages.noteCommitted(handle)
        }
        return handle
    }

    fileprivate mutating func restore(_ record: DeliveryRecord, _ handle: MessageHandle?) -> Bool {
        guard let slot = restored(record.session), record.sequence > 0,
            record.sequence > sessions[slot].lastSequence
        else { return false }
        guard let handle else { return restoreBare(record, slot) }
        sessions[slot].lastSequence = record.sequence
        messages.hold(handle)
        var identifiers: [UInt32] = []
        var reader = ByteReader(record.identifiers)
        while let identifier = reader.readUInt32() { identifiers.append(identifier) }
        let entry = QueuedDelivery(
            message: handle, identifiers: restored(identifiers), packetIdentifier: record.packetIdentifier,
            qos: record.qos, retain: record.retain, phase: .message,
            group: shared.group(named: ByteString(record.group)).map { shared.serial(of: $0) } ?? 0,
            sequence: UInt32(truncatingIfNeeded: record.sequence))
        if entry.group != 0 { sessions[slot].mayHoldShared = true }
        counters.deliveriesOwed += 1
        putBack(entry, of: slot)
        if entry.isFresh { noteQueued(messages.passing(handle), slot) }
        return true
    }

    /// A delivery whose message the client has: all that is left of it is its PUBREL, which the next record tells.
    private mutating func restoreBare(_ record: DeliveryRecord, _ slot: Int) -> Bool {
        guard record.packetIdentifier != 0, record.qos == .exactlyOnce else { return false }
        sessions[slot].lastSequence = record.sequence
        putBack(
            QueuedDelivery(
                message: .passing, identifiers: .none, packetIdentifier: record.packetIdentifier, qos: .exactlyOnce,
                retain: false, phase: .release, sequence: UInt32(truncatingIfNeeded: record.sequence)), of: slot)
        return true
    }

    private mutating func restored(_ identifiers: [UInt32]) -> SubscriptionIdentifiers {
        switch identifiers.count {
        case 0: .none
        case 1: .one(identifiers[0])
        default: identifierLists.insert(identifiers)
        }
    }

    /// PUBREC of the delivery that was restored last had been seen.
    fileprivate mutating func restoreRelease(session: UInt32, sequence: UInt64) -> Bool {
        guard let slot = restored(session), sessions[slot].lastSequence == sequence,
            let entry = sessions[slot].queue.returned.last,
            entry.sequence == UInt32(truncatingIfNeeded: sequence), entry.qos == .exactlyOnce
        else { return false }
        guard entry.phase == .message else { return true }
        noteNotWaiting(entry, of: slot)
        sessions[slot].queue.releaseLast()
        let size = messages.size(of: entry.message)
        sessions[slot].queuedBytes -= size
        sessions[slot].queue.returnedBytes -= size
        // It was owed and delivered in the life before.
        counters.deliveriesOwed -= 1
        release(entry.message, entry.identifiers)
        return true
    }

    fileprivate mutating func restoreReceived(
        session: UInt32, packetIdentifier: UInt16, retain: Bool, _ handle: MessageHandle?
    ) -> Bool {
        guard let slot = restored(session), let handle, packetIdentifier != 0,
            sessions[slot].received.place(of: packetIdentifier) == nil
        else { return false }
        messages.hold(handle)
        sessions[slot].received.append(
            ReceivedMessage(packetIdentifier: packetIdentifier, message: handle, retain: retain))
        return true
    }

    fileprivate mutating func restoreRetained(_ name: ByteView, _ handle: MessageHandle?) -> Bool {
        guard let handle else { return false }
        let message = messages.passing(handle)
        guard topics.name(of: message.topic) == name, !name.beginsWithDollar, !message.payload.isEmpty,
            limits.retainAvailable
        else {
            return false
        }
        var copy: MessageHandle? = handle
        return retainMessage(message, copy: &copy, qos: message.qos, isPromised: true)
    }

    fileprivate mutating func restore(_ record: WillRecord, now: Now) -> Bool {
        guard let slot = restored(record.session), sessions[slot].pendingWill == nil else { return false }
        sessions[slot].pendingWill = Will(
            topic: ByteString(record.topic), properties: ByteString(record.properties),
            payload: ByteString(record.payload), qos: record.qos, retain: record.retain,
            messageExpiryInterval: record.messageExpiryInterval)
        if record.due != .max {
            timers.schedule(
                slot << 1 | 1, at: now.instant + .seconds(min(max(record.due - now.unixSeconds, 0), 0xFFFF_FFFF)))
        }
        return true
    }
}

// MARK: - Devices

extension Broker {
    /// A device that was known before is there again on the session of its name: attached, unless it is away.
    ///
    /// - Returns: false if there is no such session.
    package mutating func restoreLink(_ link: LinkID, _ offer: SessionOffer, isAttached: Bool) -> Bool {
        guard let slot = session(named: offer.clientID), sessions[slot].attachment == nil else { return false }
        sessions[slot].lastPacketIdentifier = offer.firstPacketIdentifier &- 1
        // The operator may have given the device another name since [D-121].
        if sessions[slot].isDevice { takeIdentity(of: offer, slot) }
        guard isAttached else {
            sessions[slot].sleepRules = sleepRules.place(of: offer.sleepQueue)
            return true
        }
        timers.cancel(slot << 1)
        timers.cancel(slot << 1 | 1)
        journal.isPaused = true
        let expiry = sessions[slot].expiryInterval
        adopt(offer, session: slot, link: link)
        sessions[slot].expiryInterval = expiry
        sessions[slot].attachment?.isOpen = false
        journal.isPaused = false
        return true
    }

    /// The number of a topic of this name, which is kept for the caller; nil if nothing can be called so.
    package mutating func restoreTopic(_ name: ByteView) -> TopicID? {
        guard !name.isEmpty, name.count <= limits.topicBytesMax else { return nil }
        let topic = topics.intern(name)
        topics.keep(topic)
        return topic
    }

    /// The caller keeps the topic no more.
    package mutating func forgetTopic(_ topic: TopicID) { topics.forget(topic) }
}
