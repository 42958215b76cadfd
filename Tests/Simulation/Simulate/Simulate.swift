import Glibc
import SimulationKit

/// Plays worlds. `simulate --seed N` prints one, a line for each event; with `--quiet` only how it ended.
/// `simulate --minutes N` looks for a fault in as many as fit into the time, from `--seed` on if that is given.
@main
struct Simulate {
    private var seed: UInt64?
    private var minutes: Double?
    private var isQuiet = false

    static func main() {
        guard let command = Simulate(CommandLine.arguments.dropFirst()) else {
            print("usage: simulate [--seed N [--quiet]] [--minutes N]")
            exit(2)
        }
        exit(command.run() ? 0 : 1)
    }

    private init?(_ arguments: some Sequence<String>) {
        var iterator = arguments.makeIterator()
        while let argument = iterator.next() {
            switch argument {
            case "--quiet": isQuiet = true
            case "--seed":
                guard let value = iterator.next().flatMap({ UInt64($0) }) else { return nil }
                seed = value
            case "--minutes":
                guard let value = iterator.next().flatMap({ Double($0) }) else { return nil }
                minutes = value
            default: return nil
            }
        }
    }

    /// True if nothing was found.
    private func run() -> Bool {
        if let seed, minutes == nil { return report(Simulation.run(seed: seed, isPrinting: !isQuiet)) }
        return search(for: .seconds((minutes ?? 1) * 60))
    }

    private func search(for duration: Duration) -> Bool {
        let clock = ContinuousClock()
        let end = clock.now + duration
        var generator = SystemRandomNumberGenerator()
        // Short enough to be read out.
        let first = seed ?? UInt64.random(in: 1...1_000_000_000, using: &generator)
        var next = first
        repeat {
            let outcome = Simulation.run(seed: next)
            guard outcome.faults.isEmpty else {
                _ = report(outcome)
                print("make sim SEED=\(next)")
                return false
            }
            next += 1
        } while clock.now < end
        print("\(next - first) seeds from \(first) on, no fault")
        return true
    }

    /// Says how a seed ended; true if well.
    private func report(_ outcome: Simulation.Outcome) -> Bool {
        for fault in outcome.faults { print("fault: \(fault)") }
        print(
            "seed \(outcome.seed): hash \(String(outcome.hash, radix: 16)), \(outcome.published) published, "
                + "\(outcome.received) received, \(outcome.steps) steps, \(outcome.faults.count) faults")
        return outcome.faults.isEmpty
    }
}
