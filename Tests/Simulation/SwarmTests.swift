import SwarmKit
import Testing

/// MQTT clients of all versions with random mixes of features, held against a naive model of a broker. `Tests/run`
/// plays a thousand more seeds, in release mode.
@Suite struct SwarmTests {
    @Test("What the model of a broker says is what clients get", arguments: 1...60)
    func agreesWithTheModel(seed: UInt64) {
        #expect(Swarm.run(seed: seed).faults == [], "make sim SWARM=\(seed)")
    }

    @Test("Swarms that once failed do so no more", arguments: seeds(in: "swarm-seeds.txt"))
    func oldFaultsStayAway(seed: UInt64) {
        #expect(Swarm.run(seed: seed).faults == [], "make sim SWARM=\(seed)")
    }

    @Test("The model notices each fault that is made on purpose", arguments: Mutation.allCases)
    func noticesFaults(mutation: Mutation) {
        let seeds: ClosedRange<UInt64> = 1...200
        #expect(seeds.contains { !Swarm.run(seed: $0, mutation: mutation).faults.isEmpty })
    }

    @Test("One swarm is one course of events, in every process", arguments: [3, 11] as [UInt64])
    func isDeterministic(seed: UInt64) throws {
        let arguments = ["--swarm", "--seed", String(seed), "--quiet"]
        let first = try SimulateProgram.lastLine(arguments)
        #expect(first.contains("hash"))
        #expect(try SimulateProgram.lastLine(arguments) == first)
        #expect(first.contains(String(Swarm.run(seed: seed).hash, radix: 16)))
    }

    @Test("What a fault does not need is left out of its trace")
    func shrinks() {
        let seeds: ClosedRange<UInt64> = 1...200
        guard
            let seed = seeds.first(where: { !Swarm.run(seed: $0, mutation: .lostDelivery).faults.isEmpty })
        else { return }
        let whole = Swarm.run(seed: seed, mutation: .lostDelivery)
        let left = Swarm.shrink(seed: seed, mutation: .lostDelivery)
        let rest = Swarm.run(seed: seed, mutation: .lostDelivery, leaving: left)
        #expect(!rest.faults.isEmpty)
        #expect(rest.steps < whole.steps)
    }
}
