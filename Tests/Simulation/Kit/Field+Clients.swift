internal import Bytes
internal import Clockwork
internal import DeviceCore
internal import MQTTWire
internal import Messaging

/// An MQTT client of a field: it sends commands, or reads the meters.
struct FieldClient {
    let isPublisher: Bool
    /// Whether this gateway has its subscriptions.
    var isConfirmed: Bool
    var subscribing: UInt16?
}

extension Field {
    mutating func addClient(_ index: Int) {
        let version: ProtocolVersion = index.isMultiple(of: 2) ? .v5 : .v3_1_1
        let profile = MQTTClient.Profile(ByteString("m\(index)"), version, cleanStart: false)
        _ = world.addClient(profile)
        clients.append(FieldClient(isPublisher: index < Self.publishers, isConfirmed: index < Self.publishers))
    }

    /// Lets a client act; how long it then does nothing.
    mutating func clientTurn(_ index: Int) -> Duration {
        if world.clients[index].client.isOffline {
            world.connect(client: index)
            return .seconds(2)
        }
        guard world.clients[index].client.isOnline else { return .seconds(2) }
        if isBusy, plan.hasAccidents, random.below(400) == 0 {
            world.cut(client: index, keepsBytes: random.chance(50), noticedAfter: random.duration(upTo: .seconds(20)))
            return .seconds(5)
        }
        guard clients[index].isPublisher else {
            if !clients[index].isConfirmed, clients[index].subscribing == nil { subscribe(client: index) }
            return .seconds(20)
        }
        if isBusy { command(index) }
        let mean = plan.commandPause * UInt64(Self.publishers) * 1_000 / UInt64(plan.devices)
        return .milliseconds(Int64(random.below(2 * mean) + 1))
    }

    private mutating func subscribe(client index: Int) {
        let filters: [(ByteString, QoS)] = [("u/+", .exactlyOnce), ("pu/#", .exactlyOnce), ("sn", .exactlyOnce)]
        clients[index].subscribing = world.use(index) { $0.subscribe(filters) }
    }

    /// A message to one device, or to a group.
    private mutating func command(_ index: Int) {
        let qos = random.pick([.atMostOnce, .atLeastOnce, .exactlyOnce] as [QoS])
        let device = Int(random.below(UInt64(plan.devices)))
        let isForGroup = random.chance(4)
        let topic = isForGroup ? devices[device].groupTopic : devices[device].commandTopic
        let group = devices[device].group
        let receivers = isForGroup ? devices.indices.filter { devices[$0].group == group } : [device]
        let stream = FieldLedger.Stream(publisher: plan.devices + index, topic: topic, qos: qos)
        let (token, payload) = ledger.publish(
            stream,
            to: receivers.map { receiver in
                FieldLedger.Receiver(
                    number: receiver, isOwed: devices[receiver].confirmed[isForGroup ? 1 : 0],
                    wasAsleep: isAsleep(receiver))
            }, at: world.now)
        world.use(index) { $0.publish(token: token, topic: topic, payload: payload, qos: qos) }
    }

    /// Whether a device sleeps; nil for neither asleep nor active, of which the figures say nothing.
    private func isAsleep(_ index: Int) -> Bool? {
        switch world.devices[index].device.state {
        case .active: false
        case .asleep: true
        case .disconnected, .connecting, .leaving, .awake: nil
        }
    }

    mutating func clientExperienced(_ event: MQTTClient.Event, _ index: Int) {
        switch event {
        case .connected(let sessionPresent):
            clients[index].subscribing = nil
            if !sessionPresent, !clients[index].isPublisher {
                clients[index].isConfirmed = false
                subscribe(client: index)
            }
        case .subscribed(let identifier, let codes):
            guard clients[index].subscribing == identifier else { return }
            clients[index].subscribing = nil
            if codes.contains(where: { $0.rawValue >= 0x80 }) { world.faults.append("m\(index): SUBSCRIBE refused") }
            clients[index].isConfirmed = true
        case .published(let token): ledger.complete(token)
        case .received(let message):
            received(message.payload, message.topic, message.qos, by: plan.devices + index)
        case .publishRefused(let token, let code):
            world.faults.append("m\(index): message \(token) refused: \(code)")
        case .violation(let text): world.faults.append("m\(index): \(text)")
        case .refused(let code): world.faults.append("m\(index): CONNECT refused: \(code)")
        case .disconnected(let code):
            // Another connection of the same client has come, or the gateway goes.
            if code != .sessionTakenOver, code != .serverShuttingDown {
                world.faults.append("m\(index): DISCONNECT \(code)")
            }
        case .abandoned, .unsubscribed, .ponged: break
        }
    }

    /// Notes what came, and how long it took.
    mutating func received(_ payload: ByteString, _ topic: ByteString, _ qos: QoS, by number: Int) {
        let (receipt, fault) = ledger.receive(payload, topic, qos, by: number)
        if let fault { world.faults.append(fault) }
        let isUp = number >= plan.devices
        guard let receipt, receipt.isRecent, let wasAsleep = receipt.wasAsleep,
            let kind = DeliveryKind(isUp: isUp, wasAsleep: wasAsleep, qos)
        else { return }
        // Each subscriber gets a copy; one of them tells how long the device's part took.
        if isUp, number > plan.devices + Self.publishers { return }
        let start = wasAsleep ? devices[number].firstWake(after: receipt.at) : receipt.at
        if let start { times.note(kind, from: start, to: world.now) }
    }
}
