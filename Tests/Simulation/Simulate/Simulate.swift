import Glibc
import SimulationKit

/// Plays worlds: `simulate SEED` prints one event by event, `simulate hash SEED` only its end,
/// `simulate minutes N` looks for faults in as many seeds as fit into the time.
@main
struct Simulate {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        var isSound = false
        if arguments.count == 1, let seed = UInt64(arguments[0]) {
            isSound = report(Simulation.run(seed: seed, isPrinting: true))
        } else if arguments.count == 2, arguments[0] == "hash", let seed = UInt64(arguments[1]) {
            isSound = report(Simulation.run(seed: seed))
        } else if arguments.count == 2, arguments[0] == "minutes", let minutes = Double(arguments[1]) {
            isSound = search(for: .seconds(minutes * 60))
        } else {
            print("usage: simulate SEED | simulate hash SEED | simulate minutes N")
        }
        if !isSound { exit(1) }
    }

    /// Says how a seed ended; true if well.
    private static func report(_ outcome: Simulation.Outcome) -> Bool {
        for fault in outcome.faults { print("fault: \(fault)") }
        print(
            "seed \(outcome.seed): hash \(String(outcome.hash, radix: 16)), \(outcome.published) published, "
                + "\(outcome.received) received, \(outcome.steps) steps, \(outcome.faults.count) faults")
        return outcome.faults.isEmpty
    }

    private static func search(for duration: Duration) -> Bool {
        let clock = ContinuousClock()
        let end = clock.now + duration
        var generator = SystemRandomNumberGenerator()
        var count = 0
        while clock.now < end {
            let seed = generator.next() >> 16
            let outcome = Simulation.run(seed: seed)
            count += 1
            guard outcome.faults.isEmpty else {
                _ = report(outcome)
                print("make sim SEED=\(seed)")
                return false
            }
        }
        print("\(count) seeds, no fault")
        return true
    }
}
