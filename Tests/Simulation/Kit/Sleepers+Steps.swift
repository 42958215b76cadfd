internal import Bytes
internal import Clockwork
internal import DeviceCore
internal import MQTTSNWire
internal import Messaging

/// What devices and the publisher do, one step at a time.
extension Sleepers {
    mutating func takeStep() {
        let index = Int(random.below(UInt64(plan.devices)))
        let chance = random.below(100)
        if chance < 45 { return publish() }
        if chance < 60 { return pass(random.duration(upTo: plan.longestPause)) }
        switch model.sleepers[index].place {
        case .away: connect(index)
        case .asleep where chance < 85: wake(index)
        case .asleep where chance < 90: connect(index)
        case .asleep: leave(index, isForGood: random.chance(20))
        case .active: act(index, chance)
        }
    }

    private mutating func act(_ index: Int, _ chance: UInt64) {
        if chance < 70 || model.sleepers[index].subscriptions.isEmpty { return subscribe(index) }
        if chance < 77, plan.hasWills { return updateWill(index) }
        if chance < 83, plan.hasDeafness { return doze(index) }
        leave(index, isForGood: random.chance(15))
    }

    // MARK: - Messages

    private mutating func publish() {
        publish(under: random.pick(plan.topics), qos: random.pick([.atMostOnce, .atLeastOnce, .exactlyOnce]))
    }

    private mutating func publish(under topic: ByteString, qos: QoS) {
        let payload = payload("m")
        let message = SleeperModel.Heard(topic: topic, payload: payload, qos: qos)
        model.advance(to: world.now.nanoseconds)
        let isTaken = model.publish(message, asksForRoom: true)
        let token = sent
        world.use(Self.publisher) { $0.publish(token: token, topic: topic, payload: payload, qos: qos) }
        expect(isTaken ? .done : .refused)
    }

    /// A payload that there was not before; a will's begins with `w`.
    private mutating func payload(_ letter: String) -> ByteString {
        sent += 1
        let name = Array("\(letter)\(sent).".utf8)
        let span = plan.payloads.upperBound - plan.payloads.lowerBound + 1
        let count = Int(plan.payloads.lowerBound + random.below(span))
        return ByteString(name + [UInt8](repeating: 0x2E, count: max(0, count - name.count)))
    }

    /// Some messages do not reach the device, which falls asleep, or leaves, without having acknowledged the first.
    private mutating func doze(_ index: Int) {
        guard let topic = plan.topics.first(where: { (model.granted($0, index) ?? .atMostOnce) > .atMostOnce }) else {
            return
        }
        var silence = Network()
        silence.loss = 100
        world.devices[index].network = silence
        model.sleepers[index].isDeaf = true
        for _ in 0...random.below(3) where faults.isEmpty {
            publish(under: topic, qos: random.pick([.atLeastOnce, .exactlyOnce]))
        }
        world.devices[index].network = nil
        model.sleepers[index].isDeaf = false
        leave(index, isForGood: random.chance(30))
    }

    // MARK: - The device

    mutating func connect(_ index: Int) {
        var will: Will?
        if plan.hasWills, random.chance(50) {
            let qos = random.pick([.atMostOnce, .atLeastOnce, .exactlyOnce] as [QoS])
            will = Will(topic: random.pick(plan.topics), payload: payload("w"), qos: qos, retain: false)
        }
        model.connect(index, will: will)
        world.perform(
            .connect(
                Device.Connect(clientID: Self.clientID(index), keepAlive: 0, cleanSession: false, will: will)),
            device: index)
        expect(.done)
    }

    private mutating func wake(_ index: Int) {
        model.wake(index, now: world.now.nanoseconds)
        world.perform(.wake, device: index)
        expect(.done)
    }

    /// DISCONNECT, with a duration or for good.
    private mutating func leave(_ index: Int, isForGood: Bool) {
        if isForGood {
            model.depart(index)
            world.perform(.disconnect, device: index)
        } else {
            let seconds = random.pick(plan.sleeps)
            model.sleep(index, seconds: seconds, now: world.now.nanoseconds)
            world.perform(.sleep(seconds: seconds), device: index)
        }
        expect(.done)
    }

    private mutating func subscribe(_ index: Int) {
        let (topic, filter): (Device.Topic, ByteString)
        switch random.below(6) {
        case 0: (topic, filter) = (.predefined(1), model.predefined(index))
        case 1: (topic, filter) = (.short(0x6162), "ab")
        default:
            filter = random.pick(plan.filters)
            topic = .name(filter)
        }
        if random.chance(10) {
            model.sleepers[index].subscriptions.removeAll { $0.filter == filter }
            world.perform(.unsubscribe(token: 0, topic), device: index)
        } else {
            let qos = random.pick([.atMostOnce, .atLeastOnce, .exactlyOnce] as [QoS])
            model.subscribe(index, filter, qos)
            world.perform(.subscribe(token: 0, topic, qos), device: index)
        }
        expect(.done)
    }

    private mutating func updateWill(_ index: Int) {
        switch random.below(3) {
        case 0:
            let message = payload("w")
            let isTaken = model.updateWill(index, message: message)
            world.perform(.updateWillMessage(token: 0, message), device: index)
            return expect(isTaken ? .done : .refused)
        case 1:
            let topic = random.pick(plan.topics)
            model.updateWill(index, topic: topic, qos: .exactlyOnce)
            let update = Device.WillTopic(topic: topic, qos: .exactlyOnce)
            world.perform(.updateWillTopic(token: 0, update), device: index)
        default:
            model.updateWill(index, topic: nil, qos: .atMostOnce)
            world.perform(.updateWillTopic(token: 0, nil), device: index)
        }
        expect(.done)
    }
}
