import Clockwork
import Engine
import Reactor
import Testing
import Transport

@Suite struct LossTests {
    /// Sends a device's socket more than the system keeps for the server, and one more behind it: with that the system
    /// says how many it has dropped.
    private func flood(_ world: ServerWorld) throws {
        let device = try world.device()
        let before = world.server.loop.counters
        for _ in 0..<3_000 { device.send(ArraySlice([UInt8](repeating: 0, count: 8_000))) }
        let isRead = world.turns { world.server.loop.counters.datagramsReceived > before.datagramsReceived + 100 }
        try #require(isRead)
        // The buffer is empty when what was sent last is answered.
        try device.send("02 16")
        try #require(world.turns { world.hears(device, "02 18") })
        #expect(world.server.loop.counters.datagramsOverflowed > before.datagramsOverflowed)
    }

    /// What the owner was told of losses since it was last asked.
    private func losses(_ world: ServerWorld) -> [UInt64] {
        world.takeEvents().compactMap { event in
            if case .datagramsLost(let count) = event { count } else { nil }
        }
    }

    @Test("What was lost in a full buffer is told once in ten seconds, and all of it in the end [D-91] [attack 130]")
    func told() throws {
        let world = try ServerWorld { $0.sysInterval = .milliseconds(1) }
        try flood(world)
        let first = losses(world)
        #expect(first.count == 1)
        try flood(world)
        #expect(losses(world) == [])
        let counters = world.server.loop.counters
        let now = world.server.loop.now
        let due = Now(instant: now.instant + Server.overflowPause, unixSeconds: now.unixSeconds + 10)
        _ = world.server.turnEnded(now: due)
        #expect(first + losses(world) == [first.first ?? 0, counters.datagramsOverflowed - (first.first ?? 0)])
        #expect(world.server.engine.datagramsLost == counters.datagramsOverflowed)
        _ = world.server.turnEnded(now: Now(instant: due.instant + .seconds(60), unixSeconds: due.unixSeconds + 60))
        #expect(losses(world) == [])
    }

    @Test("Where nothing is lost nothing is said [D-91]")
    func nothing() throws {
        let world = try ServerWorld()
        let device = try world.device()
        for _ in 0..<100 {
            try device.send("02 16")
            _ = world.turns { world.server.loop.counters.datagramsReceived > 0 }
        }
        #expect(losses(world) == [])
        #expect(world.server.loop.counters.datagramsOverflowed == 0)
    }
}
