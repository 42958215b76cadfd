internal import Bytes
package import Clockwork
package import Messaging

extension Broker {
    mutating func publishReceived(
        _ publish: IncomingPublish, from session: Int, link: LinkID, now: Now, into effects: inout BrokerEffects
    ) {
        count(received: publish)
        var topic: TopicID?
        var refusal = refusal(of: publish, topic: &topic)
        if let topic, !mayPublish(to: topic, as: session) { refusal = .notAuthorized }
        guard let topic, refusal == .success else {
            counters.publishesRefused += 1
            return acknowledge(publish, with: refusal, link: link, into: &effects)
        }
        let message = takeIn(publish, topic: topic, now: now)
        if refusesPromises, lacksStorage(for: message, publish, from: session) {
            counters.publishesRefused += 1
            return acknowledge(publish, with: .quotaExceeded, link: link, into: &effects)
        }
        if publish.qos == .exactlyOnce {
            return receive(publish, message, session: session, link: link, now: now, into: &effects)
        }
        let isPromised = limits.queueFullPolicy == .refuse && publish.qos > .atMostOnce
        if isPromised, !findsRoom(message, publish, isStored: false, from: session, now: now, into: &effects) {
            counters.publishesRefused += 1
            return acknowledge(publish, with: .quotaExceeded, link: link, into: &effects)  // [M-10]
        }
        let outcome = distribute(
            message, stored: nil, qos: publish.qos, retain: publish.retain, from: session, isPromised: isPromised,
            now: now, into: &effects)
        acknowledge(publish, with: outcome, link: link, into: &effects)
    }

    /// Publishes for nobody's session: a device's PUBLISH at QoS -1, or the broker's own words under `$SYS`, which
    /// only `isOwn` may use.
    ///
    /// - Parameter client: whom the access rules are asked about.
    package mutating func publish(
        _ publish: IncomingPublish, isOwn: Bool, as client: ClientIdentity = .anonymous, now: Now,
        into effects: inout BrokerEffects
    ) {
        sweep()
        stranger = client
        var topic: TopicID?
        if isOwn, case .name(let name) = publish.topic {
            topic = topics.intern(name)
        } else {
            count(received: publish)
            guard refusal(of: publish, topic: &topic) == .success, mayPublish(to: topic, as: nil) else {
                counters.publishesRefused += 1
                return
            }
        }
        guard let topic else { return }
        let message = takeIn(publish, topic: topic, now: now)
        _ = distribute(
            message, stored: nil, qos: publish.qos, retain: publish.retain, from: nil, now: now, into: &effects)
    }

    /// Why a message is not taken; `success` sets its topic.
    private mutating func refusal(of publish: IncomingPublish, topic: inout TopicID?) -> PublishOutcome {
        switch publish.topic {
        case .id(let known):
            if topics.name(of: known).beginsWithDollar { return .notAuthorized }
            topic = known
        case .name(let name):
            // Names with `$` are the server's own; nobody exchanges messages through them [MQTT-4.7.2-1].
            if name.beginsWithDollar { return .notAuthorized }
            let rules = limits.topicRules
            topic = topics.intern(name) { rules.allowsName($0) }
            if topic == nil { return .topicNameInvalid }
        }
        return .success
    }

    private mutating func takeIn(_ publish: IncomingPublish, topic: TopicID, now: Now) -> Passing {
        lastSerial += 1
        let expiresAt = publish.messageExpiryInterval.map { now.unixSeconds + Int64($0) } ?? .max
        let message = Passing(
            serial: lastSerial, topic: topic, properties: publish.properties, payload: publish.payload,
            expiresAt: expiresAt, qos: publish.qos, retain: publish.retain, takenAt: now.seconds)
        passing = message
        return message
    }

    /// QoS 2, first half: the message is kept under its identifier until PUBREL (§4.3.3). A second PUBLISH with the
    /// same identifier is answered again and not stored again [MQTT-4.3.3-10].
    private mutating func receive(
        _ publish: IncomingPublish, _ message: Passing, session: Int, link: LinkID, now: Now,
        into effects: inout BrokerEffects
    ) {
        if let place = sessions[session].received.place(of: publish.packetIdentifier) {
            guard link.isDevice, !publish.isDuplicate else {
                return acknowledge(publish, with: .success, link: link, into: &effects)
            }
            // A device that lost its memory counts its MsgIds from the start again. Without DUP this is a new
            // message, and PUBREL will mean it; a copy that the network made is put in its own place.
            release(sessions[session].received.remove(at: place).message, .none)
            journalReceivedGone(publish.packetIdentifier, of: session)
        }
        let most = sessions[session].attachment?.receiveMaximum ?? 0
        if link.isDevice, sessions[session].received.count >= most {
            passOnForgotten(of: session, now: now, into: &effects)
        }
        guard sessions[session].received.count < most else {
            counters.publishesRefused += 1
            return acknowledge(publish, with: .receiveMaximumExceeded, link: link, into: &effects)
        }
        guard hasRoomToHold(message) else {
            noteAllFull(into: &effects)
            counters.publishesRefused += 1
            return acknowledge(publish, with: .quotaExceeded, link: link, into: &effects)
        }
        if limits.queueFullPolicy == .refuse,
            !findsRoom(message, publish, isStored: true, from: session, now: now, into: &effects)
        {
            // PUBREC can say no, PUBCOMP cannot: the question is asked now [M-11].
            counters.publishesRefused += 1
            return acknowledge(publish, with: .quotaExceeded, link: link, into: &effects)
        }
        let received = ReceivedMessage(
            packetIdentifier: publish.packetIdentifier, message: store(message), retain: publish.retain)
        sessions[session].received.append(received)
        journalReceived(received, of: session)
        acknowledge(publish, with: .success, link: link, into: &effects)
    }

    /// A device that lost its memory never sends PUBREL for what it published before. What is older than all its
    /// retries (§6.13) is passed on, the oldest first, when its place is needed: it was acknowledged [D-99].
    private mutating func passOnForgotten(of session: Int, now: Now, into effects: inout BrokerEffects) {
        let oldest = sessions[session].received.min { messages[$0.message].serial < messages[$1.message].serial }
        guard let oldest, now.unixSeconds - Int64(messages[oldest.message].takenAt) >= forgottenAfter,
            let place = sessions[session].received.place(of: oldest.packetIdentifier)
        else { return }
        passOn(place, session: session, now: now, into: &effects)
    }

    /// QoS 2, second half: PUBREL sends the message on, once, and is answered by PUBCOMP in any case
    /// [MQTT-4.3.3-11].
    mutating func releaseReceived(
        _ identifier: UInt16, session: Int, link: LinkID, now: Now, into effects: inout BrokerEffects
    ) {
        guard let index = sessions[session].received.place(of: identifier) else {
            counters.unknownIdentifiers += 1
            let answer = Acknowledgement(.pubcomp, identifier, .packetIdentifierNotFound)
            return effects.answer(link, .acknowledge(answer))
        }
        if refusesPromises, sessions[session].isJournaled { return keepReceived(session, link, now, into: &effects) }
        passOn(index, session: session, now: now, into: &effects)
        effects.answer(link, .acknowledge(Acknowledgement(.pubcomp, identifier)))
    }

    private mutating func passOn(_ place: Int, session: Int, now: Now, into effects: inout BrokerEffects) {
        let received = sessions[session].received.remove(at: place)
        journalReceivedGone(received.packetIdentifier, of: session)
        // Whoever gets it at QoS 0 must not get it again when the PUBREL is repeated after a crash.
        passesRecorded = sessions[session].isJournaled
        defer { passesRecorded = false }
        let message = messages.passing(received.message)
        // The rules may have changed since PUBLISH (attack case 41), and PUBCOMP has no word for it.
        if mayPublish(to: message.topic, as: session) {
            _ = distribute(
                message, stored: received.message, qos: .exactlyOnce, retain: received.retain, from: session,
                isPromised: limits.queueFullPolicy == .refuse, now: now, into: &effects)
        } else {
            counters.publishesRefused += 1
        }
        release(received.message, .none)
    }

    /// Says how a PUBLISH went: PUBACK or PUBREC. At QoS 0 a refusal is told too, with identifier 0: MQTT-SN can say
    /// it [D-08], MQTT keeps silent.
    private func acknowledge(
        _ publish: IncomingPublish, with outcome: PublishOutcome, link: LinkID, into effects: inout BrokerEffects
    ) {
        switch publish.qos {
        case .atMostOnce:
            guard !outcome.isAccepted else { return }
            effects.answer(link, .acknowledge(Acknowledgement(.puback, 0, outcome)))
        case .atLeastOnce:
            effects.answer(link, .acknowledge(Acknowledgement(.puback, publish.packetIdentifier, outcome)))
        case .exactlyOnce:
            effects.answer(link, .acknowledge(Acknowledgement(.pubrec, publish.packetIdentifier, outcome)))
        }
    }

    /// Keeps the message if it is to be retained, and gives it to everyone who is subscribed.
    /// - Parameters:
    ///   - stored: where the message is held, if its bytes must outlive the event.
    ///   - isPromised: whether the publisher was, or will be, told that nobody misses it [M-11].
    mutating func distribute(
        _ message: Passing, stored: MessageHandle?, qos: QoS, retain: Bool, from publisher: Int?,
        isPromised: Bool = false, now: Now, into effects: inout BrokerEffects
    ) -> PublishOutcome {
        var outcome = PublishOutcome.success
        var copy = stored
        if retain {
            if retainMessage(message, copy: &copy, qos: qos, isPromised: isPromised) {
                notePublisher(of: message.topic, publisher)
            } else {
                outcome = .notRetained
            }
        }
        let route = route(of: message.topic)
        // At QoS 2 a message may have expired between PUBLISH and PUBREL: then nobody gets it [MQTT-3.3.2-5].
        let isExpired = stored != nil && qos == .exactlyOnce && message.expiresAt <= now.unixSeconds
        var matched = 0
        var overlaps = Overlaps()
        for entry in route {
            // Of a shared subscription, the member whose turn it is.
            guard let (entry, group) = receiver(of: entry, message) else { continue }
            let session = Int(entry.session)
            if entry.noLocal, session == publisher { continue }
            matched += 1
            if isExpired {
                counters.deliveriesOwed += 1
                counters.expired += 1
                continue
            }
            let (own, identifiers) =
                entry.mixesNoLocal && session == publisher
                ? ownDelivery(entry, topic: message.topic)
                : (entry, identifiers(for: entry, topic: message.topic, &overlaps))
            let wantedQoS = min(qos, own.maximumQoS)
            // Nobody was asked about receivers at QoS 0, and nothing was promised for them [M-13].
            let wanted = WantedDelivery(
                qos: wantedQoS, retain: retain && own.retainAsPublished, identifiers: identifiers,
                group: group, isPromised: isPromised && wantedQoS > .atMostOnce)
            deliver(message, copy: &copy, wanted, to: session, now: now, into: &effects)
        }
        // What was copied here was held here once.
        if let copy, stored == nil { release(copy, .none) }
        if matched == 0, outcome == .success { outcome = .noMatchingSubscribers }
        return outcome
    }

    /// A copy of the message that outlives the event, made once for all who need it.
    mutating func stored(_ message: Passing, copy: inout MessageHandle?) -> MessageHandle {
        if let copy { return copy }
        let handle = store(message)
        copy = handle
        return handle
    }

    mutating func store(_ message: Passing) -> MessageHandle {
        topics.keep(message.topic)
        return messages.store(message, topicName: topics.name(of: message.topic))
    }

    private mutating func count(received publish: IncomingPublish) {
        counters.payloadBytesReceived += UInt64(publish.payload.count)
        switch publish.qos {
        case .atMostOnce: counters.messagesReceived.qos0 += 1
        case .atLeastOnce: counters.messagesReceived.qos1 += 1
        case .exactlyOnce: counters.messagesReceived.qos2 += 1
        }
    }
}

/// Seconds after which a device has given an exchange up: five retries and the first attempt, 15 seconds each (§7.2).
private let forgottenAfter: Int64 = 90

/// How one session wants a message.
struct WantedDelivery {
    var qos: QoS
    var retain: Bool
    var identifiers: SubscriptionIdentifiers
    /// The shared subscription that it comes by, as in `QueuedDelivery`.
    var group: UInt32 = 0
    /// Whether it may go beyond the limits of the session's queue, since its publisher was told yes [M-11].
    var isPromised = false
}
