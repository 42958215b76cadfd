import Bytes
import Clockwork
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

@Suite struct EndTests {
    // MARK: Time

    @Test("CONNECT has five seconds, to the nanosecond [attack 44]")
    func connectTimeout() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        #expect(world.connections.nextDeadline == world.now.instant + .seconds(5))
        world.advance(.seconds(5) - .nanoseconds(1))
        #expect(!world.isClosing(slot))
        world.advance(.nanoseconds(1))
        #expect(world.isClosing(slot))
        #expect(world.pending(slot).isEmpty)
        #expect(world.connections.counters.connectTimeouts == 1)
        #expect(world.asked(slot).isEmpty)
    }

    @Test(
        "Silence of 1.5 times the keep-alive ends the connection [MQTT-3.1.2-22] [MQTT-3.2.2-22] [attack 47]",
        arguments: versions)
    func keepAlive(version: ProtocolVersion) throws {
        let world = ConnectionWorld()
        let slot = try world.client(version)
        world.advance(.seconds(90) - .nanoseconds(1))
        #expect(!world.isClosing(slot))
        world.advance(.nanoseconds(1))
        #expect(world.isClosing(slot))
        #expect(world.heard(slot) == (version == .v5 ? ["DISCONNECT keepAliveTimeout"] : []))
        #expect(world.asked(slot) == ["detach will"])
        #expect(world.logged() == [.ended("p", .keepAliveTimedOut)])
        #expect(world.connections.counters.keepAliveTimeouts == 1)
    }

    @Test("Each packet moves the end of the silence, without touching the timer")
    func keepAliveMoves() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v3_1_1)
        let armed = world.connections.nextDeadline
        for _ in 0..<10 {
            world.advance(.seconds(8))
            try world.feed(slot, "c0 00")
            #expect(world.connections.nextDeadline == armed)
        }
        let last = world.now.instant
        world.advance(.seconds(10))
        #expect(world.connections.nextDeadline == last + .seconds(90))
        world.advance(.seconds(80) - .nanoseconds(1))
        #expect(!world.isClosing(slot))
        world.advance(.nanoseconds(1))
        #expect(world.isClosing(slot))
    }

    @Test("A keep-alive of 0 never ends a connection [attack 46], the longest one does after 27 hours")
    func keepAliveLimits() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(.v3_1_1, keepAlive: "0000"))
        #expect(world.connections.nextDeadline == nil)
        world.advance(.seconds(1_000_000))
        #expect(!world.isClosing(slot))
        let other = try world.open()
        world.feed(other, try connect(.v3_1_1, keepAlive: "ffff"))
        #expect(world.connections.nextDeadline == world.now.instant + .milliseconds(65_535 * 1_500))
    }

    @Test("After a jump of the clock of days every silent client is ended once, and one that speaks stays [attack 47]")
    func clockJumps() throws {
        for version in versions {
            let world = ConnectionWorld()
            let silent = try world.client(version)
            let free = try world.open()
            world.feed(free, try connect(version, id: "'q'", keepAlive: "0000"))
            world.advance(.seconds(10 * 86_400))
            #expect(world.isClosing(silent))
            #expect(!world.isClosing(free))
            #expect(world.connections.counters.keepAliveTimeouts == 1)
            let lively = try world.client(version, id: "'r'")
            for _ in 0..<50 {
                world.advance(.seconds(89))
                try world.feed(lively, "c0 00")
            }
            #expect(!world.isClosing(lively))
            // A timer that comes late ends what is due, and less than a second behind time where it comes in time.
            world.advance(.milliseconds(90_999))
            #expect(world.isClosing(lively))
            #expect(world.connections.counters.keepAliveTimeouts == 2)
        }
    }

    @Test("The keep-alive that the server sets is the one that holds [MQTT-3.2.2-21]")
    func serverKeepAlive() throws {
        let world = ConnectionWorld { $0.keepAliveMax = 10 }
        let slot = try world.open()
        world.feed(slot, try connect(.v5, keepAlive: "0000"))
        #expect(world.connections.nextDeadline == world.now.instant + .seconds(15))
    }

    @Test("Many connections end in the order of their silence")
    func manyTimers() throws {
        let world = ConnectionWorld()
        var slots: [Int] = []
        for _ in 0..<100 {
            slots.append(try world.client(.v3_1_1))
            world.advance(.milliseconds(10))
        }
        world.advance(.seconds(100))
        #expect(world.connections.takeClosing() == slots)
        #expect(world.connections.nextDeadline == nil)
    }

    // MARK: Limits

    @Test("Connections have a limit in all: at it, one more, ten times [attack 44]")
    func connectionLimit() throws {
        let world = ConnectionWorld { $0.connectionsMax = 3 }
        let slots = try (0..<3).map { _ in try world.open() }
        #expect(world.connections.count == 3)
        for _ in 0..<30 { #expect(world.connections.open(listener: 0, now: world.now) == nil) }
        #expect(world.connections.counters.refusedAtLimit == 30)
        world.end(slots[1])
        #expect(try world.open() == slots[1])
        #expect(world.connections.open(listener: 0, now: world.now) == nil)
    }

    @Test("Connections have a limit for each listener")
    func listenerLimit() throws {
        let world = ConnectionWorld { limits in
            var listener = ConnectionLimits.Listener()
            listener.connectionsMax = 2
            limits.listeners = [listener, ConnectionLimits.Listener()]
        }
        let first = try world.open(listener: 0)
        _ = try world.open(listener: 0)
        #expect(world.connections.open(listener: 0, now: world.now) == nil)
        for _ in 0..<5 { _ = try world.open(listener: 1) }
        // A listener without rules of its own has the defaults.
        let other = try world.open(listener: 7)
        #expect(world.connections.listener(of: other) == 7)
        world.end(first)
        #expect(try world.open(listener: 0) == first)
        #expect(world.connections.open(listener: 0, now: world.now) == nil)
    }

    @Test("A slot that is used again remembers nothing")
    func slotReuse() throws {
        let world = ConnectionWorld()
        let first = try world.client(.v5, properties: "27 00000064")
        try world.feed(first, "30 08 0001 'a' 03 23 0001 'x' | 30")
        world.deliver(first, TestDelivery())
        world.end(first)
        #expect(world.connections.clientID(of: first) == nil)
        let second = try world.open()
        #expect(second == first)
        #expect(world.pending(second).isEmpty)
        _ = world.asked(second)
        world.feed(second, try connect(.v3_1_1, id: "'q'"))
        #expect(world.pending(second) == [0x20, 2, 0, 0])
        #expect(world.asked(second).count == 1)
        world.deliver(second, TestDelivery(payload: ByteString(Array(repeating: 0, count: 200))))
        #expect(world.pending(second).count == 4 + 3 + 3 + 200)
    }

    @Test("What is to be closed is named once, and not when its socket was lost before")
    func takeClosing() throws {
        let world = ConnectionWorld()
        let slots = try (0..<3).map { _ in try world.client(.v3_1_1) }
        for slot in slots { try world.feed(slot, "e0 00") }
        world.end(slots[1])
        #expect(world.connections.takeClosing() == [slots[0], slots[2]])
        #expect(world.connections.takeClosing().isEmpty)
        try world.feed(slots[0], "e0 00")
        #expect(world.connections.takeClosing().isEmpty)
    }

    @Test("A slot that ends and is used again before the list is taken is not closed for its forerunner")
    func takeClosingAfterReuse() throws {
        let world = ConnectionWorld()
        let first = try world.client(.v3_1_1)
        try world.feed(first, "e0 00")
        world.end(first)
        let second = try world.client(.v3_1_1)
        #expect(second == first)
        #expect(world.connections.takeClosing().isEmpty)
        #expect(!world.isClosing(second))
        try world.feed(second, "e0 00")
        #expect(world.connections.takeClosing() == [second])
    }

    @Test("A reset in the middle of a packet, over and over, leaves nothing behind [attack 88]")
    func resets() throws {
        let world = ConnectionWorld()
        let begun = try connect(.v5) + packet("30", "0001 'a' 00 'x'*500").prefix(300)
        for _ in 0..<1_000 {
            let slot = try world.open()
            #expect(slot == 0)
            world.feed(slot, begun)
            world.end(slot)
        }
        #expect(world.connections.count == 0)
        #expect(world.connections.nextDeadline == nil)
        #expect(world.connections.connections.count == 1)
        #expect(world.connections.connections[0].partial.pending.memory.baseAddress == nil)
        #expect(world.connections.connections[0].output.pending.memory.baseAddress == nil)
    }
}
