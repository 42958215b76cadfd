internal import BrokerCore
internal import Bytes
internal import Clockwork
internal import DeviceCore
internal import Engine
internal import GatewayCore
internal import MQTTSNWire
internal import MQTTWire
internal import Messaging

/// Sleeping devices over perfect links, with random mixes of what their gateway may be set to, and a naive model that
/// says what each device has to hear in each wake, what waits for it, and whose will is published when.
///
/// One step is one thing that somebody does; everything that follows from it follows at once.
package struct Sleepers {
    /// What became of a seed.
    package struct Outcome: Sendable {
        package let seed: UInt64
        /// The hash of all datagrams and bytes, with their times.
        package let hash: UInt64
        package let faults: [String]
        package let steps: Int
        /// Messages that devices heard.
        package let heard: Int
        /// Wills that were published.
        package let wills: Int
    }

    let plan: SleeperPlan
    var world: World
    var model: SleeperModel
    var random: SeededGenerator
    var faults: [String] = []
    /// What came since it was last held against the model.
    var heard: [[SleeperModel.Heard]]
    var observed: [SleeperModel.Heard] = []
    var answers: [Answer] = []
    var sent = 0
    private var count = 0
    private var wills = 0

    /// How a command ended.
    enum Answer: Equatable { case done, refused }

    static let publisher = 0
    static let observer = 1

    /// Plays one seed to its end.
    package static func run(seed: UInt64, mutation: SleeperMutation? = nil, isPrinting: Bool = false) -> Outcome {
        var sleepers = Sleepers(seed: seed, mutation: mutation, isPrinting: isPrinting)
        let steps = sleepers.play(checksSum: mutation == nil)
        sleepers.world.tearDown()
        return Outcome(
            seed: seed, hash: sleepers.world.trace.hash, faults: sleepers.faults, steps: steps, heard: sleepers.count,
            wills: sleepers.wills)
    }

    private init(seed: UInt64, mutation: SleeperMutation?, isPrinting: Bool) {
        random = SeededGenerator(seed: seed)
        plan = SleeperPlan(&random)
        if isPrinting { print("seed \(seed): \(plan)") }
        world = World(settings: plan.settings, seed: random.next(), isPrinting: isPrinting)
        world.network.delay = .zero
        world.streams.delay = .zero
        model = SleeperModel(rules: plan.rules, devices: plan.devices, mutation: mutation)
        heard = [[SleeperModel.Heard]](repeating: [], count: plan.devices)
        for _ in 0..<plan.devices { _ = world.addDevice() }
        for name in ["publisher", "observer"] as [ByteString] {
            let client = world.addClient(MQTTClient.Profile(ClientID(name.bytes), .v5))
            world.connect(client: client)
        }
    }

    private mutating func play(checksSum: Bool) -> Int {
        settle()
        _ = world.use(Self.observer) { $0.subscribe([("#", .exactlyOnce)]) }
        for index in 0..<plan.devices { connect(index) }
        var steps = 0
        while steps < plan.steps, faults.isEmpty {
            steps += 1
            takeStep()
            if let first = faults.first { faults[0] = "step \(steps): \(first)" }
        }
        if faults.isEmpty { finish(checksSum: checksSum) }
        return steps
    }

    // MARK: - What is held against the model

    /// Lets everything happen that follows from the last step, and compares.
    mutating func settle() {
        pass(.milliseconds(1))
    }

    mutating func pass(_ duration: Duration) {
        world.run(for: duration)
        model.advance(to: world.now.nanoseconds)
        for happening in world.happenings { note(happening) }
        world.happenings = []
        for index in heard.indices { compare(index) }
        if observed != model.published {
            faults.append("published \(model.published.map(text)), and the observer heard \(observed.map(text))")
        }
        wills += model.published.count { $0.payload.bytes.first == UInt8(ascii: "w") }
        observed = []
        model.published = []
        faults += world.faults
    }

    private mutating func compare(_ index: Int) {
        let expected = model.sleepers[index].heard
        if heard[index] != expected {
            faults.append("s\(index) heard \(heard[index].map(text)), not \(expected.map(text))")
        }
        count += expected.count
        heard[index] = []
        model.sleepers[index].heard = []
        let queue = world.engine.broker.queue(of: Self.clientID(index))
        let (messages, bytes) = (model.sleepers[index].queue.count, model.sleepers[index].queuedBytes)
        if queue.messages != messages || queue.bytes != bytes {
            faults.append("\(queue) wait for s\(index), not \(messages) of \(bytes) bytes")
        }
    }

    private mutating func note(_ happening: World.Happening) {
        switch happening {
        case .client(Self.observer, .received(let message)):
            observed.append(.init(topic: message.topic, payload: message.payload, qos: message.qos))
        case .client(_, .published): answers.append(.done)
        case .client(_, .publishRefused): answers.append(.refused)
        case .client(_, .violation(let text)): faults.append(text)
        case .device(let index, let effect): note(effect, index)
        case .client, .turn, .healed: break
        }
    }

    private mutating func note(_ effect: Device.Effect, _ index: Int) {
        switch effect {
        case .received(let message):
            heard[index].append(.init(topic: name(message.topic, index), payload: message.payload, qos: message.qos))
        case .failed(_, .refused(.notSupported)): answers.append(.refused)
        case .connected, .fellAsleep, .disconnected, .subscribed, .unsubscribed, .willUpdated: answers.append(.done)
        case .refused, .lost, .wakeUnanswered, .failed, .ponged, .registered, .published:
            faults.append("s\(index): \(effect)")
        case .send: break
        }
    }

    private func name(_ topic: Device.Topic, _ index: Int) -> ByteString {
        switch topic {
        case .name(let name): name
        // What the device believes is what it was told, and not what the model says.
        case .predefined: index == 0 ? "q" : ByteString("p/s\(index)")
        case .short(let id): ByteString([UInt8(id >> 8), UInt8(truncatingIfNeeded: id)])
        }
    }

    /// Settles, and looks at how the only command of this step ended.
    mutating func expect(_ answer: Answer) {
        answers = []
        settle()
        if answers != [answer] { faults.append("\(answers) where \(answer) was due") }
    }

    private func text(_ heard: SleeperModel.Heard) -> String {
        "\(heard.topic) '\(heard.payload.bytes.count)' q\(heard.qos.rawValue)"
    }

    static func clientID(_ index: Int) -> ClientID { ClientID(ByteString("s\(index)").bytes) }

    // MARK: - The end

    /// Everybody comes back, and nothing is left.
    private mutating func finish(checksSum: Bool) {
        pass(random.pick([.zero, .seconds(30), .seconds(1_000)]))
        for index in 0..<plan.devices where model.sleepers[index].place != .active { connect(index) }
        guard faults.isEmpty, checksSum else { return }
        let broker = world.engine.broker
        if broker.gauges.heldMessages != 0 { faults.append("\(broker.gauges.heldMessages) messages held for nobody") }
        if broker.ledgerImbalance != 0 { faults.append("\(broker.ledgerImbalance) deliveries are in no account") }
        let counters = broker.counters
        expect(counters.droppedQueueFull, "met a full queue", model.dropped)
        expect(counters.replaced + counters.expired, "were replaced or expired", model.replaced + model.expired)
        expect(UInt64(world.engine.gateway.counters.droppedTooLong), "were too long", model.tooLong)
        // Who is refused may be found out before or behind a queue from which something expired.
        if plan.rules.policy != .refuse { expect(counters.expired, "expired", model.expired) }
    }

    private mutating func expect(_ count: UInt64, _ what: String, _ expected: Int) {
        if Int(count) != expected { faults.append("\(count) deliveries \(what), not \(expected)") }
    }
}
