internal import BrokerCore
internal import Bytes
internal import Clockwork
internal import DeviceCore
internal import Engine
internal import GatewayCore
internal import Messaging

/// Very many devices over days, each with a link of its own that loses, doubles and delays; MQTT clients on the other
/// side; a gateway that is restarted now and then. All the time the gateway's books are looked at, and what comes is
/// held against what was published; at the end everything is well, and nothing may be missing.
///
/// What is promised over a restart, as long as nothing is stored: devices hear DISCONNECT when they next speak, or no
/// answer at all, connect and subscribe again, and their sessions begin anew. What was queued or under way is lost, or
/// comes twice. A device cannot know that its session is a new one, since CONNACK does not say so; but MsgIds begin
/// anew by chance [D-54], so that one in 32,767 messages that meet an open handshake at QoS 2 is taken for another.
package struct Field {
    var world: World
    let plan: Plan
    var ledger = FieldLedger()
    var times = FieldTimes()
    var devices: [FieldDevice] = []
    var clients: [FieldClient] = []
    /// Chance of devices and clients; the world has its own.
    var random: SeededGenerator
    /// Whether there is still something to say, and the weather is bad.
    var isBusy = true
    /// When this gateway's life began.
    var began = Instant(nanoseconds: 0)
    private var restarts: [Instant] = []
    private var restartsMade = 0
    private var swallowed = 0
    private var wakesBefore = (begun: 0, silent: 0)

    static let publishers = 4
    static let subscribers = 3

    /// Plays one field to its end; a talkative one says hour by hour how it stands, a printing one what happens.
    package static func run(
        seed: UInt64, plan: Plan = Plan(), isTalkative: Bool = false, isPrinting: Bool = false
    ) -> Outcome {
        var field = Field(seed: seed, plan: plan, isPrinting: isPrinting)
        return field.run(seed, isTalkative)
    }

    private init(seed: UInt64, plan: Plan, isPrinting: Bool) {
        self.plan = plan
        random = SeededGenerator(seed: seed)
        world = World(
            settings: Self.settings(plan), seed: random.next(), isPrinting: isPrinting, tracesWords: false)
        world.streams.delay = .milliseconds(20)
        for index in 0..<plan.devices { addDevice(index) }
        for index in 0..<(Self.publishers + Self.subscribers) { addClient(index) }
        restarts = plan.restarts.map { world.now + plan.duration * Int($0) / 100 }
    }

    private static func settings(_ plan: Plan) -> EngineSettings {
        var settings = EngineSettings()
        settings.sysInterval = nil
        settings.gateway.unlisted.predefinedTopics = [.init(id: 1, name: "p/%c/cmd"), .init(id: 2, name: "pu/%c")]
        settings.gateway.unlisted.retryInterval = plan.retryInterval
        settings.gateway.unlisted.retryCount = plan.retryCount
        settings.gateway.devicesMax = plan.devices
        settings.gateway.topicsPerDeviceMax = 8
        return settings
    }

    /// The agent that looks at the books.
    private var inspector: Int { plan.devices + clients.count }

    private mutating func run(_ seed: UInt64, _ isTalkative: Bool) -> Outcome {
        for index in devices.indices { world.scheduleTurn(of: index, after: random.duration(upTo: .seconds(300))) }
        for index in clients.indices { world.scheduleTurn(of: plan.devices + index, after: .milliseconds(index)) }
        world.scheduleTurn(of: inspector, after: Self.round)
        world.scheduleHealing(after: plan.duration)
        let end = world.now + plan.duration + .seconds(4 * 3_600)
        var steps = 0
        var hour: UInt64 = 0
        while world.step(until: end) {
            steps += 1
            digest()
            if !world.faults.isEmpty || isDrained { break }
            if isTalkative, world.now.nanoseconds / 3_600_000_000_000 > hour {
                hour += 1
                print("hour \(hour): \(summary)")
            }
        }
        finish()
        world.tearDown()
        return Outcome(
            seed: seed, hash: world.trace.hash, faults: world.faults, published: ledger.count,
            received: ledger.receipts, datagrams: world.traffic.datagrams, steps: steps,
            wakes: wakesBefore.begun + world.wakes.begun, silentWakes: wakesBefore.silent + world.wakes.silent,
            swallowed: swallowed, figures: times.figures(world.traffic))
    }

    private var summary: String {
        let gateway = world.engine.gateway
        let counters = gateway.counters
        return "\(counters.devicesActive) active, \(counters.devicesAsleep) asleep, \(counters.devicesLost) lost, "
            + "\(ledger.count) published, \(ledger.receipts) received, "
            + "\(world.engine.broker.gauges.heldMessages) held, \(counters.retransmitted) sent again"
    }

    /// Takes what happened, until nothing more does.
    private mutating func digest() {
        while !world.happenings.isEmpty {
            let happenings = world.happenings
            world.happenings = []
            for happening in happenings {
                switch happening {
                case .client(let index, let event): clientExperienced(event, index)
                case .device(let index, let effect): deviceExperienced(effect, index)
                case .turn(let agent): takeTurn(agent)
                case .healed: heal()
                }
            }
        }
    }

    private mutating func takeTurn(_ agent: Int) {
        let pause: Duration
        if agent < plan.devices {
            pause = deviceTurn(agent)
        } else if agent < inspector {
            pause = clientTurn(agent - plan.devices)
        } else {
            inspect()
            pause = Self.round
        }
        world.scheduleTurn(of: agent, after: pause)
    }

    /// The weather is fine from now on, and nothing new is said.
    private mutating func heal() {
        isBusy = false
        world.network = Network()
        for index in world.devices.indices { world.devices[index].network = nil }
    }

    // MARK: - The inspector

    private static let round: Duration = .seconds(10)

    /// Looks at the books, and restarts the gateway when it is time.
    private mutating func inspect() {
        checkBooks()
        guard restartsMade < restarts.count, restarts[restartsMade] <= world.now else { return }
        checkNothingDropped()
        wakesBefore.begun += world.wakes.begun
        wakesBefore.silent += world.wakes.silent
        world.restartEngine(isKilled: restartsMade.isMultiple(of: 2))
        restartsMade += 1
        began = world.now
        let count = plan.devices
        ledger.restart { $0 < count }
        for index in devices.indices { devices[index].confirmed = [false, false] }
        for index in clients.indices { clients[index].isConfirmed = clients[index].isPublisher }
    }

    // MARK: - The end

    private var isDrained: Bool {
        !isBusy && !world.isBusy && world.engine.broker.gauges.heldMessages == 0
            && devices.indices.allSatisfy { isSettled($0) }
            && clients.indices.allSatisfy { clients[$0].isConfirmed && world.clients[$0].client.isIdle }
    }

    private func isSettled(_ index: Int) -> Bool {
        let device = world.devices[index].device
        return device.state == .active && device.isIdle && devices[index].isSubscribed
    }

    private mutating func finish() {
        guard world.faults.isEmpty else { return }
        checkBooks()
        checkNothingDropped()
        let unsettled = devices.indices.filter { !isSettled($0) }
        if let first = unsettled.first {
            let state = world.devices[first].device.state
            world.faults.append("\(unsettled.count) devices do not settle, d\(first) is \(state)")
        }
        checkDelivered()
        let gauges = world.engine.broker.gauges
        if gauges.heldBytes != 0 { world.faults.append("\(gauges.heldBytes) bytes held for nobody") }
        world.shutDown()
        checkBooks()
    }

    /// Nothing that was promised is missing, but for what devices took for a message of the gateway before.
    private mutating func checkDelivered() {
        let overlap = began + plan.delay
        let excuses = restartsMade == 0 ? [] : world.mistakes.filter { $0.otherCame <= overlap }
        for (receiver, token, stream) in ledger.missing {
            if excuses.contains(where: { $0.device == receiver && FieldLedger.token(in: $0.payload) == token }) {
                swallowed += 1
                continue
            }
            let what = "message \(token) of \(stream.publisher) under \(stream.topic) at QoS \(stream.qos.rawValue)"
            world.faults.append("\(what) never came to \(receiver)")
            guard world.faults.count < 20 else { return }
        }
    }
}
