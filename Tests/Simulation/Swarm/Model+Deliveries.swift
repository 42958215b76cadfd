/// Who gets a message, and when.
extension Model {
    /// Gives a message to everyone who asked for it, and keeps it where it is to be retained. The reasons that the
    /// publisher may hear.
    /// - Parameter isPromised: whether the publisher was asked to try again if there is no room, and there was.
    mutating func distribute(_ message: Message, retain: Bool, isPromised: Bool = false) -> [UInt8] {
        var codes: [UInt8] = [0]
        if retain, !retainMessage(message) { codes = [0x97] }
        var isWanted = share(message, retain: retain)
        for index in sessions.indices {
            let matching = sessions[index].subscriptions.filter { wants($0, message, sessions[index].clientID) }
            guard !matching.isEmpty else { continue }
            isWanted = true
            // What expired before it was given on is given to nobody [MQTT-3.3.2-5].
            guard !isExpired(message) else {
                tally.owed += 1
                tally.expired += 1
                continue
            }
            let qualities = matching.map { $0.qos }
            let granted = (mutation == .lowestQoS ? qualities.min() : qualities.max()) ?? 0
            owe(
                message, qos: min(message.qos, granted),
                retain: retain && matching.contains { $0.retainAsPublished } && mutation != .retainNeverAsPublished,
                identifiers: matching.compactMap { $0.identifier }.sorted(), to: index,
                isPromised: isPromised && rules.whenFull == .refuse)
        }
        if !isWanted, codes == [0] { codes.append(0x10) }
        return codes
    }

    private func wants(_ subscription: Subscription, _ message: Message, _ clientID: Octets) -> Bool {
        if Topics.isShared(subscription.filter) {
            return mutation == .sharedWithAll && matchesShared(subscription, message)
        }
        if subscription.noLocal, clientID == message.publisher, mutation != .noLocalIgnored { return false }
        return Topics.matches(filter: subscription.filter, topic: message.topic)
    }

    /// What a topic retains now.
    func retained(_ topic: Octets) -> Message? {
        retained.first { $0.topic == topic && !isExpired($0) }
    }

    func isExpired(_ message: Message) -> Bool {
        message.expiresAt.map { $0 <= wallSeconds } ?? false
    }

    /// §3.3.1.3; false when there is no room.
    private mutating func retainMessage(_ message: Message) -> Bool {
        guard rules.retains else { return true }
        let old = retained.firstIndex { $0.topic == message.topic }
        for session in sessions.indices {
            for search in sessions[session].searches.indices {
                sessions[session].searches[search].candidates.append(message)
                // Once there was nothing, nothing is owed any more.
                guard message.payload.isEmpty || old.map({ isExpired(retained[$0]) }) ?? true else { continue }
                sessions[session].searches[search].owed.removeAll { $0 == message.topic }
            }
        }
        if message.payload.isEmpty {
            if let old, mutation != .retainedForEver { retained.remove(at: old) }
        } else if let old {
            retained[old] = message
        } else {
            guard retained.count < rules.retainedMax else { return false }
            retained.append(message)
        }
        return true
    }

    private func matchesShared(_ subscription: Subscription, _ message: Message) -> Bool {
        Topics.matches(filter: Topics.shared(subscription.filter), topic: message.topic)
    }

    /// Where a full queue refuses the publisher: whether everybody who would have to keep the message has room for it,
    /// and it can be retained [M-10].
    mutating func hasRoom(for message: Message, retain: Bool) -> Bool {
        guard rules.whenFull == .refuse else { return true }
        if retain, rules.retains, !message.payload.isEmpty, retained.count >= rules.retainedMax,
            !retained.contains(where: { $0.topic == message.topic })
        {
            return false
        }
        for index in sessions.indices {
            let matching = sessions[index].subscriptions.filter { wants($0, message, sessions[index].clientID) }
            guard min(message.qos, matching.map(\.qos).max() ?? 0) > 0, !goesAtOnce(to: index) else { continue }
            if sessions[index].waiting >= rules.queuedMessagesMax { discardExpired(index) }
            guard sessions[index].waiting < rules.queuedMessagesMax else { return false }
        }
        return true
    }

    private func goesAtOnce(to index: Int) -> Bool {
        sessions[index].link != nil && sessions[index].waiting == 0 && sessions[index].inFlight < window(of: index)
    }

    private mutating func discardExpired(_ index: Int) {
        let before = sessions[index].unfinished.count
        sessions[index].unfinished = sessions[index].unfinished.filter {
            $0.isInFlight || $0.wasSent || !isExpired($0.message)
        }
        tally.expired += before - sessions[index].unfinished.count
    }

    /// Whether there is room at the end of a queue, or is made [M-10].
    private mutating func makeRoom(_ index: Int) -> Bool {
        if sessions[index].waiting >= rules.queuedMessagesMax { discardExpired(index) }
        while sessions[index].waiting >= rules.queuedMessagesMax {
            guard rules.whenFull == .dropOldest,
                let oldest = sessions[index].unfinished.firstIndex(where: { !$0.isInFlight && !$0.wasSent })
            else { return false }
            sessions[index].unfinished.remove(at: oldest)
            tally.droppedFull += 1
        }
        return true
    }

    private mutating func owe(
        _ message: Message, qos: Int, retain: Bool, identifiers: [Int], to index: Int, isPromised: Bool
    ) {
        let isOnline = sessions[index].link != nil
        if qos == 0, !isOnline, !rules.queuesQoS0 { return }
        tally.owed += 1
        let delivery = Delivery(
            message, qos: qos, retain: retain, identifiers: identifiers, canWait: qos > 0 || !isOnline)
        if qos == 0, isOnline { return give(delivery, to: index) }
        guard isPromised || goesAtOnce(to: index) || makeRoom(index) else {
            tally.droppedFull += 1
            return
        }
        sessions[index].unfinished.append(delivery)
        drain(index)
    }

    /// How many messages at QoS 1 and 2 may be under way: no more than the client's Receive Maximum [MQTT-3.3.4-9],
    /// nor than the server's own limit.
    func window(of index: Int) -> Int {
        guard let link = sessions[index].link else { return 0 }
        let window = min(links[link].receiveMaximum, rules.window)
        return mutation == .smallerWindow ? max(1, window - 1) : window
    }

    /// Sends what waits, in order and as far as the window allows.
    mutating func drain(_ index: Int) {
        guard sessions[index].link != nil else { return }
        while let place = sessions[index].unfinished.firstIndex(where: { !$0.isInFlight }) {
            let next = sessions[index].unfinished[place]
            if next.qos > 0, sessions[index].inFlight >= window(of: index) { return }
            if !next.wasSent, isExpired(next.message) {
                sessions[index].unfinished.remove(at: place)
                tally.expired += 1
                continue
            }
            if next.qos == 0 { sessions[index].unfinished.remove(at: place) }
            give(next, to: index)
        }
    }

    /// Hands a delivery to the session's connection, unless it is longer than the client takes [MQTT-3.1.2-25].
    private mutating func give(_ delivery: Delivery, to index: Int) {
        guard let link = sessions[index].link else { return }
        delivery.isInFlight = true
        let packet = publish(delivery, on: link)
        let excess = packet.encoded(links[link].version).count - links[link].packetBytesMax
        let isTooLong = excess > 0 && !delivery.isReleased
        delivery.mayBeTooLong = isTooLong && links[link].topicAliasMax > 0 && excess <= packet.topic.count
        guard !isTooLong || delivery.mayBeTooLong else {
            sessions[index].unfinished.removeAll { $0 === delivery }
            if delivery.packetID == nil { tally.tooLarge += 1 } else { tally.tooLargeLater += 1 }
            return
        }
        delivery.wasSent = true
        links[link].due.append(Due(delivery: delivery, isRelease: delivery.isReleased))
    }

    /// The PUBLISH as it must go out on a connection; a new one has no identifier yet.
    func publish(_ delivery: Delivery, on link: Int) -> Publish {
        var publish = Publish(
            topic: delivery.message.topic, id: delivery.packetID ?? 0, qos: delivery.qos,
            dup: delivery.packetID != nil, retain: delivery.retain, payload: delivery.message.payload)
        guard links[link].version == .v5 else { return publish }
        publish.properties = delivery.message.properties
        if let expiresAt = delivery.message.expiresAt {
            // Counted down by what it waited [MQTT-3.3.2-6]; what the client may have had before is sent again.
            let left = mutation == .expiryNotCounted ? expiresAt - wallSeconds + 1 : expiresAt - wallSeconds
            publish.properties.append(.long(ID.messageExpiry, UInt32(max(0, left))))
        }
        publish.properties += delivery.identifiers.map { Property(ID.subscriptionIdentifier, variableInteger($0)) }
        return publish
    }
}
