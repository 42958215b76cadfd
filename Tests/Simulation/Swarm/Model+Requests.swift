/// What clients send, and what they must hear.
extension Model {
    /// A whole packet reached the server.
    mutating func received(_ packet: ClientPacket, on link: Int) {
        switch (links[link].phase, packet) {
        case (.opened, .connect(let connect)): self.connect(connect, on: link)
        case (.opened, _): close(link, [])  // [MQTT-3.1.0-1]
        case (.connected, _):
            guard let session = session(on: link) else { return }
            receive(packet, on: link, from: session)
        case (.closing, _), (.gone, _): break
        }
    }

    private mutating func receive(_ packet: ClientPacket, on link: Int, from session: Int) {
        switch packet {
        case .connect: close(link, [0x82])  // [MQTT-3.1.0-2]
        case .publish(let publish): self.publish(publish, on: link, from: session)
        case .step(.puback, let id, _): finish(id, qos: 1, on: link, from: session)
        case .step(.pubcomp, let id, _): finish(id, qos: 2, on: link, from: session)
        case .step(.pubrec, let id, let code): released(id, code, on: link, from: session)
        case .step(.pubrel, let id, _): release(id, on: link, from: session)
        case .subscribe(let id, let requests, let identifier):
            subscribe(id, requests, identifier, on: link, from: session)
        case .unsubscribe(let id, let filters): unsubscribe(id, filters, on: link, from: session)
        case .pingreq: links[link].answers.append(.pingresp)
        case .disconnect(let code, let expiry): disconnect(code, expiry, on: link, from: session)
        case .broken(_, _, let codes): close(link, codes)
        }
    }

    // MARK: - CONNECT, DISCONNECT

    private mutating func connect(_ connect: Connect, on link: Int) {
        links[link].version = connect.version
        links[link].packetBytesMax = connect.properties.number(ID.maximumPacketSize) ?? .max
        links[link].receiveMaximum = connect.properties.number(ID.receiveMaximum) ?? 65_535
        links[link].topicAliasMax = connect.properties.number(ID.topicAliasMaximum) ?? 0
        links[link].hidesProblems = connect.properties.number(ID.requestProblemInformation) == 0
        if let codes = refusal(of: connect) {
            links[link].answers.append(
                .connack(isPresent: false, codes: codes, assigned: false, expiry: nil, keepAlive: nil))
            links[link].phase = .closing
            return
        }
        var clientID = connect.clientID
        if clientID.isEmpty {
            // Not UTF-8, so that nobody else can have it; CONNACK will say the real one.
            nameless += 1
            clientID = [0xFF] + twoBytes(nameless)
        }
        if let old = session(of: clientID), let oldLink = sessions[old].link { close(oldLink, [0x8E]) }
        if connect.cleanStart, let old = session(of: clientID) { end(old) }  // [MQTT-3.1.2-4]
        let isPresent = session(of: clientID) != nil && mutation != .sessionNeverPresent
        if session(of: clientID) == nil { sessions.append(Session(clientID: clientID)) }
        guard let session = session(of: clientID) else { return }
        attach(connect, clientID, session, to: link, isPresent: isPresent)
        drain(session)
    }

    private mutating func attach(
        _ connect: Connect, _ clientID: Octets, _ session: Int, to link: Int, isPresent: Bool
    ) {
        var asked = connect.cleanStart ? 0 : UInt32.max
        if connect.version == .v5 { asked = UInt32(connect.properties.number(ID.sessionExpiry) ?? 0) }
        let expiry = min(asked, rules.sessionExpiryMax)
        // What was sent before waits first, in the order in which it was sent [MQTT-4.6.0-1].
        let sent = sessions[session].unfinished.filter { $0.packetID != nil }.sorted { $0.sentNumber < $1.sentNumber }
        sessions[session].unfinished = sent + sessions[session].unfinished.filter { $0.packetID == nil }
        sessions[session].link = link
        sessions[session].expiry = expiry
        sessions[session].endsAt = nil
        sessions[session].willDueAt = nil
        sessions[session].will = connect.will
        let keepAlive = connect.keepAlive == 0 ? 65_536 : connect.keepAlive
        let isTooLong = rules.keepAliveMax < 65_535 && keepAlive > rules.keepAliveMax
        let seconds = isTooLong ? rules.keepAliveMax : connect.keepAlive
        let factor = mutation == .keepAliveTwice ? 2_000_000_000 : 1_500_000_000
        links[link].phase = .connected
        links[link].clientID = clientID
        links[link].heardAt = now
        links[link].silenceMax = seconds == 0 ? nil : UInt64(seconds * factor)
        links[link].sessionEndsHere = asked == 0
        links[link].answers.append(
            .connack(
                isPresent: isPresent && connect.version != .v31, codes: [0],
                assigned: connect.version == .v5 && connect.clientID.isEmpty,
                expiry: connect.version == .v5 && expiry != asked ? expiry : nil,
                keepAlive: connect.version == .v5 && isTooLong ? rules.keepAliveMax : nil))
    }

    private func refusal(of connect: Connect) -> [UInt8]? {
        let keepAlive = connect.keepAlive == 0 ? 65_536 : connect.keepAlive
        let isTooLong = rules.keepAliveMax < 65_535 && keepAlive > rules.keepAliveMax
        if connect.version != .v5, isTooLong { return [2] }  // [M-04]
        if connect.clientID.isEmpty, connect.version == .v31 { return [2] }
        if connect.clientID.isEmpty, connect.version == .v311, !connect.cleanStart { return [2] }
        guard let will = connect.will else { return nil }
        if Topics.belongsToServer(will.topic) { return connect.version == .v5 ? [0x87] : [5] }
        if will.qos > rules.qosMax { return connect.version == .v5 ? [0x9B] : [1, 2, 3, 5] }
        if will.retain, !rules.retains { return connect.version == .v5 ? [0x9A] : [1, 2, 3, 5] }
        if !isWellFormed(will) { return [0x99] }
        return nil
    }

    private mutating func disconnect(_ code: UInt8, _ expiry: UInt32?, on link: Int, from session: Int) {
        if let expiry, expiry != 0, links[link].sessionEndsHere { return close(link, [0x82]) }
        links[link].phase = .closing
        detach(session, publishesWill: code != 0, expiry: expiry)  // [MQTT-3.1.2-10]
    }

    // MARK: - PUBLISH

    /// What a PUBLISH brings.
    func message(_ publish: Publish, _ publisher: Octets) -> Message {
        let kept = publish.properties.filter { $0.id != ID.messageExpiry && $0.id != ID.topicAlias }
        return Message(
            topic: publish.topic, payload: publish.payload, properties: kept, qos: publish.qos, publisher: publisher,
            expiresAt: publish.properties.number(ID.messageExpiry).map { wallSeconds + Int64($0) })
    }

    private mutating func publish(_ received: Publish, on link: Int, from session: Int) {
        var publish = received
        if publish.qos > rules.qosMax { return close(link, [0x9B]) }
        if publish.retain, !rules.retains { return close(link, [0x9A]) }
        if let alias = publish.properties.number(ID.topicAlias) {
            guard alias > 0, alias <= rules.topicAliasMax else { return close(link, [0x94]) }
            if publish.topic.isEmpty {
                guard let known = links[link].aliasesUp[alias] else { return close(link, [0x82]) }
                publish.topic = known
            }
            links[link].aliasesUp[alias] = publish.topic
        }
        guard isWellFormed(publish) else {
            guard publish.qos > 0 else { return close(link, [0x99]) }
            return answer(publish.qos == 1 ? .puback : .pubrec, publish.id, [0x99], on: link)
        }
        let message = message(publish, sessions[session].clientID)
        var refusal: UInt8?
        if Topics.belongsToServer(publish.topic) { refusal = 0x87 }
        if refusal == nil, !Topics.isName(publish.topic, rules) { refusal = 0x90 }
        switch publish.qos {
        case 0: if refusal == nil { _ = distribute(message, retain: publish.retain) }
        case 1:
            if refusal == nil, !hasRoom(for: message, retain: publish.retain) { return refuse(publish, on: link) }
            let codes = refusal.map { [$0] } ?? distribute(message, retain: publish.retain, isPromised: true)
            answer(.puback, publish.id, codes, on: link)
        default: receiveExactlyOnce(publish, message, refusal, on: link, from: session)
        }
    }

    /// No room: a client before MQTT 5, which cannot be told, keeps the message and loses its connection [M-05].
    private mutating func refuse(_ publish: Publish, on link: Int) {
        guard links[link].version == .v5 else { return close(link, []) }
        answer(publish.qos == 1 ? .puback : .pubrec, publish.id, [0x97], on: link)
    }

    /// Whether a payload is UTF-8 where it says so and the server looks at it (§3.3.2.3.2).
    private func isWellFormed(_ publish: Publish) -> Bool {
        guard rules.checksPayloads, publish.properties.number(ID.payloadFormat) == 1 else { return true }
        return Octets(String(decoding: publish.payload, as: UTF8.self).utf8) == publish.payload
    }

    /// The message is the server's with PUBREC, and passed on with PUBREL, once (§4.3.3).
    private mutating func receiveExactlyOnce(
        _ publish: Publish, _ message: Message, _ refusal: UInt8?, on link: Int, from session: Int
    ) {
        if let refusal { return answer(.pubrec, publish.id, [refusal], on: link) }
        let isKnown = sessions[session].received.contains { $0.id == publish.id }
        if isKnown, mutation == .exactlyOnceTwice { _ = distribute(message, retain: publish.retain) }
        if !isKnown {
            let open = links[link].version == .v5 ? rules.receiveMaximum : rules.openMessagesMax
            guard sessions[session].received.count < open else { return close(link, [0x93]) }  // §3.3.4
            guard hasRoom(for: message, retain: publish.retain) else { return refuse(publish, on: link) }
            sessions[session].received.append((publish.id, message, publish.retain))
        }
        answer(.pubrec, publish.id, [0, 0x10], on: link)
    }

    private mutating func release(_ id: Int, on link: Int, from session: Int) {
        guard let index = sessions[session].received.firstIndex(where: { $0.id == id }) else {
            return answer(.pubcomp, id, [0x92], on: link)
        }
        let (_, message, retain) = sessions[session].received.remove(at: index)
        _ = distribute(message, retain: retain, isPromised: true)
        answer(.pubcomp, id, [0], on: link)
    }

    /// Before MQTT 5 there are no reasons.
    private mutating func answer(_ step: Step, _ id: Int, _ codes: [UInt8], on link: Int) {
        links[link].answers.append(.step(step, id: id, codes: links[link].version == .v5 ? codes : [0]))
    }

    // MARK: - Acknowledgements of deliveries

    private mutating func finish(_ id: Int, qos: Int, on link: Int, from session: Int) {
        guard
            let index = sessions[session].unfinished.firstIndex(where: { $0.packetID == id && $0.isInFlight })
        else { return }
        let delivery = sessions[session].unfinished[index]
        guard delivery.qos == qos, qos == 1 || delivery.isReleased else { return close(link, [0x82]) }
        sessions[session].unfinished.remove(at: index)
        drain(session)
    }

    private mutating func released(_ id: Int, _ code: UInt8, on link: Int, from session: Int) {
        guard
            let index = sessions[session].unfinished.firstIndex(where: { $0.packetID == id && $0.isInFlight })
        else {
            if code < 0x80 { answer(.pubrel, id, [0x92], on: link) }
            return
        }
        let delivery = sessions[session].unfinished[index]
        guard delivery.qos == 2 else { return close(link, [0x82]) }
        guard code < 0x80 || delivery.isReleased else {
            sessions[session].unfinished.remove(at: index)
            return drain(session)
        }
        delivery.isReleased = true
        answer(.pubrel, id, [0], on: link)
    }

    // MARK: - SUBSCRIBE, UNSUBSCRIBE

    private mutating func subscribe(
        _ id: Int, _ requests: [Request], _ identifier: Int?, on link: Int, from session: Int
    ) {
        let isV5 = links[link].version == .v5
        // [MQTT-3.8.3-4]
        if requests.contains(where: { $0.noLocal && Topics.isShared($0.filter) }) { return close(link, [0x82]) }
        var codes: [[UInt8]] = []
        for request in requests {
            let code = subscribe(request, identifier, session)
            codes.append(code.map { $0 >= 0x80 && !isV5 ? 0x80 : $0 })
        }
        links[link].answers.append(.suback(id: id, codes))  // [MQTT-3.8.4-6]
        drain(session)
    }

    private mutating func subscribe(_ request: Request, _ identifier: Int?, _ session: Int) -> [UInt8] {
        let isShared = Topics.isShared(request.filter)
        guard Topics.isFilter(request.filter, rules) else { return [0x8F] }
        let subscription = Subscription(
            filter: request.filter, qos: min(request.qos, rules.qosMax), noLocal: request.noLocal,
            retainAsPublished: request.retainAsPublished, identifier: identifier)
        let old = sessions[session].subscriptions.firstIndex { $0.filter == request.filter }
        if let old {
            sessions[session].subscriptions[old] = subscription  // [MQTT-3.8.4-3]
        } else {
            guard sessions[session].subscriptions.count < rules.subscriptionsMax else { return [0x97] }
            sessions[session].subscriptions.append(subscription)
        }
        if isShared {
            sessions[session].sharedOptions.append(subscription)
            return [UInt8(subscription.qos)]
        }
        if request.retainHandling == 0 || request.retainHandling == 1 && old == nil {
            forgetSearches(request.filter, session)
            let found = retained.filter { Topics.matches(filter: request.filter, topic: $0.topic) && !isExpired($0) }
            sessions[session].searches.append(
                Search(
                    filter: request.filter, qos: subscription.qos, identifiers: identifier.map { [$0] } ?? [],
                    owed: found.map(\.topic), candidates: found))
        }
        return [UInt8(subscription.qos)]
    }

    /// What is still owed to a subscription that is replaced, or gone, may come or not [MQTT-3.10.4-2].
    private mutating func forgetSearches(_ filter: Octets, _ session: Int) {
        for index in sessions[session].searches.indices where sessions[session].searches[index].filter == filter {
            sessions[session].searches[index].owed = []
        }
    }

    private mutating func unsubscribe(_ id: Int, _ filters: [Octets], on link: Int, from session: Int) {
        var codes: [[UInt8]] = []
        for filter in filters {
            if let index = sessions[session].subscriptions.firstIndex(where: { $0.filter == filter }) {
                forgetSearches(filter, session)
                if mutation != .unsubscribeIgnored { sessions[session].subscriptions.remove(at: index) }
                codes.append([0])
            } else {
                codes.append(Topics.isFilter(filter, rules) ? [0x11] : [0x8F])
            }
        }
        links[link].answers.append(.unsuback(id: id, links[link].version == .v5 ? codes : []))
    }
}
