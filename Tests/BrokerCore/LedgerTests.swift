import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

/// deliveries owed = delivered + each counted drop + what waits, at every moment: `BrokerWorld` checks it after each
/// step, and here each way that a delivery can end is walked.
@Suite struct LedgerTests {
    @Test("QoS 0 is delivered when it is handed over; for a client that is away, or reads too slowly, it is counted")
    func atMostOnce() {
        var world = BrokerWorld()
        let reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        world.publish(writer, "a", "x")
        world.ask(reader, .window(isOpen: false))
        world.publish(writer, "a", "x")
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        world.publish(writer, "a", "x")
        let counters = world.broker.counters
        #expect(counters.deliveriesOwed == 3)
        #expect([counters.delivered, counters.droppedSlowLink, counters.droppedAway] == [1, 1, 1])
    }

    @Test("QoS 1 and 2 are delivered with PUBACK and PUBREC, however often they were sent; a refusal is counted apart")
    func acknowledged() {
        var world = BrokerWorld()
        var reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        world.publish(writer, "a", "1", .atLeastOnce, id: 1)
        world.publish(writer, "a", "2", .exactlyOnce, id: 2)
        world.ask(writer, .release(packetIdentifier: 2))
        _ = world.messages(reader)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        #expect(world.broker.deliveriesUnderWay == 2)
        reader = world.client("reader", clean: false, expiry: .max)
        let again = world.messages(reader)
        #expect(world.broker.counters.messagesSent.total == 4)
        world.acknowledge(reader, .puback, again[0].packetIdentifier)
        world.acknowledge(reader, .pubrec, again[1].packetIdentifier)
        #expect(world.broker.counters.delivered == 2)
        // In the phase of PUBREL the message is the client's: nothing is discarded with the session.
        _ = world.client("reader", clean: true)
        #expect(world.broker.counters.undelivered == 0)
        let other = world.client("other")
        world.subscribe(other, "b")
        world.publish(writer, "b", "no", .atLeastOnce, id: 3)
        let id = world.messages(other)[0].packetIdentifier
        world.ask(other, .acknowledge(Acknowledgement(.puback, id, .unspecifiedError)))
        #expect(world.broker.counters.refusedByReceiver == 1)
        #expect(world.broker.deliveriesUnderWay == 0)
    }

    @Test("A session that ends takes what waits and what is in flight with it, counted")
    func discarded() {
        var world = BrokerWorld()
        let reader = world.client("reader", expiry: 10, window: 2)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        for id in 1...5 as ClosedRange<UInt16> { world.publish(writer, "a", "x", .atLeastOnce, id: id) }
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        world.advance(.seconds(11))
        #expect(world.broker.counters.discardedWithSession == 5)
        #expect(world.broker.deliveriesUnderWay == 0)
    }

    @Test("A device's delivery at QoS 0 counts when it was sent, and is lost with its link before that")
    func devices() {
        var world = BrokerWorld()
        let device = world.client("node", expiry: .max, isDevice: true)
        let writer = world.client("writer")
        world.subscribe(device, "a")
        world.publish(writer, "a", "1")
        #expect(world.broker.counters.messagesSent.qos0 == 0)
        world.ask(device, .delivered)
        // Of a delivery that is over there is nothing to be told.
        world.ask(device, .delivered)
        world.ask(device, .abandon(packetIdentifier: 0))
        world.ask(device, .abandon(packetIdentifier: 77))
        #expect(world.broker.counters.delivered == 1)
        world.publish(writer, "a", "2")
        world.ask(device, .abandon(packetIdentifier: 0))
        #expect(world.broker.counters.droppedUndeliverable == 1)
        world.publish(writer, "a", "3")
        world.ask(device, .detach(Farewell(publishesWill: false)))
        #expect(world.broker.counters.lostWithLink == 1)
    }

    @Test("What a client's Maximum Packet Size does not allow is undeliverable at every QoS [MQTT-3.1.2-25]")
    func tooLong() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        world.publish(writer, "a", "x")
        world.ask(reader, .abandon(packetIdentifier: 0))
        world.publish(writer, "a", "x", .atLeastOnce, id: 1)
        world.ask(reader, .abandon(packetIdentifier: world.messages(reader).last?.packetIdentifier ?? 0))
        #expect(world.broker.counters.droppedUndeliverable == 2)
        #expect(world.broker.counters.delivered == 0)
        #expect(world.broker.deliveriesUnderWay == 0)
    }

    @Test("A retained message is owed when its turn comes, and expires with a count")
    func retained() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        world.publish(writer, "a", "x", .atLeastOnce, id: 1, retain: true)
        world.publish(writer, "b", "x", .atLeastOnce, id: 2, retain: true, expiry: 1)
        world.advance(.seconds(2))
        let reader = world.client("reader")
        world.subscribe(reader, "#")
        #expect(world.broker.counters.deliveriesOwed == 2)
        #expect(world.broker.counters.expired == 1)
        #expect(world.broker.deliveriesUnderWay == 1)
    }

    @Test(
        "Whatever clients and devices do, every delivery is in one account; under refuse a yes is never broken",
        arguments: [QueueFullPolicy.dropNewest, .dropOldest, .refuse], 1...12 as ClosedRange<UInt64>)
    func randomWalk(policy: QueueFullPolicy, seed: UInt64) {
        var walk = RandomWalk(policy, seed: seed)
        for _ in 0..<1_500 { walk.step() }
        #expect(walk.world.broker.counters.deliveriesOwed > 200)
        walk.end()
        #expect(walk.world.broker.deliveriesUnderWay == 0)
        #expect(walk.world.broker.gauges.heldMessages == 0)
    }
}

/// A few clients and devices that do anything at any time, in a broker with hardly any room.
private struct RandomWalk {
    var world: BrokerWorld
    private var random: SeededGenerator
    private let policy: QueueFullPolicy
    private var links: [LinkID?] = [nil, nil, nil, nil, nil]
    /// What each client was sent and has not acknowledged.
    private var unanswered: [[(kind: Acknowledgement.Kind, id: UInt16)]] = [[], [], [], [], []]

    private static let names: [ClientID] = ["a", "b", "c", "d", "e"]
    private static let topics: [ByteString] = ["t/1", "t/2", "u"]

    init(_ policy: QueueFullPolicy, seed: UInt64) {
        random = SeededGenerator(seed: seed)
        self.policy = policy
        var limits = BrokerLimits()
        limits.queueFullPolicy = policy
        limits.queuedMessagesMax = 4
        limits.queuedBytesMax = 60
        limits.heldBytesMax = 200
        limits.retainedMessagesMax = 2
        limits.queuesQoS0 = seed.isMultiple(of: 2)
        world = BrokerWorld(limits)
    }

    private mutating func below(_ bound: Int) -> Int { Int(random.below(UInt64(bound))) }
    private mutating func quality() -> QoS { QoS(rawValue: UInt8(below(3))) ?? .atMostOnce }
    private func isDevice(_ who: Int) -> Bool { who >= 3 }

    mutating func step() {
        let who = below(5)
        guard let link = links[who] else { return attach(who) }
        switch below(20) {
        case 0..<8: publish(link)
        case 8..<13: answer(who, link)
        case 13: world.ask(link, .release(packetIdentifier: UInt16(1 + below(5))))
        case 14: subscribe(link)
        case 15: world.ask(link, .window(isOpen: below(2) == 0))
        case 16: world.ask(link, .unsubscribe(packetIdentifier: 1, [Self.topics[below(3)]]))
        case 17: world.advance(.seconds(Int64(below(3))))
        case 18: abandon(who, link)
        default: leave(who, link)
        }
        for index in links.indices { listen(index) }
    }

    private mutating func attach(_ who: Int) {
        let will = Will(topic: Self.topics[below(3)], payload: "will", qos: quality(), retain: below(4) == 0)
        links[who] = world.client(
            Self.names[who], clean: below(4) == 0, expiry: below(3) == 0 ? 0 : UInt32(below(30)),
            window: UInt16(1 + below(3)), will: will, isDevice: isDevice(who), receiveMaximum: 3)
        if let link = links[who] { subscribe(link) }
        listen(who)
    }

    private mutating func subscribe(_ link: LinkID) {
        let filters: [ByteString] = ["t/+", "#", "t/1", "u"]
        world.subscribe(link, filters[below(4)], quality(), noLocal: below(4) == 0, identifier: UInt32(below(3)))
    }

    private mutating func publish(_ link: LinkID) {
        let before = world.broker.counters
        let qos = quality()
        let payload = ByteString([UInt8](repeating: 0x78, count: below(30)))
        world.publish(
            link, Self.topics[below(3)], payload, qos, id: qos == .atMostOnce ? 0 : UInt16(1 + below(5)),
            retain: below(5) == 0, expiry: below(3) == 0 ? UInt32(below(4)) : nil)
        guard policy == .refuse, qos == .atLeastOnce else { return }
        // What was accepted is dropped for those only who wanted it at QoS 0.
        let after = world.broker.counters
        #expect(after.publishesRefused == before.publishesRefused || after.deliveriesOwed == before.deliveriesOwed)
    }

    private mutating func listen(_ who: Int) {
        guard let link = links[who] else { return }
        for told in world.heard(link) {
            switch told {
            case .message(let message):
                switch message.qos {
                case .atMostOnce: break
                case .atLeastOnce: unanswered[who].append((.puback, message.packetIdentifier))
                case .exactlyOnce: unanswered[who].append((.pubrec, message.packetIdentifier))
                }
            case .answer(.acknowledge(let answer)) where answer.kind == .pubrel:
                unanswered[who].append((.pubcomp, answer.packetIdentifier))
            case .answer(.close):
                links[who] = nil
                unanswered[who] = []
            case .answer: break
            }
        }
    }

    private mutating func answer(_ who: Int, _ link: LinkID) {
        guard !unanswered[who].isEmpty else {
            return world.ask(link, isDevice(who) ? .delivered : .window(isOpen: true))
        }
        let (kind, id) = unanswered[who].remove(at: below(unanswered[who].count))
        let isRefusal = kind != .pubcomp && below(10) == 0
        world.ask(link, .acknowledge(Acknowledgement(kind, id, isRefusal ? .unspecifiedError : .success)))
    }

    private mutating func abandon(_ who: Int, _ link: LinkID) {
        if let first = unanswered[who].first { return world.ask(link, .abandon(packetIdentifier: first.id)) }
        if isDevice(who) { world.ask(link, .abandon(packetIdentifier: 0)) }
    }

    private mutating func leave(_ who: Int, _ link: LinkID) {
        unanswered[who] = []
        // Now and then another link takes the session over.
        guard below(3) > 0 else { return attach(who) }
        links[who] = nil
        world.ask(link, .detach(Farewell(publishesWill: below(2) == 0)))
    }

    /// Everybody goes, and every session ends.
    mutating func end() {
        for who in links.indices {
            if let link = links[who] { world.ask(link, .detach(Farewell(publishesWill: true))) }
        }
        world.advance(.seconds(100))
    }
}
