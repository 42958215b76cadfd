import Glibc
import SimulationKit
import SwarmKit

/// Plays worlds. `simulate --seed N` prints one, a line for each event; with `--quiet` only how it ended.
/// `simulate --minutes N` looks for a fault in as many as fit into the time, from `--seed` on if that is given,
/// `simulate --count N` in so many.
///
/// Four kinds of worlds: devices and clients in a network that loses and reorders (`--network`), the same with a
/// gateway that is killed now and then, and a disk that keeps its promises (`--crashes`), MQTT clients with all
/// features against a model of a broker (`--swarm`), and sleeping devices against a model of their queues
/// (`--sleepers`). A search without one plays all in turn, a seed alone the first kind.
///
/// `simulate --field` plays a field of `--devices N` for `--hours N`, or with `--loss N` one line of the table of what
/// loss costs; `--field-table` prints that table.
@main
struct Simulate {
    private enum Kind { case network, crashes, swarm, sleepers, field, fieldTable }

    private var seed: UInt64?
    private var minutes: Double?
    private var count: UInt64?
    private var kind: Kind?
    private var isQuiet = false
    private var isTracing = false
    private var plan = Field.Plan()

    static func main() {
        guard let command = Simulate(CommandLine.arguments.dropFirst()) else {
            print(
                """
                usage: simulate [--network | --crashes | --swarm | --sleepers]
                                [--seed N [--quiet]] [--minutes N | --count N]
                       simulate --field [--loss N] [--seed N] [--devices N] [--hours N] [--quiet | --trace]
                       simulate --field-table
                """)
            exit(2)
        }
        exit(command.run() ? 0 : 1)
    }

    private init?(_ arguments: some Sequence<String>) {
        var iterator = arguments.makeIterator()
        while let argument = iterator.next() {
            switch argument {
            case "--quiet": isQuiet = true
            case "--trace": isTracing = true
            case "--network": kind = .network
            case "--crashes": kind = .crashes
            case "--swarm": kind = .swarm
            case "--sleepers": kind = .sleepers
            case "--field": kind = .field
            case "--field-table": kind = .fieldTable
            case "--loss":
                guard let value = iterator.next().flatMap({ UInt64($0) }), value <= 100 else { return nil }
                plan = .table(loss: value)
            case "--devices":
                guard let value = iterator.next().flatMap({ Int($0) }), value > 0 else { return nil }
                plan.devices = value
            case "--hours":
                guard let value = iterator.next().flatMap({ Int64($0) }), value > 0 else { return nil }
                plan.duration = .seconds(value * 3_600)
            case "--seed":
                guard let value = iterator.next().flatMap({ UInt64($0) }) else { return nil }
                seed = value
            case "--count":
                guard let value = iterator.next().flatMap({ UInt64($0) }) else { return nil }
                count = value
            case "--minutes":
                guard let value = iterator.next().flatMap({ Double($0) }) else { return nil }
                minutes = value
            default: return nil
            }
        }
    }

    /// True if nothing was found.
    private func run() -> Bool {
        if kind == .field {
            return report(Field.run(seed: seed ?? 1, plan: plan, isTalkative: !isQuiet, isPrinting: isTracing))
        }
        if kind == .fieldTable {
            guard let text = FieldTable.text() else { return false }
            print(text, terminator: "")
            return true
        }
        if let seed, minutes == nil, count == nil { return play(seed, kind ?? .network) }
        return search()
    }

    /// Plays one seed and says how it ended; true if well.
    private func play(_ seed: UInt64, _ kind: Kind) -> Bool {
        switch kind {
        case .network, .field, .fieldTable: return report(Simulation.run(seed: seed, isPrinting: !isQuiet))
        case .crashes: return report(Simulation.run(seed: seed, isDurable: true, isPrinting: !isQuiet))
        case .sleepers: return report(Sleepers.run(seed: seed, isPrinting: !isQuiet))
        case .swarm:
            if !isQuiet, !Swarm.run(seed: seed).faults.isEmpty {
                let left = Swarm.shrink(seed: seed)
                print("what is left of seed \(seed) without \(left.count) steps that the fault does not need:")
                return report(Swarm.run(seed: seed, isPrinting: true, leaving: left))
            }
            return report(Swarm.run(seed: seed, isPrinting: !isQuiet))
        }
    }

    private func search() -> Bool {
        let clock = ContinuousClock()
        let end = clock.now + .seconds((minutes ?? 1) * 60)
        var generator = SystemRandomNumberGenerator()
        // Short enough to be read out.
        let first = seed ?? UInt64.random(in: 1...1_000_000_000, using: &generator)
        var next = first
        var failures = 0
        repeat {
            if kind == nil || kind == .network, let fault = Simulation.run(seed: next).faults.first {
                print("make sim SEED=\(next): \(fault)")
                failures += 1
            }
            if kind == nil || kind == .crashes,
                let fault = Simulation.run(seed: next, isDurable: true).faults.first
            {
                print("make sim CRASHES=\(next): \(fault)")
                failures += 1
            }
            if kind == nil || kind == .swarm, let fault = Swarm.run(seed: next).faults.first {
                print("make sim SWARM=\(next): \(fault)")
                failures += 1
            }
            if kind == nil || kind == .sleepers, let fault = Sleepers.run(seed: next).faults.first {
                print("make sim SLEEPERS=\(next): \(fault)")
                failures += 1
            }
            guard failures < 10 else { return false }
            next += 1
        } while count.map { next - first < $0 } ?? (clock.now < end)
        print("\(next - first) seeds from \(first) on, \(failures == 0 ? "no fault" : "\(failures) with a fault")")
        return failures == 0
    }

    private func report(_ outcome: Simulation.Outcome) -> Bool {
        for fault in outcome.faults { print("fault: \(fault)") }
        print(
            "seed \(outcome.seed): hash \(String(outcome.hash, radix: 16)), \(outcome.published) published, "
                + "\(outcome.received) received, \(outcome.steps) steps, \(outcome.faults.count) faults")
        return outcome.faults.isEmpty
    }

    private func report(_ outcome: Field.Outcome) -> Bool {
        for fault in outcome.faults { print("fault: \(fault)") }
        for figure in outcome.figures where !isQuiet {
            print(
                "\(figure.kind.title): \(figure.messages) messages, median \(figure.median) ms, "
                    + "95 % \(figure.percentile95) ms, 99 % \(figure.percentile99) ms")
        }
        print(
            "field \(outcome.seed): hash \(String(outcome.hash, radix: 16)), \(outcome.published) published, "
                + "\(outcome.received) received, \(outcome.datagrams) datagrams, \(outcome.steps) steps, "
                + "\(outcome.wakes) wakes, \(outcome.silentWakes) of them unanswered, "
                + "\(outcome.swallowed) swallowed, \(outcome.faults.count) faults")
        return outcome.faults.isEmpty
    }

    private func report(_ outcome: Sleepers.Outcome) -> Bool {
        for fault in outcome.faults { print("fault: \(fault)") }
        print(
            "sleepers \(outcome.seed): hash \(String(outcome.hash, radix: 16)), \(outcome.heard) heard, "
                + "\(outcome.wills) wills, \(outcome.steps) steps, \(outcome.faults.count) faults")
        return outcome.faults.isEmpty
    }

    private func report(_ outcome: Swarm.Outcome) -> Bool {
        for fault in outcome.faults { print("fault: \(fault)") }
        print(
            "swarm \(outcome.seed): hash \(String(outcome.hash, radix: 16)), \(outcome.sent) sent, "
                + "\(outcome.steps) steps, \(outcome.faults.count) faults")
        return outcome.faults.isEmpty
    }
}
