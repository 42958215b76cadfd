import Bytes
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

/// What slow senders of large packets may keep together: attack case 56, decision M-70.
@Suite struct UnfinishedTests {
    /// The beginning of a PUBLISH of 900 bytes.
    private func beginning(_ bytes: Int) -> [UInt8] {
        [0x30, 0x81, 0x07] + Array(repeating: 0, count: bytes - 3)
    }

    @Test("Unfinished packets have a limit together: at it all go on, with one byte more the largest ends [attack 56]")
    func limit() throws {
        let world = ConnectionWorld { $0.unfinishedBytesMax = 1_000 }
        let slots = try ["'a'", "'b'", "'c'"].map { try world.client(.v5, id: $0) }
        for (slot, bytes) in zip(slots, [300, 400, 300]) { world.feed(slot, beginning(bytes)) }
        #expect(world.connections.unfinishedBytes == 1_000)
        #expect(!slots.contains { world.isClosing($0) })
        world.feed(slots[2], [0])
        #expect(slots.map { world.isClosing($0) } == [false, true, false])
        #expect(world.heard(slots[1]) == ["DISCONNECT quotaExceeded"])
        #expect(world.asked(slots[1]) == ["detach will"])
        #expect(world.logged() == [.ended("b", .closed(.quotaExceeded))])
        #expect(world.connections.counters.unfinishedDropped == 1)
        #expect(world.connections.unfinishedBytes == 601)
        #expect(world.connections.connections[slots[1]].partial.isEmpty)
    }

    @Test("The one that sends may be the one that keeps most", arguments: versions)
    func itself(version: ProtocolVersion) throws {
        let world = ConnectionWorld { $0.unfinishedBytesMax = 500 }
        let other = try world.client(version, id: "'other'")
        let slot = try world.client(version)
        world.feed(other, beginning(100))
        for _ in 0..<20 { world.feed(slot, world.isClosing(slot) ? [0] : beginning(100)) }
        #expect(world.isClosing(slot) && !world.isClosing(other))
        #expect(world.heard(slot) == (version == .v5 ? ["DISCONNECT quotaExceeded"] : []))
        #expect(world.connections.unfinishedBytes == 100)
    }

    @Test("Ten times the limit: memory stays below it, and a small client is served throughout")
    func flood() throws {
        let world = ConnectionWorld { $0.unfinishedBytesMax = 1_001 }
        let small = try world.client(.v3_1_1, id: "'small'")
        for number in 0..<100 {
            let slot = number % 2 == 0 ? try world.open() : try world.client(.v5, id: "'\(number)'")
            // One that has not said CONNECT counts like the others.
            world.feed(slot, number % 2 == 0 ? [0x10, 0x81, 0x07] + Array(repeating: 0, count: 97) : beginning(100))
            #expect(world.connections.unfinishedBytes <= 1_001)
            world.feed(small, [0xC0])
            world.feed(small, [0x00])
            #expect(world.heard(small) == ["PINGRESP"])
        }
        #expect(world.connections.counters.unfinishedDropped == 90)
    }

    @Test("A packet that is complete, and a connection that ends, give back what they kept")
    func givenBack() throws {
        let world = ConnectionWorld { $0.unfinishedBytesMax = 1_000 }
        let slot = try world.client(.v3_1_1)
        for _ in 0..<10 {
            try world.feed(slot, "30 0a 0001 'a' 'x'*5")
            try world.feed(slot, "'y'*2 c0 00")
            #expect(world.connections.unfinishedBytes == 0)
        }
        world.feed(slot, beginning(500))
        #expect(world.connections.unfinishedBytes == 500)
        world.end(slot)
        #expect(world.connections.unfinishedBytes == 0)
    }

    @Test("What waits for the answer to CONNECT counts too")
    func held() throws {
        let world = ConnectionWorld { $0.unfinishedBytesMax = 1_000 }
        world.answersConnect = { _ in nil }
        let slots = try (0..<3).map { number in
            let slot = try world.open()
            world.feed(slot, try connect(.v5, id: "'\(number)'"))
            return slot
        }
        for slot in slots { world.feed(slot, Array(repeating: 0, count: 400)) }
        #expect(slots.map { world.isClosing($0) } == [true, false, false])
        #expect(world.connections.unfinishedBytes == 800)
        #expect(world.asked(slots[0]).last == "detach will")
    }
}
