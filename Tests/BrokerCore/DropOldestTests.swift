import Bytes
import Messaging
import Testing

@testable import BrokerCore

/// What `drop_oldest` drops, and what it leaves alone since it would help nobody [M-10].
@Suite struct DropOldestTests {
    /// A world where these clients are away, each subscribed to topic `all` and to its own name, and a writer.
    private func world(
        _ readers: [ByteString], _ configure: (inout BrokerLimits) -> Void
    ) -> (world: BrokerWorld, writer: LinkID) {
        var limits = BrokerLimits()
        limits.queueFullPolicy = .dropOldest
        limits.inflightMessagesMax = 100
        configure(&limits)
        var world = BrokerWorld(limits)
        for name in readers {
            let reader = world.client(name, expiry: .max)
            for filter in ["all", name] { world.subscribe(reader, filter, .atLeastOnce) }
            world.ask(reader, .detach(Farewell(publishesWill: false)))
        }
        let writer = world.client("writer")
        return (world, writer)
    }

    private func publish(_ topics: [ByteString], _ world: inout BrokerWorld, _ writer: LinkID) {
        for (number, topic) in topics.enumerated() {
            world.publish(writer, topic, ByteString("\(number)"), .atLeastOnce, id: UInt16(number + 1))
        }
    }

    private func payloads(_ world: inout BrokerWorld, _ reader: ByteString) -> [ByteString] {
        let link = world.client(reader, clean: false, expiry: .max, window: 100)
        return world.messages(link).map(\.payload)
    }

    @Test("Where the room of all is short, a message that waits elsewhere too is passed over for one that helps")
    func passesOver() {
        var (world, writer) = world(["a", "b"]) { $0.heldBytesMax = 4 }
        publish(["all", "a", "all", "a", "a"], &world, writer)
        #expect(world.broker.counters.droppedQueueFull == 1)
        #expect(world.broker.gauges.heldBytes == 4)
        #expect(payloads(&world, "a") == ["0", "2", "3", "4"])
        #expect(payloads(&world, "b") == ["0", "2"])
    }

    @Test("No more goes than is needed, and with too little to give nothing goes but the newest")
    func noMoreThanNeeded() {
        var (world, writer) = world(["a", "b"]) { $0.heldBytesMax = 6 }
        publish(["a", "a", "all", "all", "a", "a"], &world, writer)
        world.publish(writer, "a", "xyz", .atLeastOnce, id: 7)
        #expect(world.broker.counters.droppedQueueFull == 3)
        #expect(payloads(&world, "a") == ["2", "3", "5", "xyz"])
        var (second, author) = self.world(["a", "b"]) { $0.heldBytesMax = 6 }
        publish(["a", "all", "all", "all", "all", "a"], &second, author)
        second.publish(author, "a", "xyz", .atLeastOnce, id: 7)
        #expect(second.broker.counters.droppedQueueFull == 1)
        #expect(payloads(&second, "a") == ["0", "1", "2", "3", "4", "5"])
    }

    @Test("A queue that is full itself gives nothing either, where the room of all would be short nevertheless")
    func bothShort() {
        var (world, writer) = world(["a", "b"]) {
            $0.queuedMessagesMax = 3
            $0.heldBytesMax = 3
        }
        publish(["all", "all", "all", "a"], &world, writer)
        #expect(world.broker.counters.droppedQueueFull == 1)
        #expect(payloads(&world, "a") == ["0", "1", "2"])
    }

    @Test(
        "Only the oldest 64 are looked at: what could help behind them stays, and the newest goes", arguments: 63...64)
    func looksAtFew(shared: Int) {
        var (world, writer) = world(["a", "b"]) { $0.heldBytesMax = 1_000 }
        for id in 1...UInt16(shared) { world.publish(writer, "all", "1234567890", .atLeastOnce, id: id) }
        let rest = ByteString([UInt8](repeating: 0x78, count: 1_000 - 10 * shared))
        world.publish(writer, "a", rest, .atLeastOnce, id: 100)
        world.publish(writer, "a", "newest", .atLeastOnce, id: 101)
        #expect(world.broker.counters.droppedQueueFull == 1)
        // Those that all have, and the long one or the newest.
        let waiting = world.broker.queue(of: "a")
        #expect(waiting.messages == shared + 1)
        #expect(waiting.bytes == (shared == 63 ? 636 : 1_000))
    }

    @Test(
        "Behind many that are unacknowledged the oldest is found as before; when they alone fill it the newest goes",
        arguments: [(500, []), (502, ["new 4", "new 5"])] as [(Int, [ByteString])])
    func behindUnacknowledged(room: Int, kept: [ByteString]) {
        var (world, writer) = world(["a"]) {
            $0.queuedMessagesMax = room
            $0.inflightMessagesMax = 600
        }
        let reader = world.client("a", clean: false, expiry: .max, window: 600)
        publish([ByteString](repeating: "a", count: 500), &world, writer)
        let sent = world.messages(reader)
        #expect(sent.count == 500)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        for number in 1...5 { world.publish(writer, "a", ByteString("new \(number)"), .atLeastOnce, id: 1) }
        #expect(world.broker.counters.droppedQueueFull == UInt64(5 - kept.count))
        let again = world.client("a", clean: false, expiry: .max, window: 600)
        for _ in 0..<10 { world.advance(.milliseconds(1)) }
        #expect(world.messages(again).map(\.payload) == sent.map(\.payload) + kept)
    }
}
