import Bytes
import Messaging
import Testing

@testable import BrokerCore

/// A queue that is full, under each policy [M-10] [M-11]; and the room that all queues share.
@Suite struct QueuePolicyTests {
    /// A world with a reader that is away, subscribed to everything at QoS 2, and a writer.
    private func world(
        _ policy: QueueFullPolicy, _ configure: (inout BrokerLimits) -> Void = { $0.queuedMessagesMax = 3 }
    ) -> (world: BrokerWorld, writer: LinkID) {
        var limits = BrokerLimits()
        limits.queueFullPolicy = policy
        configure(&limits)
        var world = BrokerWorld(limits)
        let reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "#")
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        _ = world.heard(writer)
        return (world, writer)
    }

    /// Publishes 1, 2, 3 … at QoS 1; what the writer was told.
    private func publish(
        _ numbers: ClosedRange<UInt16>, _ world: inout BrokerWorld, _ writer: LinkID
    ) -> [PublishOutcome] {
        for number in numbers { world.publish(writer, "a", ByteString("\(number)"), .atLeastOnce, id: number) }
        return outcomes(&world, writer)
    }

    private func outcomes(_ world: inout BrokerWorld, _ link: LinkID) -> [PublishOutcome] {
        world.heard(link).compactMap { told in
            if case .answer(.acknowledge(let answer)) = told { answer.outcome } else { nil }
        }
    }

    private func payloads(_ world: inout BrokerWorld) -> [ByteString] {
        let reader = world.client("reader", clean: false, expiry: .max, window: 100)
        return world.messages(reader).map(\.payload)
    }

    @Test("drop_newest: what comes last is dropped and counted, and the publisher hears success [attack 73]")
    func dropNewest() {
        var (world, writer) = world(.dropNewest)
        #expect(publish(1...5, &world, writer) == [.success, .success, .success, .success, .success])
        #expect(world.broker.counters.droppedQueueFull == 2)
        #expect(payloads(&world) == ["1", "2", "3"])
    }

    @Test("drop_oldest: what came first makes place, and the publisher hears success [attack 73]")
    func dropOldest() {
        var (world, writer) = world(.dropOldest)
        #expect(publish(1...5, &world, writer) == [.success, .success, .success, .success, .success])
        #expect(world.broker.counters.droppedQueueFull == 2)
        #expect(payloads(&world) == ["3", "4", "5"])
    }

    @Test("refuse: the publisher hears no, nobody gets the message, and nothing is retained [attack 73]")
    func refuse() {
        var (world, writer) = world(.refuse)
        let other = world.client("other")
        world.subscribe(other, "a")
        #expect(publish(1...3, &world, writer) == [.success, .success, .success])
        #expect(world.messages(other).count == 3)
        world.publish(writer, "a", "4", .atLeastOnce, id: 4, retain: true)
        #expect(outcomes(&world, writer) == [.quotaExceeded])
        #expect(world.messages(other).isEmpty)
        #expect(world.broker.gauges.retainedMessages == 0)
        #expect(world.broker.counters.publishesRefused == 1)
        #expect(world.broker.counters.dropped == 0)
        // At QoS 0 there is no answer: who has room gets it, the other's is counted or, away, not kept.
        world.publish(writer, "a", "5")
        #expect(world.messages(other).map(\.payload) == ["5"])
        #expect(payloads(&world) == ["1", "2", "3"])
    }

    @Test("refuse: ten times the limit is refused ten times, and the queue stays what it was")
    func refuseTenTimes() {
        var (world, writer) = world(.refuse)
        let told = publish(1...30, &world, writer)
        #expect(told.prefix(3).allSatisfy { $0 == .success })
        #expect(told.dropFirst(3).allSatisfy { $0 == .quotaExceeded } && told.count == 30)
        #expect(world.broker.gauges.heldMessages == 3)
    }

    @Test("refuse: a receiver at QoS 0 is not asked, and gets no more than its queue holds [M-13]")
    func refuseBesideQoSZero() {
        var limits = BrokerLimits()
        limits.queueFullPolicy = .refuse
        limits.queuesQoS0 = true
        limits.queuedMessagesMax = 3
        var world = BrokerWorld(limits)
        let reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "#", .atMostOnce)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        _ = world.heard(writer)
        #expect(publish(1...30, &world, writer).allSatisfy { $0 == .success })
        #expect(world.broker.gauges.heldMessages == 3)
        #expect(world.broker.counters.droppedQueueFull == 27)
    }

    @Test("The room of all queues holds for wills too", arguments: [QueueFullPolicy.dropNewest, .refuse])
    func wills(policy: QueueFullPolicy) {
        var (world, _) = world(policy) { $0.heldBytesMax = 8 }
        for number in 1...5 {
            let will = Will(topic: "gone", payload: "1234", qos: .atLeastOnce, retain: false)
            let client = world.client(ByteString("c\(number)"), will: will)
            world.ask(client, .detach(Farewell(publishesWill: true)))
        }
        #expect(world.broker.gauges.heldBytes == 8)
        #expect(world.broker.counters.droppedQueueFull == 3)
    }

    @Test("refuse at QoS 2: PUBREC says no at once, and what it said yes to is never dropped [M-11]")
    func refuseExactlyOnce() {
        var (world, writer) = world(.refuse)
        for id in 1...4 as ClosedRange<UInt16> { world.publish(writer, "a", ByteString("\(id)"), .exactlyOnce, id: id) }
        // All four were asked about while the queue was empty.
        #expect(outcomes(&world, writer) == [.success, .success, .success, .success])
        for id in 1...3 as ClosedRange<UInt16> { world.ask(writer, .release(packetIdentifier: id)) }
        world.publish(writer, "a", "5", .exactlyOnce, id: 5)
        #expect(outcomes(&world, writer) == [.success, .success, .success, .quotaExceeded])
        world.ask(writer, .release(packetIdentifier: 4))
        #expect(world.broker.counters.dropped == 0)
        #expect(payloads(&world) == ["1", "2", "3", "4"])
    }

    @Test("refuse at QoS 2: a message that shall be retained is asked about too, and is retained once accepted")
    func refuseRetained() {
        var (world, writer) = world(.refuse) { $0.retainedMessagesMax = 1 }
        for id in 1...2 as ClosedRange<UInt16> {
            world.publish(writer, ByteString("t\(id)"), "x", .exactlyOnce, id: id, retain: true)
        }
        for id in 1...2 as ClosedRange<UInt16> { world.ask(writer, .release(packetIdentifier: id)) }
        #expect(world.broker.gauges.retainedMessages == 2)
        _ = world.heard(writer)
        world.publish(writer, "t3", "x", .exactlyOnce, id: 3, retain: true)
        world.publish(writer, "t3", "x", .atLeastOnce, id: 4, retain: true)
        world.publish(writer, "t1", "changed", .atLeastOnce, id: 5, retain: true)
        #expect(outcomes(&world, writer) == [.quotaExceeded, .quotaExceeded, .success])
        #expect(world.broker.counters.retainedRefused == 2)
    }

    @Test("refuse asks only those who must hold the message: not its own sender, not QoS 0, not an open window")
    func refuseAsksWhoMatters() {
        var (world, writer) = world(.refuse) { $0.queuedMessagesMax = 0 }
        let open = world.client("open")
        world.subscribe(open, "b/#")
        #expect(publish(1...1, &world, writer) == [.quotaExceeded])
        let reader = world.client("reader", clean: true, expiry: .max)
        world.subscribe(reader, "b/+", .atMostOnce)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        world.subscribe(writer, "b/c", noLocal: true)
        world.ask(writer, .window(isOpen: false))
        _ = world.heard(writer)
        world.publish(writer, "b/c", "x", .atLeastOnce, id: 2)
        #expect(outcomes(&world, writer) == [.success])
        #expect(world.messages(open).count == 1)
    }

    @Test("refuse: a will and a message of nobody's have no publisher to tell; they are dropped where there is no room")
    func refuseWithoutPublisher() {
        var (world, writer) = world(.refuse)
        let other = world.client("other")
        world.subscribe(other, "#", .atLeastOnce)
        _ = publish(1...3, &world, writer)
        _ = world.messages(other)
        let will = Will(topic: "w", payload: "gone", qos: .atLeastOnce, retain: false)
        let testator = world.client("testator", will: will)
        world.ask(testator, .detach(Farewell(publishesWill: true)))
        #expect(world.messages(other).map(\.payload) == ["gone"])
        #expect(world.broker.counters.droppedQueueFull == 1)
    }

    @Test("drop_oldest spares what was in flight: the client may know it")
    func dropOldestSparesInflight() {
        var (world, writer) = world(.dropOldest)
        let reader = world.client("reader", clean: false, expiry: .max, window: 2)
        _ = publish(1...2, &world, writer)
        let sent = world.messages(reader)
        #expect(sent.count == 2)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        _ = publish(3...5, &world, writer)
        #expect(payloads(&world) == ["1", "2", "5"])
        #expect(world.broker.counters.droppedQueueFull == 2)
    }

    @Test("drop_oldest with nothing to give drops the newest: all was in flight, or the message is too long by itself")
    func dropOldestHasNothing() {
        var (world, writer) = world(.dropOldest) {
            $0.queuedMessagesMax = 2
            $0.queuedBytesMax = 10
        }
        let reader = world.client("reader", clean: false, expiry: .max, window: 2)
        _ = publish(1...2, &world, writer)
        _ = world.messages(reader)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        _ = publish(3...3, &world, writer)
        #expect(payloads(&world) == ["1", "2"])
        var (second, author) = self.world(.dropOldest) { $0.queuedBytesMax = 10 }
        second.publish(author, "a", "small", .atLeastOnce, id: 1)
        second.publish(author, "a", "eleven bytes", .atLeastOnce, id: 2)
        #expect(payloads(&second) == ["small"])
        #expect(second.broker.counters.droppedQueueFull == 1)
    }

    @Test(
        "A queue is full by its bytes: at the limit, one more, ten times",
        arguments: [
            (QueueFullPolicy.dropNewest, [1, 2, 3, 4, 5]), (.dropOldest, [46, 47, 48, 49, 50]),
            (.refuse, [1, 2, 3, 4, 5]),
        ])
    func bytes(policy: QueueFullPolicy, kept: [Int]) {
        var (world, writer) = world(policy) { $0.queuedBytesMax = 50 }
        for number in 1...50 as ClosedRange<UInt16> {
            let digits = number < 10 ? "0\(number)" : "\(number)"
            world.publish(writer, "a", ByteString("number \(digits)."), .atLeastOnce, id: number)
            #expect(world.broker.gauges.heldBytes <= 50)
            if number == 5 { #expect(world.broker.counters.dropped + world.broker.counters.publishesRefused == 0) }
        }
        #expect(world.broker.counters.dropped + world.broker.counters.publishesRefused == 45)
        #expect(payloads(&world).map { Int(String(decoding: $0.bytes[7..<9], as: UTF8.self)) } == kept)
    }

    @Test(
        "What has expired makes room before anything is dropped or refused [MQTT-3.3.2-5]",
        arguments: [QueueFullPolicy.dropNewest, .dropOldest, .refuse])
    func expiredMakesRoom(policy: QueueFullPolicy) {
        var (world, writer) = world(policy)
        world.publish(writer, "a", "stays", .atLeastOnce, id: 1)
        for id in 2...3 as ClosedRange<UInt16> { world.publish(writer, "a", "goes", .atLeastOnce, id: id, expiry: 10) }
        world.advance(.seconds(11))
        _ = outcomes(&world, writer)
        #expect(publish(4...5, &world, writer) == [.success, .success])
        #expect(world.broker.counters.expired == 2)
        #expect(world.broker.counters.dropped == 0)
        #expect(payloads(&world) == ["stays", "4", "5"])
    }

    @Test("The operator hears once that a queue is full, and how much found it so when it is empty again")
    func queueLog() {
        var (world, writer) = world(.dropNewest)
        _ = publish(1...10, &world, writer)
        #expect(world.queueLogs == [.full("reader")])
        _ = payloads(&world)
        #expect(world.queueLogs == [.full("reader"), .emptied("reader", turnedAway: 7)])
        var (second, author) = self.world(.refuse)
        _ = publish(1...4, &second, author)
        let reader = second.client("reader", expiry: 0)
        second.ask(reader, .detach(Farewell(publishesWill: false)))
        #expect(second.queueLogs == [.full("reader"), .emptied("reader", turnedAway: 1)])
    }

    // MARK: - The room of all queues

    @Test("The room of all is used up: the newest is dropped, or its publisher refused; said once each way")
    func allFull() {
        for policy in [QueueFullPolicy.dropNewest, .refuse] {
            var (world, writer) = world(policy) { $0.heldBytesMax = 8 }
            let told = publish(1...9, &world, writer)
            let isRefusing = policy == .refuse
            #expect(told.last == (isRefusing ? .quotaExceeded : .success))
            #expect(world.broker.counters.droppedQueueFull == (isRefusing ? 0 : 1))
            #expect(world.queueLogs == [.allFull])
            let reader = world.client("reader", clean: false, expiry: .max)
            for message in world.messages(reader) { world.acknowledge(reader, .puback, message.packetIdentifier) }
            #expect(publish(10...10, &world, writer) == [.success])
            #expect(world.queueLogs == [.allFull, .allHaveRoom(turnedAway: 1)])
        }
    }

    @Test("drop_oldest makes room among all where what it drops waits nowhere else")
    func allFullOldest() {
        var (world, writer) = world(.dropOldest) { $0.heldBytesMax = 8 }
        _ = publish(1...9, &world, writer)
        #expect(payloads(&world) == ["2", "3", "4", "5", "6", "7", "8", "9"])
        // The same messages wait for two: to drop them from one queue would free nothing, and the newest goes.
        var (second, author) = self.world(.dropOldest) { $0.heldBytesMax = 8 }
        let other = second.client("other", expiry: .max)
        second.subscribe(other, "#")
        second.ask(other, .detach(Farewell(publishesWill: false)))
        _ = publish(1...9, &second, author)
        #expect(payloads(&second) == ["1", "2", "3", "4", "5", "6", "7", "8"])
        #expect(second.broker.counters.droppedQueueFull == 2)
    }

    @Test("The places of all queues have a limit, which even an accepted message cannot pass [M-11]")
    func places() {
        var (world, writer) = world(.refuse) { $0.queuedDeliveriesMax = 2 }
        for id in 1...3 as ClosedRange<UInt16> { world.publish(writer, "a", ByteString("\(id)"), .exactlyOnce, id: id) }
        #expect(outcomes(&world, writer) == [.success, .success, .success])
        for id in 1...3 as ClosedRange<UInt16> { world.ask(writer, .release(packetIdentifier: id)) }
        #expect(world.broker.counters.droppedQueueFull == 1)
        _ = outcomes(&world, writer)
        #expect(publish(4...4, &world, writer) == [.quotaExceeded])
        var (second, author) = self.world(.dropOldest) { $0.queuedDeliveriesMax = 2 }
        _ = publish(1...5, &second, author)
        #expect(payloads(&second) == ["4", "5"])
    }

    @Test("A retained message that waits needs room among all like any other")
    func retainedNeedsRoom() {
        var (world, writer) = world(.dropNewest) { $0.heldBytesMax = 100 }
        let payload = ByteString([UInt8](repeating: 0x78, count: 10))
        for id in 1...100 as ClosedRange<UInt16> {
            world.publish(writer, "a", payload, .atLeastOnce, id: id, retain: true)
        }
        #expect(world.broker.gauges.heldBytes <= 100)
        #expect(world.broker.counters.droppedQueueFull >= 89)
    }
}
