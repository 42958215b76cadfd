import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

/// What very many subscriptions and topics cost: work that follows what matches, and memory that has its limits.
@Suite struct ScaleTests {
    private func request(_ filter: String) -> SubscriptionRequest {
        SubscriptionRequest(filter: ByteString(filter), options: SubscriptionOptions(maximumQoS: .atMostOnce))
    }

    private func granted(_ outcomes: [SubscriptionOutcome]) -> Int {
        outcomes.count { if case .granted = $0 { true } else { false } }
    }

    private func outcomes(_ told: [BrokerWorld.Told]) -> [SubscriptionOutcome] {
        for case .answer(.subscribed(_, let outcomes)) in told { return outcomes }
        return []
    }

    @Test("A publish looks at what it matches, however much is stored beside it", arguments: [1_000, 2_000, 4_000])
    func matchingWork(stored: Int) {
        var world = BrokerWorld()
        let clients = (0..<4).map { world.client(ByteString("client \($0)")) }
        for number in 0..<stored {
            let hall = number % 10
            world.subscribe(clients[number % 4], ByteString("plant/hall-\(hall)/device-\(number)/state"))
            world.subscribe(clients[number % 4], ByteString("plant/+/device-\(number)/#"))
        }
        let before = world.broker.counters.matchingWork
        world.publish(clients[0], "plant/hall-7/device-7/state", "x")
        // The root, `plant`, `+`, the device, and the two subscriptions.
        #expect(world.broker.counters.matchingWork - before == 6)
        world.publish(clients[0], "plant/hall-7/device-7/state", "x")
        #expect(world.broker.counters.matchingWork - before == 6)
        world.publish(clients[0], "plant/hall-7/nobody/state", "x")
        #expect(world.broker.counters.matchingWork - before == 9)
    }

    @Test("One match looks at no more nodes than there are shapes [attack 61]", arguments: [6, 8, 10])
    func shapesBoundTheMatch(levels: Int) {
        var tree = SubscriptionTree(seed: 1)
        // All variations of names and `+`, and filters of other names, which add nothing.
        for pattern in 0..<1 << levels {
            for name in ["a", "b", "c"] {
                let filter = (0..<levels).map { pattern >> $0 & 1 == 0 ? "+" : name }.joined(separator: "/")
                bytes(filter) {
                    _ = tree.insert(
                        filter: $0, session: UInt32(pattern), options: SubscriptionOptions(maximumQoS: .atMostOnce))
                }
            }
        }
        #expect(tree.shapeCount == (2 << levels) - 2)
        #expect(tree.nodeCount > tree.shapeCount)
        for topic in ["a", "b", "x"] {
            var matches: [Match] = []
            let name = [String](repeating: topic, count: levels).joined(separator: "/")
            let visited = bytes(name) { tree.match($0, into: &matches) }
            #expect(visited <= tree.shapeCount + 1)
        }
        #expect(bytes("+/a/+") { tree.shapesAdded(by: $0) } == 0)
        #expect(bytes("+/a/#") { tree.shapesAdded(by: $0) } == 0)
        let longer = [String](repeating: "x", count: levels).joined(separator: "/")
        #expect(bytes(longer + "/+/+") { tree.shapesAdded(by: $0) } == 2)
    }

    @Test("Beyond the limit of shapes, filters of new shapes are refused and those of known ones are not [attack 61]")
    func shapesAreLimited() {
        var limits = BrokerLimits()
        limits.wildcardShapesMax = 14
        var world = BrokerWorld(limits)
        let hostile = world.client("hostile")
        let filters = (0..<16).map { pattern in
            (0..<4).map { pattern >> $0 & 1 == 0 ? "+" : "a" }.joined(separator: "/") + "/#"
        }
        world.ask(hostile, .subscribe(packetIdentifier: 1, filters.map(request)))
        let outcomes = outcomes(world.heard(hostile))
        #expect(outcomes.contains(.refused(.quotaExceeded)))
        #expect(world.broker.wildcards.shapeCount == 14)
        let other = world.client("other")
        #expect(granted(world.subscribe(other, "b/+/+/#")) == 1)
        #expect(world.subscribe(other, "x/x/x/x/x/x/+") == [.refused(.quotaExceeded)])
        // Names without wildcards are not concerned, and what goes makes room.
        #expect(granted(world.subscribe(other, "x/x/x/x/x/x/x")) == 1)
        world.ask(hostile, .unsubscribe(packetIdentifier: 2, filters.map { ByteString($0) }))
        #expect(world.broker.wildcards.shapeCount == 3)
        #expect(granted(world.subscribe(other, "x/x/x/x/x/x/+")) == 1)
    }

    @Test("A client gets as many subscriptions as the limit says, and not one more [attack 60]", arguments: [1, 10])
    func subscriptionsOfOneClient(times: Int) {
        var limits = BrokerLimits()
        limits.subscriptionsPerSessionMax = 500
        var world = BrokerWorld(limits)
        let bomber = world.client("bomber")
        let count = times == 1 ? 501 : 5_000
        let filters = (0..<count).map { number in number % 2 == 0 ? "a/\(number)" : "a/\(number)/#" }
        world.ask(bomber, .subscribe(packetIdentifier: 1, filters.map(request)))
        let outcomes = outcomes(world.heard(bomber))
        #expect(outcomes.count == count)
        #expect(granted(outcomes) == 500)
        #expect(outcomes[500...].allSatisfy { $0 == .refused(.quotaExceeded) })
        // One that is there may be changed; one that goes makes room for one.
        #expect(granted(world.subscribe(bomber, "a/0", identifier: 5)) == 1)
        world.ask(bomber, .unsubscribe(packetIdentifier: 2, ["a/0"]))
        #expect(granted(world.subscribe(bomber, "b")) == 1)
        #expect(world.subscribe(bomber, "c") == [.refused(.quotaExceeded)])
    }

    @Test("All clients together get as many subscriptions as the limit says, and not one more [attack 60]")
    func subscriptionsOfAll() {
        var limits = BrokerLimits()
        limits.subscriptionsMax = 100
        var world = BrokerWorld(limits)
        let clients = (0..<10).map { world.client(ByteString("client \($0)")) }
        for number in 0..<100 {
            #expect(granted(world.subscribe(clients[number % 10], ByteString("\(number)/+"))) == 1)
        }
        #expect(world.subscribe(clients[0], "one/more") == [.refused(.quotaExceeded)])
        world.ask(clients[5], .detach(Farewell(publishesWill: false)))
        #expect(world.broker.gauges.subscriptions == 90)
        #expect(granted(world.subscribe(clients[0], "one/more")) == 1)
    }

    @Test("Subscribing and unsubscribing for a long time leaves nothing behind [attack 62]")
    func jitter() {
        var world = BrokerWorld()
        let client = world.client("client")
        var memory: BrokerMemory?
        for round in 0..<30 {
            for number in 0..<200 {
                let filters = ["exact/\(round + 100)/\(number)", "wild/\(round)/+/\(number)", "+/\(round)/\(number)/#"]
                world.ask(client, .subscribe(packetIdentifier: 1, filters.map(request)))
                world.ask(client, .unsubscribe(packetIdentifier: 2, filters.map { ByteString($0) }))
            }
            _ = world.heard(client)
            // The cache of topics that nobody uses fills up first.
            if round == 25 { memory = world.broker.memory }
        }
        #expect(world.broker.memory == memory)
        #expect(world.broker.wildcards.nodeCount == 0 && world.broker.wildcards.shapeCount == 0)
        #expect(world.broker.exactSubscriptions.count == 0)
        #expect(world.broker.gauges.subscriptions == 0)
    }

    @Test("Topics that nobody is subscribed to leave no state behind [attack 55]")
    func topicExplosion() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        var memory = 0
        for number in 0..<50_000 {
            world.publish(writer, ByteString("explosion/\(number + 100_000)"), "x")
            if number == 10_000 { memory = world.broker.memory.topics }
        }
        #expect(world.broker.gauges.topics <= 4_097)
        #expect(world.broker.memory.topics == memory)
    }

    @Test("As many topics are retained as the limits say, and not one more [attack 74]")
    func retainedBomb() {
        var limits = BrokerLimits()
        limits.retainedMessagesMax = 100
        limits.retainedBytesMax = 1_000
        var world = BrokerWorld(limits)
        let writer = world.client("writer")
        func outcomes() -> [PublishOutcome] {
            world.heard(writer).compactMap {
                if case .answer(.acknowledge(let acknowledgement)) = $0 { acknowledgement.outcome } else { nil }
            }
        }
        for number in 0..<1_000 {
            world.publish(writer, ByteString("bomb/\(number)"), "1234567890", .atLeastOnce, id: 1, retain: true)
        }
        #expect(outcomes().prefix { $0.isAccepted }.count == 100)
        #expect(world.broker.gauges.retainedMessages == 100 && world.broker.gauges.retainedBytes == 1_000)
        #expect(world.broker.counters.retainedRefused == 900)
        // What is there is replaced and cleared, and one that goes makes room for one.
        world.publish(writer, "bomb/0", "0987654321", .atLeastOnce, id: 1, retain: true)
        world.publish(writer, "bomb/0", "09876543210", .atLeastOnce, id: 1, retain: true)
        world.publish(writer, "bomb/1", "", .atLeastOnce, id: 1, retain: true)
        world.publish(writer, "bomb/new", "1234567890", .atLeastOnce, id: 1, retain: true)
        world.publish(writer, "bomb/newer", "1", .atLeastOnce, id: 1, retain: true)
        #expect(outcomes().map(\.isAccepted) == [true, false, true, true, false])
    }

    @Test("A session that does not read is owed a few retained messages at a time, not all [attack 63]")
    func retainedByShares() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        for number in 0..<2_000 {
            world.publish(writer, ByteString("r/\(number)"), "x", .atLeastOnce, id: 1, retain: true)
        }
        let reader = world.client("reader", window: 20)
        world.subscribe(reader, "#", .atLeastOnce)
        for _ in 0..<100 { world.advance(.milliseconds(1)) }
        var received = world.messages(reader)
        #expect(received.count == 20)
        let session = world.broker.session(of: reader) ?? 0
        #expect(world.broker.sessions[session].owed.found <= 256)
        #expect(world.broker.nextDeadline == nil)
        var next = 0
        while next < received.count {
            world.acknowledge(reader, .puback, received[next].packetIdentifier)
            next += 1
            if world.broker.nextDeadline != nil { world.advance(.milliseconds(1)) }
            received += world.messages(reader)
        }
        #expect(received.count == 2_000)
        #expect(Set(received.map(\.topic)).count == 2_000)
        #expect(world.broker.sessions[session].owed == (0, 0))
    }

    @Test("What a session is owed of the retained messages comes after it has reconnected [M-61]")
    func retainedAfterReconnect() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        for number in 0..<1_000 { world.publish(writer, ByteString("r/\(number)"), "x", retain: true) }
        let first = world.client("reader", clean: false, expiry: 100)
        world.ask(first, .window(isOpen: false))
        world.subscribe(first, "r/#")
        world.ask(first, .detach(Farewell(publishesWill: false)))
        for number in 0..<1_000 where number % 2 == 0 {
            world.publish(writer, ByteString("r/\(number)"), "", retain: true)
        }
        let second = world.client("reader", clean: false, expiry: 100)
        for _ in 0..<100 { world.advance(.milliseconds(1)) }
        #expect(world.messages(second).count == 500)
        world.ask(second, .detach(Farewell(publishesWill: false, sessionExpiryInterval: 0)))
        for number in 0..<1_000 { world.publish(writer, ByteString("r/\(number)"), "", retain: true) }
        #expect(world.broker.retainedTopics.nodeCount == 0)
    }

    @Test("Very many sessions leave while they wait for their turn, and the others have theirs")
    func waitingSessionsLeave() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        for number in 0..<300 { world.publish(writer, ByteString("r/\(number)"), "x", retain: true) }
        let readers = (0..<200).map { world.client(ByteString("reader \($0)")) }
        for reader in readers { world.subscribe(reader, "#") }
        #expect(world.broker.line.count + world.broker.searchLine.count == 200)
        for reader in readers.dropFirst() { world.ask(reader, .detach(Farewell(publishesWill: false))) }
        #expect(world.broker.line.count + world.broker.searchLine.count == 1)
        for _ in 0..<20 { world.advance(.milliseconds(1)) }
        #expect(world.messages(readers[0]).count == 300)
    }
}
