/// What the server sends is held against what it has to send.
extension Model {
    mutating func fault(_ text: String) {
        faults.append(text)
    }

    /// The server wrote a packet.
    mutating func sent(_ packet: ServerPacket, byteCount: Int, on link: Int) {
        if byteCount > links[link].packetBytesMax {
            fault("link \(link): \(byteCount) bytes, \(links[link].packetBytesMax) allowed")  // [MQTT-3.1.2-24]
        }
        switch packet {
        case .publish(let publish): published(publish, on: link)
        case .step(.pubrel, let id, let code, let properties):
            checkProblems(properties, on: link)
            if let place = links[link].due.firstIndex(where: { $0.isRelease && $0.delivery.packetID == id }) {
                checkResendOrder(place, on: link)
                links[link].due.remove(at: place)
            } else {
                answered(.step(.pubrel, id: id, codes: [code]), on: link)
            }
        case .step(let step, let id, let code, let properties):
            checkProblems(properties, on: link)
            answered(.step(step, id: id, codes: [code]), on: link)
        case .suback(let id, let codes, let properties):
            checkProblems(properties, on: link)
            answered(.suback(id: id, codes.map { [$0] }), on: link)
        case .unsuback(let id, let codes, let properties):
            checkProblems(properties, on: link)
            answered(.unsuback(id: id, codes.map { [$0] }), on: link)
        case .pingresp: answered(.pingresp, on: link)
        case .disconnect(let code, _): answered(.disconnect(codes: [code]), on: link)
        case .connack(let isPresent, let code, let properties):
            named(properties.first(ID.assignedClientID)?.octets, on: link)
            answered(
                .connack(
                    isPresent: isPresent, codes: [code], assigned: properties.first(ID.assignedClientID) != nil,
                    expiry: properties.number(ID.sessionExpiry).map { UInt32($0) },
                    keepAlive: properties.number(ID.serverKeepAlive)), on: link)
        }
    }

    /// A client that does not want to hear of problems hears nothing but reasons [MQTT-3.1.2-29].
    private mutating func checkProblems(_ properties: [Property], on link: Int) {
        guard links[link].hidesProblems, !properties.isEmpty else { return }
        fault("link \(link): a reason string or a user property that was not wanted")
    }

    /// The server chose an id for the client [MQTT-3.1.3-6].
    private mutating func named(_ clientID: Octets?, on link: Int) {
        guard let clientID else { return }
        if session(of: clientID) != nil { fault("link \(link): the assigned id is somebody's already") }
        if let session = session(on: link) {
            sessions[session].clientID = clientID
            for index in sessions[session].received.indices {
                sessions[session].received[index].message.publisher = clientID
            }
        }
        links[link].clientID = clientID
    }

    /// The oldest answer of this kind is the one that has to come [MQTT-4.6.0-2].
    private mutating func answered(_ answer: Answer, on link: Int) {
        guard let place = links[link].answers.firstIndex(where: { $0.kind == answer.kind }) else {
            return fault("link \(link): \(answer) answers nothing")
        }
        let expected = links[link].answers.remove(at: place)
        if !expected.allows(answer) { fault("link \(link): \(answer) where \(expected) was due") }
    }

    // MARK: - PUBLISH

    private mutating func published(_ received: Publish, on link: Int) {
        var publish = received
        if let alias = publish.properties.number(ID.topicAlias) {
            if alias == 0 || alias > links[link].topicAliasMax { fault("link \(link): topic alias \(alias)") }
            if publish.topic.isEmpty { publish.topic = links[link].aliasesDown[alias] ?? [] }
            links[link].aliasesDown[alias] = publish.topic
            publish.properties.removeAll { $0.id == ID.topicAlias }
        }
        let places = links[link].due.indices.filter { allows(publish, links[link].due[$0], on: link) }
        guard let place = places.first else {
            if publish.retain, retainedCame(publish, on: link) { return }
            if sharedCame(publish, on: link) { return }
            let due = links[link].due.prefix(4).map { describe($0, on: link) }
            return fault("link \(link): \(text(publish)) is not due, but \(due)")
        }
        let delivery = links[link].due[place].delivery
        checkOrder(place, on: link)
        checkResendOrder(place, on: link)
        links[link].due.remove(at: place)
        if delivery.packetID != nil { tally.sentAgain += 1 } else { tally.sentFirst += 1 }
        guard delivery.qos > 0 else { return }
        if delivery.packetID == nil {
            checkIdentifier(publish.id, on: link)
            delivery.sentNumber = tally.sentFirst
        }
        delivery.packetID = publish.id
        checkWindow(on: link)
    }

    /// Whether this is a retained message that a subscription was owed [MQTT-3.3.1-9].
    private mutating func retainedCame(_ publish: Publish, on link: Int) -> Bool {
        // A session that has just lost its connection, or ended, was sent this before.
        let session = session(of: links[link].clientID)
        let isAttached = session != nil && session == self.session(on: link)
        let searches = isAttached ? session.map { sessions[$0].searches } ?? [] : links[link].lastSearches
        // Which of several subscriptions a message answers cannot be told: no more may come than there are.
        let open = searches.indices.filter {
            Topics.matches(filter: searches[$0].filter, topic: publish.topic)
                && !searches[$0].sent.contains(publish.topic)
        }
        guard let delivery = searches.compactMap({ retained(publish, for: $0, on: link) }).first,
            let place = open.first(where: { searches[$0].owed.contains(publish.topic) }) ?? open.first
        else { return false }
        tally.owed += 1
        tally.sentFirst += 1
        delivery.wasSent = true
        delivery.isInFlight = isAttached
        delivery.packetID = delivery.qos > 0 ? publish.id : nil
        delivery.sentNumber = tally.sentFirst
        if !isAttached { links[link].lastSearches[place].sent.append(publish.topic) }
        guard let session, place < sessions[session].searches.count else { return true }
        sessions[session].searches[place].sent.append(publish.topic)
        sessions[session].searches[place].owed.removeAll { $0 == publish.topic }
        guard delivery.qos > 0 else { return true }
        checkIdentifier(publish.id, on: link)
        sessions[session].unfinished.append(delivery)
        checkWindow(on: link)
        return true
    }

    /// The delivery that a PUBLISH is, if it is what a subscription is owed.
    private func retained(_ publish: Publish, for search: Search, on link: Int) -> Delivery? {
        guard Topics.matches(filter: search.filter, topic: publish.topic) else { return nil }
        for message in search.candidates where message.topic == publish.topic && !isExpired(message) {
            let delivery = Delivery(
                message, qos: min(message.qos, search.qos), retain: true, identifiers: search.identifiers,
                isRetainedReply: true)
            if allows(publish, Due(delivery: delivery, isRelease: false), on: link) { return delivery }
        }
        return nil
    }

    /// No more than Receive Maximum is under way [MQTT-3.3.4-9].
    mutating func checkWindow(on link: Int) {
        guard let session = session(on: link) else { return }
        let count = sessions[session].onWire(links[link])
        if count > window(of: session) { fault("link \(link): \(count) messages sent before one is acknowledged") }
    }

    func allows(_ publish: Publish, _ due: Due, on link: Int) -> Bool {
        guard !due.isRelease else { return false }
        var expected = self.publish(due.delivery, on: link)
        // A new message comes under an identifier of the server's choice.
        if due.delivery.packetID == nil { expected.id = publish.id }
        return Self.sorted(expected) == Self.sorted(publish)
    }

    /// Only among user properties does the order matter [MQTT-3.3.2-18].
    private static func sorted(_ publish: Publish) -> Publish {
        var sorted = publish
        let others = publish.properties.filter { $0.id != ID.userProperty }
        sorted.properties = others.sorted {
            ($0.id, $0.variable) < ($1.id, $1.variable)
        }
        sorted.properties += publish.properties.filter { $0.id == ID.userProperty }
        return sorted
    }

    /// Messages of one client on one topic at one QoS come in the order in which they were received
    /// [MQTT-4.6.0-5] [MQTT-4.6.0-6]; retained ones answer a SUBSCRIBE, and stand for themselves.
    private mutating func checkOrder(_ place: Int, on link: Int) {
        let delivery = links[link].due[place].delivery
        let earlier = links[link].due[..<place].first {
            $0.delivery.qos == delivery.qos && $0.delivery.message.topic == delivery.message.topic
                && $0.delivery.message.publisher == delivery.message.publisher
                && !$0.delivery.isRetainedReply && !delivery.isRetainedReply
        }
        guard let earlier else { return }
        let due = describe(earlier, on: link)
        fault("link \(link): \(describe(links[link].due[place], on: link)) overtook \(due)")
    }

    /// What is sent again is sent in the order of the first time [MQTT-4.6.0-1].
    private mutating func checkResendOrder(_ place: Int, on link: Int) {
        guard links[link].due[place].delivery.packetID != nil else { return }
        guard let earlier = links[link].due[..<place].first(where: { $0.delivery.packetID != nil }) else { return }
        fault("link \(link): sent again before \(describe(earlier, on: link))")
    }

    /// An identifier is nobody else's while it is in use [MQTT-2.2.1-4].
    mutating func checkIdentifier(_ id: Int, on link: Int) {
        let session = sessions.first { $0.clientID == links[link].clientID }
        let isUsed = session?.unfinished.contains { $0.packetID == id } ?? false
        if id == 0 || isUsed { fault("link \(link): packet identifier \(id) is in use") }
    }

    // MARK: - Words

    func describe(_ due: Due, on link: Int) -> String {
        due.isRelease ? "PUBREL \(due.delivery.packetID ?? 0)" : text(publish(due.delivery, on: link))
    }
}

func text(_ octets: Octets) -> String { String(decoding: octets.prefix(40), as: UTF8.self) }

func text(_ publish: Publish) -> String {
    let flags = (publish.dup ? " dup" : "") + (publish.retain ? " retain" : "")
    let properties = publish.properties.map { "\($0.id)=\($0.value)" }.joined(separator: " ")
    let names = "'\(text(publish.topic))' '\(text(publish.payload))'"
    return "PUBLISH \(publish.id) q\(publish.qos)\(flags) \(names) {\(properties)}"
}

extension Answer {
    /// Answers of one kind come in the order in which they were asked for.
    fileprivate var kind: Int {
        switch self {
        case .connack: 2
        case .step(let step, _, _): Int(step.rawValue)
        case .suback: 9
        case .unsuback: 11
        case .pingresp: 13
        case .disconnect: 14
        }
    }

    /// Whether what came is among what this allows.
    fileprivate func allows(_ other: Answer) -> Bool {
        switch (self, other) {
        case (.step(_, let id, let codes), .step(_, let otherID, let other)): id == otherID && codes.allow(other)
        case (.suback(let id, let codes), .suback(let otherID, let other)),
            (.unsuback(let id, let codes), .unsuback(let otherID, let other)):
            id == otherID && codes.count == other.count && zip(codes, other).allSatisfy { $0.allow($1) }
        case (
            .connack(let isPresent, let codes, let assigned, let expiry, let keepAlive),
            .connack(let isOtherPresent, let other, let otherAssigned, let otherExpiry, let otherKeepAlive)
        ):
            isPresent == isOtherPresent && codes.allow(other) && assigned == otherAssigned && expiry == otherExpiry
                && keepAlive == otherKeepAlive
        case (.pingresp, .pingresp): true
        case (.disconnect(let codes), .disconnect(let other)): codes.allow(other)
        default: false
        }
    }
}

extension [UInt8] {
    fileprivate func allow(_ other: [UInt8]) -> Bool { other.allSatisfy { contains($0) } }
}
