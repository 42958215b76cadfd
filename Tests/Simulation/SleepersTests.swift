import SimulationKit
import Testing

/// Sleeping devices with random mixes of what their gateway may be set to, held against a naive model of their queues.
/// `Tests/run` plays a thousand more seeds, in release mode.
@Suite struct SleepersTests {
    @Test(
        """
        What the model of a sleeping device's queue says is what the device hears, and the last acknowledged will what \
        others hear of one that is lost [D-17] [D-20] [D-22] [D-34] [D-75] [D-76] [D-77] [D-80] [D-81] [SN-6.4]
        """, arguments: 1...60)
    func agreesWithTheModel(seed: UInt64) {
        #expect(Sleepers.run(seed: seed).faults == [], "make sim SLEEPERS=\(seed)")
    }

    @Test("The model of a queue notices each fault that is made on purpose", arguments: SleeperMutation.allCases)
    func noticesFaults(mutation: SleeperMutation) {
        let seeds: ClosedRange<UInt64> = 1...200
        #expect(seeds.contains { !Sleepers.run(seed: $0, mutation: mutation).faults.isEmpty })
    }

    @Test("The same sleepers are one course of events, in which something happens")
    func isDeterministic() {
        #expect(Sleepers.run(seed: 3).hash == Sleepers.run(seed: 3).hash)
        #expect(Sleepers.run(seed: 3).hash != Sleepers.run(seed: 4).hash)
        let outcomes = (1...60).map { Sleepers.run(seed: $0) }
        #expect(outcomes.reduce(0) { $0 + $1.heard } > 2_000)
        #expect(outcomes.reduce(0) { $0 + $1.wills } > 50)
    }
}
