import Bytes
import Clockwork
import Journal
import Messaging
import Testing

@testable import BrokerCore

/// Queues larger than memory: what waits beyond the parts is on disk alone, and comes back in its order [M-100].
@Suite struct PagingTests {
    /// A world with so much memory for queues, a reader that is away and a writer.
    private func world(
        _ memory: Int, perSession: Int = .max, _ configure: (inout BrokerLimits) -> Void = { _ in }
    ) -> (BrokerWorld, writer: LinkID) {
        var limits = BrokerLimits()
        limits.queuedMemoryMax = memory
        limits.queuedMemoryPerSessionMax = min(perSession, memory)
        configure(&limits)
        var world = BrokerWorld(limits)
        world.answersLoadsAtOnce = false
        leave(&world, "reader", "#")
        let writer = world.client("writer")
        return (world, writer)
    }

    /// A client subscribes and goes.
    private func leave(_ world: inout BrokerWorld, _ name: ClientID, _ filter: ByteString) {
        let link = world.client(name, clean: false, expiry: .max)
        world.subscribe(link, filter)
        world.ask(link, .detach(Farewell(publishesWill: false)))
    }

    /// Ten bytes.
    private func payload(_ number: Int) -> ByteString { ByteString("message \(number / 10)\(number % 10)") }

    private func publish(_ numbers: ClosedRange<Int>, _ world: inout BrokerWorld, _ writer: LinkID) {
        for number in numbers { world.publish(writer, "a", payload(number), .atLeastOnce, id: UInt16(number)) }
    }

    /// What a client gets, whatever has to be read for it.
    private func drain(_ link: LinkID, _ world: inout BrokerWorld) -> [BrokerWorld.Received] {
        var all: [BrokerWorld.Received] = []
        while true {
            let messages = world.messages(link)
            if messages.isEmpty {
                guard !world.loads.isEmpty else { return all }
                world.answerLoads()
                continue
            }
            all += messages
            for message in messages { world.acknowledge(link, .puback, message.packetIdentifier) }
        }
    }

    private func onDisk(_ world: BrokerWorld) -> Int { world.broker.gauges.heldBytesOnDisk }

    // MARK: - Limits

    @Test("A session's part: at the limit all is in memory, of one message more only the record is")
    func part() {
        var (world, writer) = world(1_000, perSession: 30)
        publish(1...3, &world, writer)
        #expect(onDisk(world) == 0)
        publish(4...4, &world, writer)
        #expect(onDisk(world) == 10)
        #expect(world.broker.gauges.heldBytes == 40)
        let reader = world.client("reader", clean: false, expiry: .max)
        #expect(world.messages(reader).map(\.payload) == (1...3).map(payload))
        #expect(world.loads.count == 1)
        world.answerLoads()
        #expect(world.messages(reader).map(\.payload) == [payload(4)])
        #expect(onDisk(world) == 0)
    }

    @Test("The memory of all queues: at the limit all is in memory, with one message more the newest is not")
    func all() {
        var (world, writer) = world(30, perSession: 20)
        leave(&world, "other", "b")
        publish(1...2, &world, writer)
        world.publish(writer, "b", payload(3), .atLeastOnce, id: 3)
        #expect(onDisk(world) == 0)
        leave(&world, "third", "c")
        // The first's part is full, so it is the third's part that this would be in.
        world.publish(writer, "c", payload(4), .atLeastOnce, id: 4)
        #expect(onDisk(world) == 10)
        let third = world.client("third", clean: false, expiry: .max)
        #expect(world.messages(third) == [])
        #expect(drain(third, &world).map(\.payload) == [payload(4)])
    }

    @Test("With no memory for queues at all every message waits on disk, and comes")
    func nothing() {
        var (world, writer) = world(0)
        publish(1...90, &world, writer)
        #expect(onDisk(world) == 900)
        let reader = world.client("reader", clean: false, expiry: .max)
        #expect(drain(reader, &world).map(\.payload) == (1...90).map(payload))
        #expect(world.broker.counters.dropped == 0)
        #expect(onDisk(world) == 0)
    }

    @Test("What the journal has not handed over yet stays in memory, and without persistence everything does")
    func unwritten() {
        for isDurable in [true, false] {
            var limits = BrokerLimits()
            limits.isDurable = isDurable
            limits.queuedMemoryMax = 0
            limits.queuedMemoryPerSessionMax = 0
            var broker = Broker(limits: limits, seed: 1)
            var effects = BrokerEffects()
            let now = Now(instant: Instant(nanoseconds: 1), unixSeconds: 1_700_000_000)
            let offer = SessionOffer(
                clientID: "reader", cleanStart: false, sessionExpiryInterval: .max, pace: .window(1), will: nil,
                receiveMaximum: 1)
            let request = SubscriptionRequest(filter: "a", options: SubscriptionOptions(maximumQoS: .atLeastOnce))
            let link = LinkID.connection(1)
            broker.handle(.attach(offer), from: link, now: now, into: &effects)
            broker.handle(.subscribe(packetIdentifier: 1, [request]), from: link, now: now, into: &effects)
            broker.handle(.detach(Farewell(publishesWill: false)), from: link, now: now, into: &effects)
            let topic: ByteString = "a"
            topic.withView { topic in
                broker.publish(
                    IncomingPublish(
                        topic: .name(topic), qos: .atLeastOnce, retain: false, isDuplicate: false, packetIdentifier: 1,
                        payload: topic, messageExpiryInterval: nil), isOwn: false, now: now, into: &effects)
            }
            let batch = broker.journal.takeBatch()
            #expect((batch != nil) == isDurable)
            broker.advance(to: now, into: &effects)
            broker.noteCommitted(batch: (batch?.number ?? 1) - 1)
            broker.advance(to: now, into: &effects)
            #expect(broker.gauges.heldBytes == 1)
            #expect(broker.gauges.heldBytesOnDisk == 0)
            broker.noteCommitted(batch: batch?.number ?? 1)
            broker.advance(to: now, into: &effects)
            #expect(broker.gauges.heldBytesOnDisk == (isDurable ? 1 : 0))
            broker.tearDown()
        }
    }

    @Test("A page has 64 messages at most", arguments: [63, 64, 65])
    func page(count: Int) {
        var (world, writer) = world(1_000, perSession: 1_000)
        let reader = world.client("reader", clean: false, expiry: .max, window: 1)
        // What is first in flight and then waits has the whole part; what came behind it is on disk.
        world.publish(writer, "a", ByteString([UInt8](repeating: 0x78, count: 1_000)), .atLeastOnce, id: 1)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        publish(1...count, &world, writer)
        #expect(onDisk(world) == 10 * count)
        let again = world.client("reader", clean: false, expiry: .max, window: 1)
        for message in world.messages(again) { world.acknowledge(again, .puback, message.packetIdentifier) }
        #expect(world.loads.count == min(count, 64))
        #expect(drain(again, &world).map(\.payload) == (1...count).map(payload))
    }

    @Test(
        "A page has as many bytes as the session's part, but one message at least",
        arguments: [(0, 1), (9, 1), (10, 1), (29, 2), (30, 3)])
    func pageBytes(part: Int, messages: Int) {
        var (world, writer) = world(max(part, 1), perSession: part)
        publish(1...9, &world, writer)
        let reader = world.client("reader", clean: false, expiry: .max, window: 9)
        let before = world.messages(reader).count
        #expect(before == part / 10)
        #expect(world.loads.count == messages)
        world.answerLoads()
        #expect(world.messages(reader).count == messages)
    }

    // MARK: - Meanwhile

    @Test("While its page is on its way a session may go, be taken over, or start anew; nothing comes twice")
    func sessionGoes() {
        var (world, writer) = world(0)
        publish(1...5, &world, writer)
        var reader = world.client("reader", clean: false, expiry: .max)
        #expect(world.loads.count == 1)
        // Taken over.
        reader = world.client("reader", clean: false, expiry: .max)
        #expect(drain(reader, &world).map(\.payload) == (1...5).map(payload))
        publish(6...9, &world, writer)
        #expect(drain(reader, &world).map(\.payload) == (6...9).map(payload))
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        publish(10...12, &world, writer)
        reader = world.client("reader", clean: false, expiry: .max)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        world.answerLoads()
        #expect(world.messages(reader) == [])
        reader = world.client("reader", clean: false, expiry: .max)
        // Ended, and another has its place.
        reader = world.client("reader", clean: true)
        world.subscribe(reader, "#")
        world.answerLoads()
        publish(13...13, &world, writer)
        #expect(drain(reader, &world).map(\.payload) == [payload(13)])
        #expect(world.broker.counters.discardedWithSession == 3)
    }

    @Test("A message that expires, or is dropped by the queue's policy, while its bytes come, does not come")
    func messageGoes() {
        var (world, writer) = world(0) {
            $0.queuedMessagesMax = 3
            $0.queueFullPolicy = .dropOldest
        }
        world.publish(writer, "a", "short-lived", .atLeastOnce, id: 1, expiry: 10)
        publish(2...2, &world, writer)
        let reader = world.client("reader", clean: false, expiry: .max)
        #expect(world.loads.count == 1)
        world.advance(.seconds(11))
        #expect(drain(reader, &world).map(\.payload) == [payload(2)])
        #expect(world.broker.counters.expired == 1)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        publish(3...5, &world, writer)
        let again = world.client("reader", clean: false, expiry: .max)
        publish(6...7, &world, writer)
        #expect(drain(again, &world).map(\.payload) == (5...7).map(payload))
        #expect(world.broker.counters.droppedQueueFull == 2)
    }

    @Test("What was in flight comes back from disk too, first, under its identifier, as a duplicate [MQTT-4.4.0-1]")
    func inflight() {
        var (world, writer) = world(0)
        var reader = world.client("reader", clean: false, expiry: .max)
        publish(1...4, &world, writer)
        let sent = world.messages(reader)
        #expect(sent.map(\.payload) == (1...4).map(payload))
        #expect(onDisk(world) == 0)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        publish(5...6, &world, writer)
        #expect(onDisk(world) == 60)
        reader = world.client("reader", clean: false, expiry: .max)
        let again = drain(reader, &world)
        #expect(again.map(\.payload) == (1...6).map(payload))
        #expect(again.map(\.isDuplicate) == [true, true, true, true, false, false])
        #expect(again.prefix(4).map(\.packetIdentifier) == sent.map(\.packetIdentifier))
    }

    @Test("Two that wait for the same messages both get them")
    func both() {
        var (world, writer) = world(0)
        leave(&world, "other", "#")
        publish(1...9, &world, writer)
        #expect(onDisk(world) == 90)
        let reader = world.client("reader", clean: false, expiry: .max, window: 2)
        let other = world.client("other", clean: false, expiry: .max, window: 3)
        var heard: [LinkID: [ByteString]] = [:]
        for _ in 1...40 {
            world.answerLoads(1)
            for link in [reader, other] {
                for message in world.messages(link) {
                    heard[link, default: []].append(message.payload)
                    world.acknowledge(link, .puback, message.packetIdentifier)
                }
            }
        }
        #expect(heard[reader] == (1...9).map(payload))
        #expect(heard[other] == (1...9).map(payload))
    }

    @Test("A retained message keeps its bytes, and loses them when it only waits")
    func retained() {
        var (world, writer) = world(0)
        world.publish(writer, "a", payload(1), .atLeastOnce, id: 1, retain: true)
        #expect(onDisk(world) == 0)
        let late = world.client("late")
        world.subscribe(late, "a")
        #expect(world.messages(late).map(\.payload) == [payload(1)])
        world.publish(writer, "a", payload(2), .atLeastOnce, id: 2, retain: true)
        world.ask(late, .detach(Farewell(publishesWill: false)))
        world.advance(.seconds(1))
        #expect(onDisk(world) == 10)
        let reader = world.client("reader", clean: false, expiry: .max)
        #expect(drain(reader, &world).map(\.payload) == [payload(1), payload(2)])
    }

    @Test("A shared delivery that is handed over while its bytes are on disk comes to the other member")
    func shared() {
        var (world, writer) = world(0)
        let first = world.client("first", expiry: .max, window: 1)
        world.subscribe(first, "$share/g/b")
        for number in 1...4 { world.publish(writer, "b", payload(number), .atLeastOnce, id: UInt16(number)) }
        #expect(world.messages(first).map(\.payload) == [payload(1)])
        let second = world.client("second", expiry: .max)
        world.subscribe(second, "$share/g/b")
        world.ask(first, .detach(Farewell(publishesWill: false)))
        #expect(world.messages(second) == [])
        world.advance(.zero)
        #expect(world.loads.count == 1)
        #expect(drain(second, &world).map(\.payload) == [payload(2), payload(3), payload(4)])
        let again = world.client("first", clean: false, expiry: .max)
        #expect(drain(again, &world).map(\.payload) == [payload(1)])
    }

    @Test("A device gets one message at a time, at each quality, and hears that nothing waits when nothing does")
    func device() {
        var (world, writer) = world(0)
        let device = world.client("device", expiry: .max, isDevice: true)
        world.subscribe(device, "d")
        world.ask(device, .window(isOpen: false))
        _ = world.heard(device)
        for (number, qos) in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce].enumerated() {
            world.publish(writer, "d", payload(number), qos, id: UInt16(number + 1))
            if qos == .exactlyOnce { world.ask(writer, .release(packetIdentifier: UInt16(number + 1))) }
        }
        world.ask(device, .window(isOpen: true))
        #expect(world.heard(device) == [])
        world.answerLoads()
        #expect(world.messages(device).map(\.payload) == [payload(0)])
        world.ask(device, .delivered)
        world.answerLoads()
        #expect(world.messages(device).map(\.payload) == [payload(1)])
        world.acknowledge(device, .puback, 1)
        world.answerLoads()
        #expect(world.messages(device).map(\.payload) == [payload(2)])
        world.acknowledge(device, .pubrec, 2)
        world.acknowledge(device, .pubcomp, 2)
        #expect(world.heard(device).last == .answer(.drained))
    }

    // MARK: - Damage

    @Test("What the database lost is not delivered: counted, told once, and the others come in their order")
    func lost() throws {
        var (world, writer) = world(0)
        publish(1...6, &world, writer)
        let serials = world.broker.sessions.flatMap { $0.queue.map { world.broker.messages[$0.message].serial } }
        for place in [0, 2, 3] { try world.lose(serials[place]) }
        world.stopsComparing()
        let reader = world.client("reader", clean: false, expiry: .max)
        #expect(drain(reader, &world).map(\.payload) == [2, 5, 6].map(payload))
        #expect(world.broker.counters.droppedUnreadable == 3)
        #expect(world.broker.ledgerImbalance == 0)
        #expect(world.queueLogs == [.unreadable("reader")])
    }
}
