/// A message for a shared subscription (§4.8.2), until the server has sent it to one of the members.
struct SharedMessage {
    let message: Message
    let retain: Bool
    /// The whole filter, `$share/…/…`.
    let group: Octets
    /// Whether it came in the present step, and a member had room for it: then one gets it at once.
    var isNew = true
    /// Whether some member was ever granted QoS 0, at which it may be lost.
    var mayBeLost = false
}

/// Shared subscriptions: each message goes to one of the members, whichever the server chooses, and is not lost with a
/// member that goes [M-21].
extension Model {
    /// Gives a message to each group that wants it, once. Whether there is one.
    mutating func share(_ message: Message, retain: Bool) -> Bool {
        var groups: [Octets] = []
        for subscription in sessions.flatMap(\.subscriptions) where Topics.isShared(subscription.filter) {
            guard !groups.contains(subscription.filter) else { continue }
            guard Topics.matches(filter: Topics.shared(subscription.filter), topic: message.topic) else { continue }
            groups.append(subscription.filter)
        }
        for group in groups where !isExpired(message) {
            var entry = SharedMessage(message: message, retain: retain, group: group)
            entry.isNew = members(group).contains { isReady($0, entry) { _ in 0 } }
            shared.append(entry)
        }
        return !groups.isEmpty
    }

    func members(_ group: Octets) -> [Int] {
        sessions.indices.filter { index in sessions[index].subscriptions.contains { $0.filter == group } }
    }

    /// Whether a PUBLISH is a shared message that this client may have; it is the client's from here on.
    mutating func sharedCame(_ publish: Publish, on link: Int) -> Bool {
        guard let session = session(on: link) else { return false }
        // Of two that look the same, the new one is demanded.
        for place in shared.indices.sorted(by: { shared[$0].isNew && !shared[$1].isNew }) {
            let entry = shared[place]
            guard mutation != .sharedWithAll else { return false }
            for subscription in sessions[session].sharedOptions where subscription.filter == entry.group {
                let delivery = Delivery(
                    entry.message, qos: min(entry.message.qos, subscription.qos),
                    retain: entry.retain && subscription.retainAsPublished,
                    identifiers: subscription.identifier.map { [$0] } ?? [], group: entry.group)
                guard !isExpired(entry.message),
                    allows(publish, Due(delivery: delivery, isRelease: false), on: link)
                else { continue }
                shared.remove(at: place)
                take(delivery, publish, session, link)
                return true
            }
        }
        return false
    }

    /// A delivery that the server began of its own choice.
    mutating func take(_ delivery: Delivery, _ publish: Publish, _ session: Int, _ link: Int) {
        tally.owed += 1
        tally.sentFirst += 1
        delivery.wasSent = true
        delivery.isInFlight = true
        delivery.sentNumber = tally.sentFirst
        guard delivery.qos > 0 else { return }
        checkIdentifier(publish.id, on: link)
        delivery.packetID = publish.id
        sessions[session].unfinished.append(delivery)
        checkWindow(on: link)
    }

    /// What a session that ends was sent and has not acknowledged goes to the others, but for QoS 2 [MQTT-4.8.2-5].
    mutating func handOver(_ delivery: Delivery) {
        guard let group = delivery.group, delivery.qos == 1 else { return }
        shared.append(SharedMessage(message: delivery.message, retain: delivery.retain, group: group, isNew: false))
    }

    /// A new message does not wait while a member could take it. What nobody will ever take is forgotten.
    mutating func settleShared(backlog: (Int) -> Int) {
        shared = shared.filter { entry in !members(entry.group).isEmpty && !isExpired(entry.message) }
        for place in shared.indices {
            let members = members(shared[place].group)
            if members.contains(where: { granted($0, shared[place]) == 0 }) { shared[place].mayBeLost = true }
            if shared[place].isNew, members.contains(where: { isReady($0, shared[place], backlog) }) {
                fault("'\(text(shared[place].message.payload))' came to nobody of \(text(shared[place].group))")
            }
            shared[place].isNew = false
        }
    }

    private func granted(_ session: Int, _ entry: SharedMessage) -> Int {
        let subscription = sessions[session].subscriptions.first { $0.filter == entry.group }
        return min(entry.message.qos, subscription?.qos ?? 0)
    }

    private func isReady(_ session: Int, _ entry: SharedMessage, _ backlog: (Int) -> Int) -> Bool {
        guard let link = sessions[session].link, backlog(link) <= rules.outputBytesMax / 2 else { return false }
        // One who is busy may be passed over at QoS 0 too: the choice is the server's.
        return sessions[session].waiting == 0 && sessions[session].inFlight < window(of: session)
    }

    /// When everybody is here and has acknowledged everything, nothing waits for a group.
    func lostShared() -> [String] {
        shared.filter { entry in
            !entry.mayBeLost && members(entry.group).allSatisfy { sessions[$0].link != nil }
        }.map { "'\(text($0.message.payload))' is lost to \(text($0.group))" }
    }
}

extension Topics {
    /// The filter behind the name of a group, or nothing if that is no name [MQTT-4.8.2-1] [MQTT-4.8.2-2].
    static func shared(_ filter: Octets) -> Octets {
        let levels = levels(filter)
        guard levels.count > 2, !levels[1].isEmpty else { return [] }
        guard !levels[1].contains(UInt8(ascii: "+")), !levels[1].contains(UInt8(ascii: "#")) else { return [] }
        return Octets(levels[2...].joined(separator: [UInt8(ascii: "/")]))
    }
}
