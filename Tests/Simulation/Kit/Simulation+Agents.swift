internal import Bytes
internal import Clockwork
internal import DeviceCore
internal import MQTTSNWire
internal import MQTTWire
internal import Messaging

private let topics: [ByteString] = ["a/b", "a/c", "x/y/z", "ab", "pre/one"]

// MARK: - Who is there

extension Simulation {
    mutating func addClient(_ index: Int) {
        let isPersistent = !features.hasCleanSessions || random.chance(60)
        let version: ProtocolVersion = random.chance(50) ? .v5 : .v3_1_1
        let receiveMaximum = version == .v5 && random.chance(50) ? 1 + Int(random.below(5)) : 20
        let will = Will(topic: "will/c", payload: "gone", qos: .atLeastOnce, retain: random.chance(50))
        let number = world.addClient(
            MQTTClient.Profile(
                ByteString("c\(index)"), version, cleanStart: !isPersistent, keepAlive: 60,
                receiveMaximum: receiveMaximum, will: features.hasWills ? will : nil))
        let holds = features.holdsAcknowledgements
        world.use(number) { $0.holdsAcknowledgements = holds }
        addAgent(.client(number), "c\(index)", isPersistent: isPersistent)
    }

    mutating func addDevice(_ index: Int) {
        var settings = Device.Settings()
        settings.retryInterval = .seconds(3)
        settings.waitInterval = .seconds(10)
        settings.keepsTopicIDs = features.keepsTopicIDs
        let number = world.addDevice(settings)
        // CleanSession out of sleep is passed over [D-02]: the handshakes that the device gave up stay open then.
        let isPersistent = !features.hasCleanSessions || features.sleeps || random.chance(60)
        addAgent(.device(number), "d\(index)", isPersistent: isPersistent)
    }

    private mutating func addAgent(_ body: Agent.Body, _ name: String, isPersistent: Bool) {
        // The first of all publishes and the last receives, so that something happens.
        let isFirst = agents.isEmpty
        let isLast = agents.count == features.clients + features.devices - 1
        let publishes = isFirst || random.chance(60)
        var filters: [Filter] = []
        if isLast || random.chance(70) {
            for topic in topics where random.chance(50) {
                filters.append(Filter(filter: topic, topic: deviceTopic(topic), qos: random.pick(features.qualities)))
            }
            if features.hasWildcards, random.chance(50) {
                let wildcard: ByteString = random.pick(["#", "a/+", "x/#", "+/one", "will/+"])
                filters.append(Filter(filter: wildcard, topic: .name(wildcard), qos: random.pick(features.qualities)))
            }
        }
        agents.append(
            Agent(
                body: body, isPersistent: isPersistent, publishes: publishes, filters: filters,
                hasSubscribed: filters.isEmpty))
        let isDevice = if case .device = body { true } else { false }
        ledger.subscribers.append(
            Ledger.Subscriber(
                name: name, isPersistent: isPersistent, forgets: isDevice && !isPersistent,
                isMultiplied: isDevice && features.duplication > 0))
        ledger.subscribers[agents.count - 1].subscriptions = filters.map {
            Ledger.Subscription(filter: $0.filter, qos: $0.qos, since: nil)
        }
    }

    /// Some devices use short names and predefined ids where there are such.
    private mutating func deviceTopic(_ name: ByteString) -> Device.Topic {
        if name == "pre/one", random.chance(60) { return .predefined(1) }
        if name == "ab", random.chance(60) { return .short(0x6162) }
        return .name(name)
    }

    // MARK: - Turns of clients

    mutating func clientTurn(_ agent: Int, _ index: Int) {
        if world.clients[index].client.isOffline { return world.connect(client: index) }
        guard world.clients[index].client.isOnline else { return cutSometimes(index) }
        guard isTrouble else {
            world.use(index) { $0.acknowledge() }
            if !agents[agent].hasSubscribed { subscribe(agent, index) }
            return keepAlive(index)
        }
        if features.hasFarewells, random.chance(3) { return world.disconnect(client: index) }
        cutSometimes(index)
        guard world.clients[index].client.isOnline else { return }
        if random.chance(50) { world.use(index) { $0.acknowledge() } }
        if !agents[agent].hasSubscribed || random.chance(3) { subscribe(agent, index) }
        if agents[agent].publishes, random.chance(60) { publish(agent, index) } else { keepAlive(index) }
    }

    private mutating func cutSometimes(_ index: Int) {
        guard isTrouble, features.hasCuts, random.chance(6) else { return }
        let pause = random.duration(upTo: random.chance(50) ? .milliseconds(100) : .seconds(20))
        world.cut(client: index, keepsBytes: random.chance(50), noticedAfter: pause)
    }

    private mutating func keepAlive(_ index: Int) {
        if random.chance(40) { world.use(index) { $0.ping() } }
    }

    private mutating func subscribe(_ agent: Int, _ index: Int) {
        let filters = agents[agent].filters.map { ($0.filter, $0.qos) }
        guard !filters.isEmpty else { return }
        agents[agent].subscribing = world.use(index) { $0.subscribe(filters) }
    }

    private mutating func publish(_ agent: Int, _ index: Int) {
        let topic = random.pick(topics)
        let qos = random.pick(features.qualities)
        let retain = features.hasRetained && random.chance(20)
        let (token, payload) = ledger.publish(
            Ledger.Publication(publisher: agent, topic: topic, qos: qos, retain: retain, mayMultiply: false))
        world.use(index) { $0.publish(token: token, topic: topic, payload: payload, qos: qos, retain: retain) }
    }

    mutating func clientExperienced(_ event: MQTTClient.Event, _ agent: Int, _ index: Int) {
        switch event {
        case .connected:
            agents[agent].subscribing = nil
            if !agents[agent].isPersistent { forgetSubscriptions(agent) }
            if !agents[agent].hasSubscribed { subscribe(agent, index) }
        case .subscribed(let identifier, let codes):
            guard agents[agent].subscribing == identifier else { return }
            if codes.contains(where: { $0.rawValue >= 0x80 }) {
                if !mayRefuse { world.faults.append("c\(index): SUBSCRIBE refused") }
                return
            }
            agents[agent].hasSubscribed = true
            for place in agents[agent].filters.indices { noteSubscription(agent, place) }
        case .published(let token): ledger.complete(token)
        case .received(let message):
            received(message.payload, message.topic, message.qos, message.retain, agent)
        case .publishRefused(let token, let code):
            if !features.hasTinyQueues, !mayRefuse {
                world.faults.append("c\(index): message \(token) refused: \(code)")
            }
        case .violation(let text): world.faults.append("c\(index): \(text)")
        case .refused(let code): if !mayRefuse { world.faults.append("c\(index): CONNECT refused: \(code)") }
        case .disconnected(let code):
            // Another connection of the same client has come.
            if code != .sessionTakenOver, !mayRefuse { world.faults.append("c\(index): DISCONNECT \(code)") }
        case .abandoned, .unsubscribed, .ponged: break
        }
    }

    /// Whether the gateway may refuse what it otherwise must not: its disk is full now and then, or it goes.
    private var mayRefuse: Bool { isDurable }

    private mutating func forgetSubscriptions(_ agent: Int) {
        agents[agent].hasSubscribed = agents[agent].filters.isEmpty
        for place in ledger.subscribers[agent].subscriptions.indices {
            ledger.subscribers[agent].subscriptions[place].since = nil
        }
    }

    private mutating func noteSubscription(_ agent: Int, _ place: Int) {
        guard ledger.subscribers[agent].subscriptions[place].since == nil else { return }
        ledger.subscribers[agent].subscriptions[place].since = ledger.publications.count
    }

    private mutating func received(
        _ payload: ByteString, _ topic: ByteString, _ qos: QoS, _ retain: Bool, _ agent: Int
    ) {
        let fault = ledger.receive(payload, topic: topic, qos: qos, retain: retain, by: agent)
        if let fault { world.faults.append(fault) }
    }

    // MARK: - Turns of devices

    mutating func deviceTurn(_ agent: Int, _ index: Int) {
        let device = world.devices[index].device
        if isTrouble, features.reboots, random.chance(3) { return world.perform(.restart, device: index) }
        if isTrouble, features.rebinds, random.chance(3) { world.rebind(device: index) }
        switch device.state {
        case .disconnected: connect(agent, index)
        case .active: activeTurn(agent, index)
        case .asleep:
            if !isTrouble || random.chance(20) {
                connect(agent, index)
            } else if random.chance(40) {
                world.perform(.wake, device: index)
            }
        case .connecting, .awake, .leaving: break
        }
    }

    private mutating func connect(_ agent: Int, _ index: Int) {
        let will = Will(topic: "will/d", payload: "gone", qos: .atLeastOnce, retain: false)
        world.perform(
            .connect(
                Device.Connect(
                    clientID: ByteString("d\(index)"), keepAlive: 30, cleanSession: !agents[agent].isPersistent,
                    will: features.hasWills ? will : nil)), device: index)
    }

    private mutating func activeTurn(_ agent: Int, _ index: Int) {
        if !isTrouble, !agents[agent].isPersistent, !agents[agent].hasSaidGoodbye {
            // Only so does the gateway learn that the handshakes of its life before are given up [D-01].
            agents[agent].hasSaidGoodbye = true
            return world.perform(.disconnect, device: index)
        }
        // Its list was full before.
        if !agents[agent].hasSubscribed, world.devices[index].device.isIdle { subscribe(device: index, agent) }
        guard isTrouble else { return }
        if features.sleeps, random.chance(10) {
            return world.perform(.sleep(seconds: UInt16(20 + random.below(60))), device: index)
        }
        if features.hasFarewells, random.chance(3) { return world.perform(.disconnect, device: index) }
        guard agents[agent].publishes, random.chance(60) else { return }
        let topic = random.pick(topics)
        var qos = random.pick(features.qualities)
        // A copy of PUBLISH that arrives when its handshake is over is a new message to the gateway, as MsgIds may be
        // used again at once: MQTT-SN 1.2 promises QoS 2 only where copies do not outlive the original.
        if features.duplication > 0, features.hasLateCopies, qos == .exactlyOnce { qos = .atLeastOnce }
        let retain = features.hasRetained && random.chance(20)
        let mayMultiply = features.duplication > 0 && qos == .atMostOnce
        let (token, payload) = ledger.publish(
            Ledger.Publication(publisher: agent, topic: topic, qos: qos, retain: retain, mayMultiply: mayMultiply))
        let publication = Device.Publication(
            topic: deviceTopic(topic), qos: SNQoS(qos), retain: retain, payload: payload)
        world.perform(.publish(token: token, publication), device: index)
    }

    mutating func deviceExperienced(_ effect: Device.Effect, _ agent: Int, _ index: Int) {
        switch effect {
        case .connected:
            if !agents[agent].isPersistent { forgetSubscriptions(agent) }
            if !agents[agent].hasSubscribed { subscribe(device: index, agent) }
        case .subscribed(let token, _):
            noteSubscription(agent, token - Agent.subscribeTokens)
            agents[agent].hasSubscribed = ledger.subscribers[agent].subscriptions.allSatisfy { $0.since != nil }
        case .published(let token): ledger.complete(token)
        case .received(let message):
            received(message.payload, name(of: message.topic), message.qos, message.retain, agent)
        case .failed(let token, let failure):
            switch failure {
            case .workFull, .sessionEnded: break
            case .refused where mayRefuse: break
            default: world.faults.append("d\(index): command \(token) failed: \(failure)")
            }
        case .refused(let code): if !mayRefuse { world.faults.append("d\(index): CONNECT refused: \(code)") }
        case .send, .disconnected, .fellAsleep, .wakeUnanswered, .lost, .ponged, .registered, .unsubscribed,
            .willUpdated:
            break
        }
    }

    /// Asks for everything that is not subscribed to. What a lost connection left undone is asked twice.
    private mutating func subscribe(device index: Int, _ agent: Int) {
        for (place, filter) in agents[agent].filters.enumerated() {
            guard ledger.subscribers[agent].subscriptions[place].since == nil else { continue }
            world.perform(.subscribe(token: Agent.subscribeTokens + place, filter.topic, filter.qos), device: index)
        }
    }

    private func name(of topic: Device.Topic) -> ByteString {
        switch topic {
        case .name(let name): name
        case .predefined(let id): id == 1 ? "pre/one" : "unknown"
        case .short(let id): ByteString([UInt8(id >> 8), UInt8(truncatingIfNeeded: id)])
        }
    }
}
