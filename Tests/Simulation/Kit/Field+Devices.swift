internal import Bytes
internal import Clockwork
internal import DeviceCore
internal import MQTTSNWire
internal import Messaging

/// A device of a field, as its application sees it.
struct FieldDevice {
    let clientID: ClientID
    let sleeps: Bool
    /// Seconds between two wakes, or between two things it has to say.
    let period: UInt64
    /// How many of a hundred wakes are CONNECTs, with something to say. The others are PINGREQs, which take everything
    /// that waits.
    let connects: UInt64
    let will: Will?
    let group: Int
    let command: Device.Topic
    let commandTopic: ByteString
    let groupFilter: Device.Topic
    let groupTopic: ByteString
    let reading: Device.Topic
    let readingTopic: ByteString
    /// Whether this gateway has its subscriptions: to its commands, to those of its group.
    var confirmed = [false, false]
    /// Whether it has something to say before it sleeps.
    var isReadingDue = true
    /// Whether its last turn began a wake.
    var isWaking = false
    var wasUnanswered = false
    /// When it woke up.
    var wakes: [Instant] = []

    var isSubscribed: Bool { confirmed[0] && confirmed[1] }

    /// The first wake at or behind an instant.
    func firstWake(after instant: Instant) -> Instant? {
        wakes.last.flatMap { $0 < instant ? nil : wakes[wakes.partitioningIndex { $0 >= instant }] }
    }
}

extension [Instant] {
    /// The first place from which on the condition holds, in a list that is so ordered.
    fileprivate func partitioningIndex(_ holds: (Instant) -> Bool) -> Int {
        var low = 0
        var high = count - 1
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension Field {
    /// Devices of a group, and devices behind one NAT.
    private static let groupSize = 20
    private static let natSize = 10
    /// Tokens of SUBSCRIBE begin here.
    private static let subscribeTokens = 1 << 40

    mutating func addDevice(_ index: Int) {
        var settings = Device.Settings()
        settings.retryInterval = plan.retryInterval
        settings.retryCount = plan.retryCount
        var network = Network()
        network.loss = plan.loss.lowerBound + random.below(plan.loss.upperBound - plan.loss.lowerBound + 1)
        network.duplication = random.below(plan.duplication + 1)
        network.delay = random.duration(upTo: plan.delay)
        // Ports are so far apart that no device ever gets another's.
        let port = 2_000 + UInt16(index % Self.natSize) * 6_000
        let address = PeerAddress(ipv4: 0x0A00_0001 + UInt32(index / Self.natSize), port: port)
        _ = world.addDevice(settings, at: address, network: network)
        devices.append(device(index))
    }

    private mutating func device(_ index: Int) -> FieldDevice {
        let sleeps = random.chance(plan.sleepers)
        let style = index % 4
        let group = index / Self.groupSize
        let command: ByteString = style == 1 ? ByteString("p/n\(index)/cmd") : ByteString("d/\(index)/cmd")
        let groupTopic = ByteString("g/\(group)/set")
        return FieldDevice(
            clientID: ByteString("n\(index)"), sleeps: sleeps,
            period: sleeps ? random.pick(plan.sleeps) : plan.pause, connects: random.pick([10, 30, 50] as [UInt64]),
            will: random.chance(20) ? Will(topic: "w", payload: "gone", qos: .atLeastOnce, retain: false) : nil,
            group: group,
            command: style == 1 ? .predefined(1) : .name(style == 2 ? ByteString("d/\(index)/+") : command),
            commandTopic: command, groupFilter: .name(style == 1 ? ByteString("g/\(group)/+") : groupTopic),
            groupTopic: groupTopic,
            reading: style == 1 ? .predefined(2) : style == 3 ? .short(0x736E) : .name(ByteString("u/\(index)")),
            readingTopic: style == 1 ? ByteString("pu/n\(index)") : style == 3 ? "sn" : ByteString("u/\(index)"))
    }

    // MARK: - Turns

    /// Lets a device act; how long it then does nothing.
    mutating func deviceTurn(_ index: Int) -> Duration {
        if isBusy, plan.hasAccidents {
            if random.below(500) == 0 { world.perform(.restart, device: index) }
            if random.below(40) == 0 { world.rebind(device: index) }
        }
        switch world.devices[index].device.state {
        case .disconnected:
            connect(index)
            return .seconds(Int64(4 + random.below(20)))
        case .active:
            return devices[index].sleeps ? sleeperTurn(index) : activeTurn(index)
        case .asleep: return asleepTurn(index)
        case .connecting, .leaving, .awake: return .seconds(4)
        }
    }

    private mutating func connect(_ index: Int) {
        devices[index].isReadingDue = true
        let keepAlive: UInt16 = devices[index].sleeps ? 60 : 300
        world.perform(
            .connect(
                Device.Connect(
                    clientID: devices[index].clientID, keepAlive: keepAlive, cleanSession: false,
                    will: devices[index].will)), device: index)
    }

    private mutating func activeTurn(_ index: Int) -> Duration {
        if subscribe(index) { return .seconds(4) }
        guard isBusy else { return .seconds(60) }
        publish(index)
        let half = Int64(devices[index].period) * 500
        return .milliseconds(half + Int64(random.below(UInt64(half) * 2)))
    }

    /// It says what it has to say, and goes to sleep when everything is acknowledged.
    private mutating func sleeperTurn(_ index: Int) -> Duration {
        if subscribe(index) { return .seconds(4) }
        guard isBusy else { return .seconds(60) }
        if devices[index].isReadingDue {
            devices[index].isReadingDue = false
            publish(index)
            // Time for the gateway to repeat what overtook its CONNACK.
            return plan.retryInterval * 1.5
        }
        guard world.devices[index].device.isIdle else { return .seconds(4) }
        world.perform(.sleep(seconds: UInt16(devices[index].period)), device: index)
        return untilNextWake(index)
    }

    /// Before the duration is over that it told the gateway.
    private func untilNextWake(_ index: Int) -> Duration { .milliseconds(Int64(devices[index].period) * 900) }

    private mutating func asleepTurn(_ index: Int) -> Duration {
        if isBusy, devices[index].isWaking {
            devices[index].isWaking = false
            let wasUnanswered = devices[index].wasUnanswered
            devices[index].wasUnanswered = false
            return wasUnanswered ? .seconds(30) : untilNextWake(index)
        }
        devices[index].wakes.append(world.now)
        if !isBusy || random.chance(devices[index].connects) {
            connect(index)
        } else {
            devices[index].isWaking = true
            world.perform(.wake, device: index)
        }
        return .seconds(4)
    }

    /// Subscribes to what this gateway does not know of; false if there is nothing.
    private mutating func subscribe(_ index: Int) -> Bool {
        guard !devices[index].isSubscribed else { return false }
        guard world.devices[index].device.isIdle else { return true }
        let filters = [devices[index].command, devices[index].groupFilter]
        for place in 0..<2 where !devices[index].confirmed[place] {
            world.perform(
                .subscribe(token: Self.subscribeTokens + place, filters[place], .exactlyOnce), device: index)
        }
        return true
    }

    private mutating func publish(_ index: Int) {
        let qos = random.pick([.atMostOnce, .atLeastOnce, .exactlyOnce] as [QoS])
        let stream = FieldLedger.Stream(publisher: index, topic: devices[index].readingTopic, qos: qos)
        let receivers = clients.indices.filter { !clients[$0].isPublisher }.map { client in
            FieldLedger.Receiver(
                number: plan.devices + client, isOwed: clients[client].isConfirmed, wasAsleep: false)
        }
        let (token, payload) = ledger.publish(stream, to: receivers, at: world.now)
        world.perform(
            .publish(
                token: token,
                Device.Publication(topic: devices[index].reading, qos: SNQoS(qos), payload: payload)), device: index)
    }

    // MARK: - Experience

    mutating func deviceExperienced(_ effect: Device.Effect, _ index: Int) {
        switch effect {
        case .subscribed(let token, _):
            // What an earlier gateway granted may still have been under way.
            guard world.now.since(began) > plan.delay * 2 else { return }
            devices[index].confirmed[token - Self.subscribeTokens] = true
        case .published(let token): ledger.complete(token)
        case .received(let message):
            received(message.payload, name(of: message.topic, index), message.qos, by: index)
        case .wakeUnanswered: devices[index].wasUnanswered = true
        case .failed(let token, let failure):
            world.faults.append("d\(index): command \(token) failed: \(failure)")
        case .refused(let code):
            // Somebody has to be asked first whether he is still there, if the old port is too far away.
            if code != .congestion { world.faults.append("d\(index): CONNECT refused: \(code)") }
        case .send, .connected, .disconnected, .fellAsleep, .lost, .ponged, .registered, .unsubscribed, .willUpdated:
            break
        }
    }

    private func name(of topic: Device.Topic, _ index: Int) -> ByteString {
        switch topic {
        case .name(let name): name
        case .predefined: devices[index].commandTopic
        case .short(let id): ByteString([UInt8(id >> 8), UInt8(truncatingIfNeeded: id)])
        }
    }
}
