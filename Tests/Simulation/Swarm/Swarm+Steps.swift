internal import Bytes
internal import Clockwork
internal import Engine

/// Filters that nobody may subscribe to, or not everywhere.
private let badFilters = [
    "a/#/b", "a+", "#a", "aaaaaaaaaaaaaaaa", "a/b/a/b/+", "$share/g", "$share/+/a", "$share//a", "$share/g/",
]

/// What clients do, one step at a time.
extension Swarm {
    mutating func take(_ step: Plan.Step) {
        let client = Int(random.below(UInt64(clients.count)))
        switch step {
        case .connect: connect(client)
        case .publish: publish(client)
        case .subscribe: subscribe(client)
        case .unsubscribe: unsubscribe(client)
        case .disconnect: disconnect(client)
        case .cut: if let link = clients[client].link { feedSome(link); cut(link) }
        case .feed: if let link = anyLink { feedSome(link) }
        case .drain: if let link = anyLink { drainSome(link) }
        case .pause: pass(random.below(plan.longestPause.wholeNanoseconds))
        case .ping: send(.pingreq, from: client)
        case .acknowledge: if client != plan.silent { acknowledge(client) }
        case .misbehave: misbehave(client)
        }
        if !plan.isSlow, step != .cut { flush() }
    }

    private var anyLink: Int? {
        mutating get {
            let open = sockets.indices.filter { sockets[$0].isOpen }
            return open.isEmpty ? nil : random.pick(open)
        }
    }

    private mutating func feedSome(_ link: Int) {
        guard sockets[link].isOpen else { return }
        let waiting = sockets[link].uplink.count
        feed(link, plan.hasSplits ? Int(random.below(UInt64(waiting + 1))) : waiting)
    }

    private mutating func drainSome(_ link: Int) {
        guard sockets[link].isOpen else { return }
        let waiting = engine.output(of: sockets[link].slot).count
        drain(link, plan.hasSplits ? Int(random.below(UInt64(waiting + 1))) : waiting)
    }

    /// Everybody writes and reads what there is, until nothing is under way.
    mutating func flush() {
        var isMoving = true
        while isMoving, faults.isEmpty {
            isMoving = false
            for link in sockets.indices where sockets[link].isOpen {
                if !sockets[link].uplink.isEmpty {
                    feed(link, sockets[link].uplink.count)
                    isMoving = true
                }
                guard sockets[link].isOpen else { continue }
                let waiting = engine.output(of: sockets[link].slot).count
                if waiting > 0 {
                    drain(link, waiting)
                    isMoving = true
                }
            }
        }
    }

    /// Writes on the client's present connection, if it has one.
    private mutating func send(_ packet: ClientPacket, from client: Int) {
        guard let link = clients[client].link else { return }
        write(packet, on: link)
    }

    private mutating func acknowledge(_ client: Int) {
        let count = Int(random.below(UInt64(clients[client].held.count + 1)))
        for packet in clients[client].held.prefix(count) { send(packet, from: client) }
        clients[client].held.removeFirst(count)
    }

    // MARK: - CONNECT, DISCONNECT

    private mutating func connect(_ client: Int) {
        if clients[client].link != nil {
            guard plan.hasTakeovers, !clients[client].id.isEmpty, random.chance(30) else { return }
        }
        open(client, connection(for: client))
    }

    /// Opens a socket and sends CONNECT. A connection that the client had before is its own no more.
    mutating func open(_ client: Int, _ connect: Connect) {
        guard let slot = engine.connectionOpened(listener: 0, now: time) else {
            faults.append("a connection was turned away")
            return
        }
        let link = model.opened()
        sockets.append(Socket(slot: slot, client: client))
        clients[client].connecting(connect, on: link)
        write(.connect(connect), on: link)
    }

    private mutating func connection(for client: Int) -> Connect {
        let id = clients[client].id
        var connect = Connect(
            version: random.pick(plan.versions), clientID: id,
            cleanStart: random.chance(id.isEmpty ? 95 : plan.cleanStarts))
        connect.keepAlive = random.pick(plan.keepAlives)
        if plan.hasWills, random.chance(60) { connect.will = will(connect.version) }
        guard connect.version == .v5 else { return connect }
        let expiry = random.pick(plan.sessionExpiries)
        if expiry > 0 { connect.properties.append(.long(ID.sessionExpiry, expiry)) }
        let receiveMaximum = random.pick(plan.receiveMaxima)
        if receiveMaximum < 65_535 { connect.properties.append(.short(ID.receiveMaximum, receiveMaximum)) }
        if !plan.packetMaxima.isEmpty {
            connect.properties.append(.long(ID.maximumPacketSize, UInt32(random.pick(plan.packetMaxima))))
        }
        if !plan.aliasMaxima.isEmpty {
            connect.properties.append(.short(ID.topicAliasMaximum, random.pick(plan.aliasMaxima)))
        }
        if plan.hidesProblems { connect.properties.append(.byte(ID.requestProblemInformation, 0)) }
        return connect
    }

    private mutating func will(_ version: Version) -> Publish {
        published += 1
        var will = Publish(topic: random.pick(plan.names), payload: Octets("will\(published)".utf8))
        will.qos = random.pick(plan.qualities)
        will.retain = plan.hasRetain && random.chance(50)
        if plan.hasBadNames, random.chance(10) { will.topic = Octets("$SYS/will".utf8) }
        guard version == .v5 else { return will }
        will.properties = properties()
        let delay = random.pick(plan.willDelays)
        if delay > 0 { will.properties.append(.long(ID.willDelay, delay)) }
        return will
    }

    private mutating func disconnect(_ client: Int) {
        guard let link = clients[client].link else { return }
        var code: UInt8 = 0
        var expiry: UInt32?
        if clients[client].version == .v5 {
            code = random.chance(30) ? 4 : 0
            expiry = random.chance(30) ? random.pick(plan.sessionExpiries) : nil
        }
        write(.disconnect(code: code, expiry: expiry), on: link)
        feed(link, sockets[link].uplink.count)
        // One that the server had not let in is closed by the client alone.
        if sockets[link].isOpen { cut(link) }
    }

    // MARK: - PUBLISH

    private mutating func publish(_ client: Int) {
        guard clients[client].phase != .offline else { return }
        published += 1
        var publish = Publish(topic: random.pick(plan.names), payload: Octets("m\(published)".utf8))
        publish.qos = random.pick(plan.qualities)
        publish.retain = plan.hasRetain && random.chance(40)
        // A client that keeps to the rules waits for room [MQTT-3.3.4-7].
        if clients[client].outgoing.count >= min(plan.rules.receiveMaximum, 15) { publish.qos = 0 }
        if random.chance(publish.retain ? 30 : 3) { publish.payload = [] }
        if plan.hasProperties, random.chance(10) { publish.payload += [0xC3, 0x28] }
        if !plan.packetMaxima.isEmpty, random.chance(30) {
            publish.payload += Octets(repeating: 0x2E, count: Int(random.below(200)))
        }
        if plan.hasBadNames, random.chance(10) {
            publish.topic = Octets(random.pick(["$SYS/mine", "$x", "rather/long/and/deep", "aaaaaaaaaaaaaaa"]).utf8)
        }
        if clients[client].version == .v5 { publish.properties = properties() }
        if publish.qos > 0 {
            publish.id = clients[client].nextID()
            clients[client].outgoing.append(SwarmClient.Outgoing(publish: publish))
        }
        if plan.hasAliases { abbreviate(&publish, client) }
        send(.publish(publish), from: client)
    }

    private mutating func properties() -> [Property] {
        var list: [Property] = []
        if !plan.messageExpiries.isEmpty, random.chance(60) {
            list.append(.long(ID.messageExpiry, random.pick(plan.messageExpiries)))
        }
        guard plan.hasProperties else { return list }
        if random.chance(40) { list.append(.byte(ID.payloadFormat, UInt8(random.below(2)))) }
        if random.chance(40) { list.append(.text(ID.contentType, Octets("text/plain".utf8))) }
        if random.chance(40) { list.append(.text(ID.responseTopic, Octets("answer/here".utf8))) }
        if random.chance(40) { list.append(.text(ID.correlationData, [0, 0xFF, UInt8(random.below(256))])) }
        for _ in 0..<random.below(4) {
            list.append(.pair(Octets(random.pick(["k", "l", ""]).utf8), Octets("\(random.below(3))".utf8)))
        }
        return list
    }

    /// Puts an alias in the topic's place, or gives it one (§3.3.2.3.4).
    private mutating func abbreviate(_ publish: inout Publish, _ client: Int) {
        guard clients[client].aliasMax > 0, random.chance(60) else { return }
        if let alias = clients[client].aliases[publish.topic], random.chance(80) {
            publish.topic = []
            publish.properties.append(.short(ID.topicAlias, alias))
            return
        }
        guard publish.topic.count <= plan.rules.topicBytesMax else { return }
        let alias = 1 + Int(random.below(UInt64(clients[client].aliasMax)))
        clients[client].aliases = clients[client].aliases.filter { $0.value != alias }
        clients[client].aliases[publish.topic] = alias
        publish.properties.append(.short(ID.topicAlias, alias))
    }

    // MARK: - SUBSCRIBE, UNSUBSCRIBE

    private mutating func subscribe(_ client: Int) {
        guard clients[client].phase != .offline else { return }
        let isV5 = clients[client].version == .v5
        var requests: [Request] = []
        for _ in 0...random.below(3) {
            var request = Request(filter: random.pick(plan.filters), qos: Int(random.below(3)))
            if plan.hasBadNames, random.chance(15) {
                request.filter = Octets(random.pick(badFilters).utf8)
            }
            if isV5 {
                let isShared = Topics.isShared(request.filter)
                request.noLocal = plan.hasNoLocal && random.chance(isShared ? 2 : 40)
                request.retainAsPublished = plan.hasRetainAsPublished && random.chance(50)
                request.retainHandling = plan.hasRetainHandling ? Int(random.below(3)) : 0
            }
            requests.append(request)
        }
        let identifier = isV5 && plan.hasIdentifiers && random.chance(70) ? 1 + Int(random.below(300)) : nil
        let id = clients[client].nextID()
        clients[client].asked.insert(id)
        send(.subscribe(id: id, requests, identifier: identifier), from: client)
    }

    private mutating func unsubscribe(_ client: Int) {
        guard clients[client].phase != .offline else { return }
        let id = clients[client].nextID()
        clients[client].asked.insert(id)
        send(.unsubscribe(id: id, (0...random.below(2)).map { _ in random.pick(plan.filters) }), from: client)
    }

    // MARK: - What no client may do

    private mutating func misbehave(_ client: Int) {
        guard clients[client].phase == .online else { return }
        let isV5 = clients[client].version == .v5
        let none: Octets = isV5 ? [0] : []
        let a: Octets = [0, 1, 0x61]
        var faults: [(String, Octets, [UInt8])] = [
            ("QoS 3", packet(0x36, a + [0, 1] + none), [0x81]),
            ("wildcard in a name", packet(0x30, [0, 1, 0x23] + none), [0x81, 0x82, 0x90]),
            ("DUP at QoS 0", packet(0x38, a + none), [0x81, 0x82]),
            ("identifier 0", packet(0x32, a + [0, 0] + none), [0x81, 0x82]),
            ("flags of SUBSCRIBE", packet(0x80, [0, 1] + none + a + [0]), [0x81]),
            ("SUBSCRIBE without filters", packet(0x82, [0, 1] + none), [0x81, 0x82]),
            ("SUBSCRIBE at QoS 3", packet(0x82, [0, 1] + none + a + [3]), [0x81, 0x82]),
            ("a second CONNECT", Connect(version: .v311, clientID: a, cleanStart: true).encoded, [0x82]),
            ("CONNACK from a client", packet(0x20, [0, 0] + none), [0x81, 0x82]),
            ("length of five bytes", [0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], [0x81]),
            ("a packet that is too long", [0x30, 0xFF, 0xFF, 0xFF, 0x7F], [0x95]),
            ("a name that is not UTF-8", packet(0x30, [0, 2, 0xC3, 0x28] + none), [0x81, 0x82, 0x90]),
            ("packet type 0", [0, 0], [0x81, 0x82]),
        ]
        if isV5 {
            faults += [
                ("alias 0", packet(0x30, a + [3, 0x23, 0, 0]), [0x82, 0x94]),
                ("alias above the maximum", packet(0x30, a + [3, 0x23, 0xFF, 0xFF]), [0x94]),
                ("unknown alias", packet(0x30, [0, 0, 3, 0x23, 0, UInt8(plan.rules.topicAliasMax)]), [0x82, 0x94]),
                ("neither name nor alias", packet(0x30, [0, 0, 0]), [0x81, 0x82]),
                ("subscription identifier 0", packet(0x82, [0, 1, 2, 0x0B, 0] + a + [0]), [0x81, 0x82]),
                ("subscription identifier in PUBLISH", packet(0x30, a + [2, 0x0B, 1]), [0x81, 0x82]),
                ("AUTH without a method", packet(0xF0, [0x18, 0]), [0x81, 0x82]),
                ("an expiry twice", packet(0x30, a + [10, 2, 0, 0, 0, 1, 2, 0, 0, 0, 1]), [0x81, 0x82]),
            ]
        }
        let (what, bytes, codes) = random.pick(faults)
        // An alias that happens to be known would be no fault.
        if what == "unknown alias", !clients[client].aliases.isEmpty { return }
        send(.broken(what, bytes, codes: codes), from: client)
    }
}
