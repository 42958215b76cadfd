internal import Bytes
internal import Clockwork
internal import Engine

/// Clients with random mixes of all features of MQTT 5, 3.1.1 and 3.1, the engine, and a naive model of a broker that
/// says what each client has to get. Time is made up, chance comes from one seed.
package struct Swarm {
    /// What became of a seed.
    package struct Outcome: Sendable {
        package let seed: UInt64
        /// The hash of all that the engine wrote and of when: equal for equal courses of events.
        package let hash: UInt64
        package let faults: [String]
        package let steps: Int
        /// Messages that the engine sent.
        package let sent: Int
        /// The steps that were taken, by number.
        package let taken: [Int]
    }

    let plan: Plan
    var engine: Engine
    var model: Model
    var clients: [SwarmClient]
    /// By the number of the link in the model.
    var sockets: [Socket] = []
    /// The time, in nanoseconds.
    var now: UInt64 = 1_000_000_000
    /// Chance of the present step: steps can be left out, and the others stay what they were.
    var random: SeededGenerator
    var published = 0
    var faults: [String] = []
    let mutation: Mutation?
    let isPrinting: Bool
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    var shown = 0

    /// Plays one seed to its end.
    /// - Parameter left: the numbers of the steps that are left out.
    package static func run(
        seed: UInt64, mutation: Mutation? = nil, isPrinting: Bool = false, leaving left: Set<Int> = []
    ) -> Outcome {
        var swarm = Swarm(seed: seed, mutation: mutation, isPrinting: isPrinting)
        let taken = swarm.play(seed, leaving: left)
        swarm.engine.tearDown()
        return Outcome(
            seed: seed, hash: swarm.hash, faults: swarm.faults, steps: taken.count,
            sent: swarm.model.tally.sentFirst + swarm.model.tally.sentAgain, taken: taken)
    }

    /// The steps that can be left out so that the seed still fails: what is left shows the fault.
    package static func shrink(seed: UInt64, mutation: Mutation? = nil) -> Set<Int> {
        let failing = run(seed: seed, mutation: mutation)
        guard !failing.faults.isEmpty else { return [] }
        var left: Set<Int> = []
        var share = failing.taken.count / 2
        while share > 0 {
            let candidates = failing.taken.filter { !left.contains($0) }
            for start in stride(from: 0, to: candidates.count, by: share) {
                let more = left.union(candidates[start..<min(start + share, candidates.count)])
                if !run(seed: seed, mutation: mutation, leaving: more).faults.isEmpty { left = more }
            }
            share /= 2
        }
        return left
    }

    private init(seed: UInt64, mutation: Mutation?, isPrinting: Bool) {
        var random = SeededGenerator(seed: seed)
        plan = Plan(&random)
        if isPrinting { print("seed \(seed): \(plan)") }
        self.mutation = mutation
        self.isPrinting = isPrinting
        engine = Engine(
            settings: plan.settings, seed: random.next(),
            now: Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_700_000_001))
        model = Model(rules: plan.rules, mutation: mutation, now: now)
        clients = (0..<plan.clients).map { SwarmClient(id: Octets("c\($0)".utf8)) }
        if plan.hasNamelessClients { clients.append(SwarmClient(id: [])) }
        if plan.isLazy || plan.silent != nil {
            for index in clients.indices where plan.isLazy || index == plan.silent {
                clients[index].holdsAcknowledgements = true
            }
        }
        self.random = random
    }

    private mutating func play(_ seed: UInt64, leaving left: Set<Int>) -> [Int] {
        var chance = random
        let total = plan.weights.reduce(0) { $0 + $1.weight }
        var taken: [Int] = []
        for number in 0..<plan.steps {
            let drawn = chance.below(total)
            random = SeededGenerator(seed: chance.next())
            guard !left.contains(number) else { continue }
            guard let step = step(drawn) else { continue }
            taken.append(number)
            pass(1_000 + random.below(1_000_000))
            take(step)
            if !faults.isEmpty {
                faults[0] = "step \(number), \(step): " + faults[0]
                return taken
            }
        }
        random = SeededGenerator(seed: chance.next())
        finish()
        return taken
    }

    private func step(_ drawn: UInt64) -> Plan.Step? {
        var rest = drawn
        for (kind, weight) in plan.weights {
            if rest < weight { return kind }
            rest -= weight
        }
        return nil
    }

    // MARK: - Time

    var time: Now {
        Now(instant: Instant(nanoseconds: now), unixSeconds: 1_700_000_000 + Int64(now / 1_000_000_000))
    }

    /// Lets time pass, and everything happen that falls into it.
    mutating func pass(_ nanoseconds: UInt64) {
        let end = now + nanoseconds
        while faults.isEmpty {
            let due = min(engine.nextDeadline?.nanoseconds ?? .max, model.nextDeadline ?? .max)
            guard due <= end else { break }
            now = max(now, due)
            model.advance(to: now)
            engine.advance(to: time)
            settle()
        }
        now = end
        model.advance(to: now)
    }

    /// After each word to the engine: what it wrote is held against what it should have written.
    mutating func settle() {
        var turns = 0
        while let due = engine.nextDeadline, due.nanoseconds <= now, turns < 10_000 {
            turns += 1
            engine.advance(to: time)
        }
        if turns == 10_000 { faults.append("the engine stands still at \(now)") }
        for link in sockets.indices where sockets[link].isOpen { absorb(link) }
        let backlogs = sockets.map { $0.isOpen ? engine.output(of: $0.slot).count : 0 }
        model.settle { backlogs[$0] }
        closeWhatIsClosing()
        for log in engine.takeLogs() where isPrinting { note("engine: \(log)") }
        faults += model.faults
        model.faults = []
    }

    // MARK: - Trace

    func note(_ text: @autoclosure () -> String) {
        guard isPrinting else { return }
        let fraction = String(now % 1_000_000_000 + 1_000_000_000).dropFirst().prefix(6)
        print("\(now / 1_000_000_000).\(fraction) \(text())")
    }

    mutating func mix(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
}
