internal import Bytes
internal import Clockwork
internal import Journal
internal import Messaging

/// What must survive a crash is told to the journal as it happens (DESIGN §5, docs/adr/0005-durability.md): sessions
/// that outlive their links, with what belongs to them, and retained messages.
extension Broker {
    /// The session began, or its owner, its expiry or its link changed. One that ends with its link is not kept.
    mutating func journalSession(_ slot: Int, awaySince: Int64? = nil) {
        guard journal.isOn else { return }
        guard sessions[slot].expiryInterval > 0 else { return journalEnd(of: slot) }
        sessions[slot].isJournaled = true
        let session = sessions[slot]
        session.clientID.withView { clientID in
            func append(_ userName: ByteView?) {
                journal.append(
                    .session(
                        SessionRecord(
                            session: UInt32(slot), clientID: clientID, userName: userName,
                            expiryInterval: session.expiryInterval, awaySince: awaySince, isDevice: session.isDevice)))
            }
            guard let userName = session.userName else { return append(nil) }
            userName.withView { append($0) }
        }
    }

    /// The session is over, or ends with its link from now on.
    mutating func journalEnd(of slot: Int) {
        guard sessions[slot].isJournaled else { return }
        sessions[slot].isJournaled = false
        journal.append(.sessionGone(session: UInt32(slot)))
    }

    mutating func journalSubscription(_ request: SubscriptionRequest, of slot: Int) {
        guard sessions[slot].isJournaled else { return }
        request.filter.withView { filter in
            journal.append(
                .subscription(
                    SubscriptionRecord(
                        session: UInt32(slot), filter: filter, options: request.options.journaled,
                        identifier: request.options.identifier)))
        }
    }

    mutating func journalUnsubscription(_ filter: ByteString, of slot: Int) {
        guard sessions[slot].isJournaled else { return }
        filter.withView { journal.append(.subscriptionGone(session: UInt32(slot), filter: $0)) }
    }

    // MARK: - Messages

    /// Somebody who survives holds the message from now on.
    private mutating func journalMessage(_ handle: MessageHandle) {
        guard messages.noteJournaled(handle) else { return }
        let message = messages.passing(handle)
        journal.append(
            .message(
                MessageRecord(
                    serial: message.serial, topic: topics.name(of: message.topic), properties: message.properties,
                    payload: message.payload, expiresAt: message.expiresAt, takenAt: message.takenAt,
                    qos: message.qos, retain: message.retain)))
        queuedMemory.noteUnwritten(handle, serial: message.serial, batch: journal.batch)
    }

    /// Nobody at all holds it any more.
    mutating func journalFreed(_ handle: MessageHandle) {
        guard messages[handle].flags.contains(.isJournaled) else { return }
        journal.appendLazily(.messageGone(serial: messages[handle].serial))
    }

    mutating func journalRetained(_ handle: MessageHandle, on topic: TopicID) {
        guard journal.isOn, limits.retainedIsDurable else { return }
        let name = topics.name(of: topic)
        guard !name.beginsWithDollar else { return }
        journalMessage(handle)
        journal.append(.retained(serial: messages[handle].serial, topic: name))
    }

    mutating func journalRetainedGone(_ topic: TopicID) {
        guard journal.isOn, limits.retainedIsDurable else { return }
        let name = topics.name(of: topic)
        if !name.beginsWithDollar { journal.append(.retainedGone(topic: name)) }
    }

    // MARK: - Deliveries

    /// A delivery waits for the session, or is sent to it at once under its packet identifier: it gets its number.
    mutating func journal(_ entry: inout QueuedDelivery, of slot: Int) {
        // At QoS 0 nothing was promised.
        guard sessions[slot].isJournaled, !refusesPromises || entry.qos > .atMostOnce else { return }
        if entry.sequence == 0 { entry.sequence = sessions[slot].nextSequence() }
        journalMessage(entry.message)
        var list = OutputBuffer()
        defer { list.deallocate() }
        for identifier in identifiers(of: entry) { list.append(identifier) }
        let group = shared.name(ofSerial: entry.group) ?? ByteString()
        group.withView { group in
            journal.append(
                .delivery(
                    DeliveryRecord(
                        session: UInt32(slot), sequence: sessions[slot].fullSequence(entry.sequence),
                        serial: messages[entry.message].serial, packetIdentifier: entry.packetIdentifier,
                        qos: entry.qos, retain: entry.retain, group: group, identifiers: list.pending)))
        }
    }

    private func identifiers(of entry: QueuedDelivery) -> [UInt32] {
        if let index = entry.identifiers.listIndex { return identifierLists[index] }
        return entry.identifiers == .none ? [] : [entry.identifiers.raw]
    }

    /// A delivery is sent, under this packet identifier. Returns its number.
    mutating func journalSent(_ entry: QueuedDelivery, as packetIdentifier: UInt16, of slot: Int) -> UInt32 {
        guard sessions[slot].isJournaled else { return 0 }
        var entry = entry
        let wasSent = entry.packetIdentifier != 0
        entry.packetIdentifier = packetIdentifier
        if entry.sequence == 0 {
            journal(&entry, of: slot)
        } else if !wasSent {
            // At QoS 1 a crash costs a repetition; at QoS 2 the delivery itself waits.
            journal.appendLazily(
                .started(
                    session: UInt32(slot), sequence: sessions[slot].fullSequence(entry.sequence),
                    packetIdentifier: packetIdentifier))
        }
        return entry.sequence
    }

    /// From now on only PUBREL is sent.
    mutating func journalRelease(_ sequence: UInt32, of slot: Int) {
        guard sequence != 0, sessions[slot].isJournaled else { return }
        journal.append(.released(session: UInt32(slot), sequence: sessions[slot].fullSequence(sequence)))
    }

    /// The delivery is over.
    mutating func journalGone(_ sequence: UInt32, of slot: Int) {
        guard sequence != 0, sessions[slot].isJournaled else { return }
        journal.appendLazily(.deliveryGone(session: UInt32(slot), sequence: sessions[slot].fullSequence(sequence)))
    }

    // MARK: - From the client

    mutating func journalReceived(_ received: ReceivedMessage, of slot: Int) {
        guard sessions[slot].isJournaled else { return }
        journalMessage(received.message)
        journal.append(
            .received(
                session: UInt32(slot), packetIdentifier: received.packetIdentifier,
                serial: messages[received.message].serial, retain: received.retain))
    }

    mutating func journalReceivedGone(_ packetIdentifier: UInt16, of slot: Int) {
        guard sessions[slot].isJournaled else { return }
        journal.append(.receivedGone(session: UInt32(slot), packetIdentifier: packetIdentifier))
    }

    /// A will waits for its delay: until `due` in seconds since 1970, or `Int64.max` for the end of the session.
    mutating func journal(_ will: Will, due: Int64, of slot: Int) {
        guard sessions[slot].isJournaled else { return }
        will.topic.withView { topic in
            will.properties.withView { properties in
                will.payload.withView { payload in
                    journal.append(
                        .will(
                            WillRecord(
                                session: UInt32(slot), due: due, topic: topic, properties: properties,
                                payload: payload, qos: will.qos, retain: will.retain,
                                messageExpiryInterval: will.messageExpiryInterval)))
                }
            }
        }
    }

    mutating func journalWillGone(of slot: Int) {
        guard sessions[slot].isJournaled else { return }
        journal.append(.willGone(session: UInt32(slot)))
    }
}

extension SubscriptionOptions {
    /// As in SUBSCRIBE (MQTT 5.0 §3.8.3.1).
    var journaled: UInt8 {
        maximumQoS.rawValue | (noLocal ? 0x04 : 0) | (retainAsPublished ? 0x08 : 0) | retainHandling.rawValue << 4
    }

    /// What `journaled` wrote; nil for anything else.
    init?(journaled byte: UInt8, identifier: UInt32) {
        guard let qos = QoS(rawValue: byte & 0x03), let handling = RetainHandling(rawValue: byte >> 4 & 0x03) else {
            return nil
        }
        self.init(
            maximumQoS: qos, noLocal: byte & 0x04 != 0, retainAsPublished: byte & 0x08 != 0, retainHandling: handling,
            identifier: identifier)
    }
}
