import Foundation
import SimulationKit
import Testing

@Suite struct SimulationTests {
    @Test("QoS 1 at least once, QoS 2 exactly once, in order, in bounds, whatever happens", arguments: 1...200)
    func promisesHold(seed: UInt64) {
        let outcome = Simulation.run(seed: seed)
        #expect(outcome.faults == [], "make sim SEED=\(seed)")
    }

    @Test(
        "The same while the gateway is killed, and its disk is slow, full or fails (DESIGN §5) [attack 131]",
        arguments: 1...40)
    func promisesOutliveTheGateway(seed: UInt64) {
        let outcome = Simulation.run(seed: seed, isDurable: true)
        #expect(outcome.faults == [], "make sim CRASHES=\(seed)")
    }

    @Test(
        "Crashes that once broke a promise do so no more",
        arguments: [123, 147, 159, 183, 201, 216, 225, 241] as [UInt64])
    func oldCrashes(seed: UInt64) {
        let outcome = Simulation.run(seed: seed, isDurable: true)
        #expect(outcome.faults == [], "make sim CRASHES=\(seed)")
    }

    @Test("Seeds that once failed do so no more", arguments: failedSeeds)
    func oldFaultsStayAway(seed: UInt64) {
        let outcome = Simulation.run(seed: seed)
        #expect(outcome.faults == [], "make sim SEED=\(seed)")
    }

    @Test("One seed is one course of events, in every process", arguments: [7, 19, 103] as [UInt64])
    func isDeterministic(seed: UInt64) throws {
        let first = try SimulateProgram.lastLine(["--seed", String(seed), "--quiet"])
        #expect(first.contains("hash"))
        #expect(try SimulateProgram.lastLine(["--seed", String(seed), "--quiet"]) == first)
        #expect(first.contains(String(Simulation.run(seed: seed).hash, radix: 16)))
    }
}

/// The executable `simulate`, in a process with a hash seed of its own.
enum SimulateProgram {
    /// The last line that it prints.
    static func lastLine(_ arguments: [String]) throws -> String {
        let process = Process()
        let pipe = Pipe()
        guard let program = findSimulate() else {
            Issue.record("the executable simulate is not beside the tests")
            return ""
        }
        process.executableURL = program
        process.arguments = arguments
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self).split(separator: "\n").last.map(String.init) ?? ""
    }

    /// The executable, which lies beside the test bundle.
    private static func findSimulate() -> URL? {
        let places = CommandLine.arguments.prefix(1).map { URL(fileURLWithPath: $0) } + [Bundle.main.bundleURL]
        for place in places {
            var folder = place
            for _ in 0..<4 {
                let candidate = folder.appendingPathComponent("simulate")
                if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
                folder.deleteLastPathComponent()
            }
        }
        return nil
    }
}

/// The numbers in `seeds.txt`.
private let failedSeeds = seeds(in: "seeds.txt")

/// The numbers at the beginnings of a file's lines.
func seeds(in name: String) -> [UInt64] {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(name)
    let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { line in
        line.split(separator: " ").first.flatMap { UInt64($0) }
    }
}
