internal import BrokerCore
internal import Bytes
internal import Clockwork
internal import DeviceCore
internal import Engine
internal import GatewayCore
internal import MQTTSNWire
internal import MQTTWire
internal import Messaging

/// One seed: a world in trouble for a while, in which agents publish and subscribe; then the trouble ends, everything
/// drains, and what the standards promise is checked.
package struct Simulation {
    /// What became of a seed.
    package struct Outcome: Sendable {
        package let seed: UInt64
        /// The hash of the trace: equal for equal courses of events.
        package let hash: UInt64
        package let faults: [String]
        package let features: Features
        package let published: Int
        package let received: Int
        package let steps: Int
    }

    var world: World
    let features: Features
    var ledger = Ledger()
    var agents: [Agent] = []
    var isTrouble = true
    /// Whether the gateway keeps what has to survive, and is killed now and then.
    let isDurable: Bool
    /// Chance of the agents; the world has its own.
    var random: SeededGenerator

    /// A client or a device, and what it is there for.
    struct Agent {
        enum Body { case client(Int), device(Int) }
        let body: Body
        let isPersistent: Bool
        let publishes: Bool
        let filters: [Filter]
        /// Whether everything is subscribed to, or asked for.
        var hasSubscribed = false
        /// Whether a device with CleanSession=1 has ended its session after the trouble.
        var hasSaidGoodbye = false
        /// The SUBSCRIBE whose answer is awaited: the packet identifier of a client.
        var subscribing: UInt16?
        /// Tokens of a device's commands above this one are SUBSCRIBE.
        static let subscribeTokens = 1_000_000
    }

    /// What an agent subscribes to.
    struct Filter {
        let filter: ByteString
        /// How a device names it.
        let topic: Device.Topic
        let qos: QoS
    }

    /// Plays one seed to its end.
    ///
    /// - Parameter isDurable: whether the gateway has a disk, and is killed now and then: then the same promises hold
    ///   over its lives.
    package static func run(seed: UInt64, isDurable: Bool = false, isPrinting: Bool = false) -> Outcome {
        var simulation = Simulation(seed: seed, isDurable: isDurable, isPrinting: isPrinting)
        return simulation.run(seed)
    }

    private init(seed: UInt64, isDurable: Bool, isPrinting: Bool) {
        random = SeededGenerator(seed: seed)
        features = Features(&random)
        self.isDurable = isDurable
        if isPrinting { print("seed \(seed): \(features)") }
        var settings = Self.settings(features)
        settings.broker.isDurable = isDurable
        if isDurable, seed.isMultiple(of: 2) {
            // What waits is on disk, and comes back from there.
            settings.broker.queuedMemoryMax = 300
            settings.broker.queuedMemoryPerSessionMax = 100
        }
        world = World(settings: settings, seed: random.next(), isPrinting: isPrinting)
        // Slower, and devices would repeat PUBLISH for want of PUBREC: a copy that comes behind its PUBREL is a new
        // message, as MsgIds may be used again at once.
        world.disk?.delay = features.isSlow ? .milliseconds(500) : .milliseconds(20)
        world.network.loss = features.loss
        world.network.duplication = features.duplication
        world.network.hasLateCopies = features.hasLateCopies
        world.network.delay = features.delay
        world.streams.delay = features.isSlow ? .seconds(2) : .milliseconds(50)
        world.streams.splits = features.splitsBytes
        world.streams.writesPartially = features.writesPartially
        world.streams.writePause = features.isSlow ? .seconds(1) : .milliseconds(20)
        for index in 0..<features.clients { addClient(index) }
        for index in 0..<features.devices { addDevice(index) }
    }

    private static func settings(_ features: Features) -> EngineSettings {
        var settings = EngineSettings()
        settings.sysInterval = features.hasStatistics ? .seconds(10) : nil
        settings.gateway.unlisted.predefinedTopics = [.init(id: 1, name: "pre/one")]
        settings.gateway.unlisted.retryInterval = .seconds(5)
        settings.gateway.unlisted.sleepQueue = QueueLimits(messages: 1_000, bytes: 1 << 20)
        if features.hasTinyQueues {
            settings.broker.queuedMessagesMax = 5
            settings.broker.queuedBytesMax = 200
            settings.gateway.unlisted.sleepQueue = QueueLimits(messages: 3, bytes: 100)
            settings.broker.heldBytesMax = 400
            // No draw of its own, which would change every seed.
            if features.clients.isMultiple(of: 2) { settings.broker.queueFullPolicy = .dropOldest }
        }
        return settings
    }

    private mutating func run(_ seed: UInt64) -> Outcome {
        for index in agents.indices { world.scheduleTurn(of: index, after: .milliseconds(Int64(index) * 10)) }
        world.scheduleHealing(after: features.trouble)
        let end = Instant(nanoseconds: world.now.nanoseconds) + features.trouble + .seconds(3_600)
        var steps = 0
        while world.step(until: end) {
            steps += 1
            digest()
            if !world.faults.isEmpty || isDrained { break }
        }
        if world.faults.isEmpty, !isDrained { world.faults.append("an hour after the trouble: \(whatIsLeft)") }
        if world.faults.isEmpty {
            world.faults += ledger.faults(isComplete: !features.hasTinyQueues)
            checkMemory()
        }
        world.tearDown()
        return Outcome(
            seed: seed, hash: world.trace.hash, faults: world.faults, features: features,
            published: ledger.publications.count, received: ledger.receipts, steps: steps)
    }

    /// Takes what happened, until nothing more does.
    private mutating func digest() {
        while !world.happenings.isEmpty {
            let happenings = world.happenings
            world.happenings = []
            for happening in happenings {
                switch happening {
                case .client(let index, let event): clientExperienced(event, agent(ofClient: index), index)
                case .device(let index, let effect): deviceExperienced(effect, agent(ofDevice: index), index)
                case .turn(let agent): takeTurn(agent)
                case .healed: heal()
                }
            }
        }
        checkLimits()
    }

    private func agent(ofClient index: Int) -> Int { index }
    private func agent(ofDevice index: Int) -> Int { features.clients + index }

    private mutating func takeTurn(_ agent: Int) {
        if isDurable, isTrouble { troubleDisk() }
        switch agents[agent].body {
        case .client(let index): clientTurn(agent, index)
        case .device(let index): deviceTurn(agent, index)
        }
        let pause = isTrouble ? random.duration(upTo: features.pause) : .seconds(1)
        world.scheduleTurn(of: agent, after: pause + .milliseconds(20))
    }

    /// The gateway is killed, or ended in order, or its disk is full for a while.
    private mutating func troubleDisk() {
        if random.chance(2) { world.restartEngine(isKilled: random.chance(80)) }
        if random.chance(features.clients.isMultiple(of: 2) ? 2 : 0) { world.disk?.isFull.toggle() }
        if features.devices.isMultiple(of: 2), random.chance(1) { world.disk?.failsNext = true }
    }

    /// The trouble is over: the network is as it should be, and nothing new is published.
    private mutating func heal() {
        isTrouble = false
        world.trace.note("healed", "world", world.now)
        world.disk?.isFull = false
        world.disk?.failsNext = false
        if world.disk?.hasFailed == true { world.restartEngine(isKilled: true) }
        world.network = Network()
        world.streams = Streams()
        for index in world.clients.indices {
            world.use(index) { client in
                client.holdsAcknowledgements = false
                client.acknowledge()
            }
        }
    }

    // MARK: - The end

    /// Whether everybody is there and nothing is left to be delivered.
    private var isDrained: Bool {
        !isTrouble && !world.isBusy && world.engine.broker.gauges.heldMessages == 0
            && agents.allSatisfy { isSettled($0) }
    }

    private func isSettled(_ agent: Agent) -> Bool {
        switch agent.body {
        case .client(let index):
            world.clients[index].client.isOnline && world.clients[index].client.isIdle && agent.hasSubscribed
        case .device(let index):
            world.devices[index].device.state == .active && world.devices[index].device.isIdle && agent.hasSubscribed
                && (agent.isPersistent || agent.hasSaidGoodbye)
        }
    }

    private var whatIsLeft: String {
        let gauges = world.engine.broker.gauges
        let unsettled = agents.indices.filter { !isSettled(agents[$0]) }.map { index in
            switch agents[index].body {
            case .client(let client): "c\(client)"
            case .device(let device): "d\(device) \(world.devices[device].device.state)"
            }
        }
        return "\(gauges.heldMessages) messages held, not settled: \(unsettled), under way: \(world.isBusy)"
    }

    /// Nothing is held but what is retained.
    private mutating func checkMemory() {
        let gauges = world.engine.broker.gauges
        if gauges.heldBytes != 0 { world.faults.append("\(gauges.heldBytes) bytes held for nobody") }
        // Topics, wills, the figures of the broker, and a topic for each device.
        let shown = world.engine.gateway.deviceCount
        if gauges.retainedMessages > (features.hasStatistics ? 96 + shown : 8) {
            world.faults.append("\(gauges.retainedMessages) retained messages")
        }
        if gauges.topics > (features.hasStatistics ? 112 + shown : 16) {
            world.faults.append("\(gauges.topics) topics kept")
        }
    }

    private mutating func checkLimits() {
        let imbalance = world.engine.broker.ledgerImbalance
        if imbalance != 0 { world.faults.append("\(imbalance) deliveries are in no account") }
        let gauges = world.engine.broker.gauges
        let limits = world.engine.broker.limits
        if gauges.heldBytes > limits.heldBytesMax {
            world.faults.append("\(gauges.heldBytes) bytes held, \(limits.heldBytesMax) allowed")
        }
        guard features.hasTinyQueues else { return }
        // Each queue and window is full, and each open message at QoS 2 waits for its PUBREL.
        let inClients = features.clients * (limits.queuedMessagesMax + Int(limits.inflightMessagesMax) + 10)
        let inDevices = features.devices * (limits.queuedMessagesMax + 1 + 8)
        if gauges.heldMessages > inClients + inDevices {
            world.faults.append("\(gauges.heldMessages) messages held, \(inClients + inDevices) allowed")
        }
    }
}
