import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

/// What peers must not be able to do to the others: attack cases 60 to 63, 74.
@Suite struct HostileTests {
    private func retain(_ world: inout BrokerWorld, _ count: Int) {
        let writer = world.client("writer")
        for number in 0..<count { world.publish(writer, ByteString("r/\(number)"), "x", retain: true) }
    }

    @Test("A filter that is subscribed to again and again is owed its retained messages once [attack 63]")
    func retainedOwedOnce() {
        var world = BrokerWorld()
        retain(&world, 100)
        let reader = world.client("reader")
        let all = SubscriptionRequest(filter: "#", options: SubscriptionOptions(maximumQoS: .atMostOnce))
        world.ask(reader, .window(isOpen: false))
        world.ask(reader, .subscribe(packetIdentifier: 1, [SubscriptionRequest](repeating: all, count: 1_000)))
        world.ask(reader, .window(isOpen: true))
        for _ in 0..<10 { world.advance(.milliseconds(1)) }
        // What was found at once, and what was looked for once more.
        #expect(world.messages(reader).count == 200)
        #expect(world.broker.nextDeadline == nil)
    }

    @Test("One turn searches the retained topics for a bounded time, and every session has its turn [attack 63]")
    func searchesShareTheTurns() {
        var world = BrokerWorld()
        retain(&world, 30_000)
        let hostile = world.client("hostile")
        // Each of the filters looks at all 30,000 topics and finds nothing.
        world.publish(world.client("other"), "y/y/y", "x", retain: true)
        let costly = (0..<200).map { number in
            SubscriptionRequest(
                filter: ByteString("+/+/" + String(repeating: "+/", count: number % 60) + "y"),
                options: SubscriptionOptions(maximumQoS: .atMostOnce))
        }
        world.ask(hostile, .subscribe(packetIdentifier: 1, costly))
        let reader = world.client("reader")
        world.subscribe(reader, "r/7")
        var turns = 0
        var received = world.messages(reader).count
        while received == 0, turns < 10 {
            world.advance(.milliseconds(1))
            received = world.messages(reader).count
            turns += 1
        }
        #expect(received == 1)
        #expect(turns <= 3)
        var left = 0
        while world.broker.nextDeadline == Instant(nanoseconds: 0), left < 300 {
            world.advance(.milliseconds(1))
            left += 1
        }
        #expect(left < 300)
    }

    @Test("A search that waits is forgotten with its subscription and with its session")
    func searchesEnd() {
        var world = BrokerWorld()
        retain(&world, 10)
        let reader = world.client("reader")
        world.ask(reader, .window(isOpen: false))
        world.subscribe(reader, "r/#")
        world.subscribe(reader, "#")
        world.ask(reader, .unsubscribe(packetIdentifier: 1, ["#"]))
        world.ask(reader, .window(isOpen: true))
        for _ in 0..<5 { world.advance(.milliseconds(1)) }
        #expect(world.messages(reader).count == 10)
        world.subscribe(reader, "+/+")
        world.subscribe(reader, "+/#")
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        #expect(world.broker.nextDeadline == nil)
    }

    @Test("A topic that a device holds is let go after its link has ended")
    func topicsOfAwayDevices() {
        var world = BrokerWorld()
        let device = world.client("device", isDevice: true)
        ByteString("a").withView { world.ask(device, .resolve(token: 1, name: $0)) }
        guard case .answer(.resolved(_, let topic?, nil)) = world.heard(device).last else {
            Issue.record("not resolved")
            return
        }
        _ = world.client("device")
        world.ask(device, .forget(topic))
        #expect(world.broker.topics.idleCount == world.broker.topics.count)
    }

    @Test("Retained messages take no room from messages at QoS 2")
    func retainedAndReleased() {
        var limits = BrokerLimits()
        limits.heldBytesMax = 100
        var world = BrokerWorld(limits)
        let writer = world.client("writer")
        let payload = ByteString([UInt8](repeating: 0x78, count: 90))
        world.publish(writer, "r", payload, retain: true)
        world.publish(writer, "q", payload, .exactlyOnce, id: 1)
        #expect(world.heard(writer).last == .answer(.acknowledge(Acknowledgement(.pubrec, 1))))
    }

    @Test("What waits and what is in flight is bounded by its names too: a message may be all name")
    func names() {
        var limits = BrokerLimits()
        limits.heldOverheadBytesMax = 10_000
        var world = BrokerWorld(limits)
        let reader = world.client("reader", window: 5)
        world.subscribe(reader, "#")
        let writer = world.client("writer")
        for number in 0..<100 {
            let name = ByteString("\(number)/" + String(repeating: "n", count: 1_000))
            world.publish(writer, name, "", .atLeastOnce, id: 1)
        }
        #expect(world.messages(reader).count == 5)
        #expect(world.broker.gauges.heldMessages == 8)
        #expect(world.broker.counters.droppedQueueFull == 92)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        _ = world.client("other")
        #expect(world.broker.messages.overhead == 0)
        #expect(world.broker.queuedDeliveries == 0)
    }

    @Test("Messages in flight are bounded in bytes as those that wait are [attack 66]")
    func inflight() {
        var limits = BrokerLimits()
        limits.heldBytesMax = 1_000
        var world = BrokerWorld(limits)
        let writer = world.client("writer")
        for number in 0..<10 {
            let reader = world.client(ByteString("reader \(number)"))
            world.subscribe(reader, ByteString("t/\(number)"))
            for _ in 0..<10 {
                let payload = ByteString([UInt8](repeating: 0x78, count: 100))
                world.publish(writer, ByteString("t/\(number)"), payload, .atLeastOnce, id: 1)
            }
        }
        #expect(world.broker.gauges.heldBytes == 1_000)
        #expect(world.broker.counters.droppedQueueFull == 90)
    }

    @Test("Places in all queues together are bounded")
    func places() {
        var limits = BrokerLimits()
        limits.queuedDeliveriesMax = 25
        var world = BrokerWorld(limits)
        for number in 0..<10 {
            let reader = world.client(ByteString("reader \(number)"), clean: false, expiry: 100)
            world.subscribe(reader, "a")
            world.ask(reader, .detach(Farewell(publishesWill: false)))
        }
        let writer = world.client("writer")
        for _ in 0..<10 { world.publish(writer, "a", "x", .atLeastOnce, id: 1) }
        #expect(world.broker.queuedDeliveries == 25)
        world.advance(.seconds(101))
        #expect(world.broker.queuedDeliveries == 0)
    }

    @Test("Levels of retained topics and of filters are bounded, so that matching is [attack 61, 74]")
    func levels() {
        var limits = BrokerLimits()
        limits.retainedLevelsMax = 20
        limits.subscriptionLevelsMax = 20
        var world = BrokerWorld(limits)
        let client = world.client("client")
        var refused = 0
        for number in 0..<10 {
            world.publish(client, ByteString("\(number)/a/b/c/d"), "x", retain: true)
            if world.subscribe(client, ByteString("\(number)/a/b/c/+")) == [.refused(.quotaExceeded)] { refused += 1 }
        }
        #expect(world.broker.gauges.retainedMessages == 4)
        #expect(world.broker.counters.retainedRefused == 6)
        #expect(refused == 6)
        // What is there can still be changed.
        world.publish(client, "0/a/b/c/d", "y", retain: true)
        #expect(world.broker.counters.retainedRefused == 6)
    }

    @Test("Routes that topics remember are bounded, and messages go on")
    func routes() {
        var limits = BrokerLimits()
        limits.routeEntriesMax = 50
        var world = BrokerWorld(limits)
        let readers = (0..<10).map { world.client(ByteString("reader \($0)")) }
        for reader in readers { world.subscribe(reader, "#") }
        let writer = world.client("writer")
        for number in 0..<100 {
            world.publish(writer, ByteString("t/\(number)"), "x", retain: true)
            #expect(world.broker.routeEntries <= 50)
        }
        for reader in readers { #expect(world.messages(reader).count == 100) }
    }

    @Test("A topic whose subscribers come and go is remembered no more often than routes may be")
    func routesComeAndGo() {
        var limits = BrokerLimits()
        limits.routeEntriesMax = 50
        var world = BrokerWorld(limits)
        let reader = world.client("reader")
        let writer = world.client("writer")
        for _ in 0..<200 {
            world.subscribe(reader, "a")
            world.publish(writer, "a", "x")
            world.ask(reader, .unsubscribe(packetIdentifier: 2, ["a"]))
            world.publish(writer, "a", "y")
        }
        #expect(world.broker.routedTopics.count <= 51)
        #expect(world.broker.routeEntries <= 50)
        #expect(world.messages(reader).count == 200)
    }

    @Test("A message to very many clients with several identifiers each costs one match")
    func identifiers() {
        var world = BrokerWorld()
        let readers = (0..<500).map { world.client(ByteString("reader \($0)")) }
        for reader in readers {
            world.subscribe(reader, "#", identifier: 1)
            world.subscribe(reader, "a", identifier: 2)
        }
        world.subscribe(readers[7], "+", identifier: 3)
        let writer = world.client("writer")
        world.publish(writer, "a", "x")
        for (number, reader) in readers.enumerated() {
            let identifiers = Set(world.messages(reader).flatMap(\.identifiers))
            #expect(identifiers == (number == 7 ? [1, 2, 3] : [1, 2]))
        }
    }

    @Test("A link that can carry nothing does not hold up a turn")
    func abandoned() {
        var world = BrokerWorld()
        retain(&world, 5_000)
        let reader = world.client("reader")
        world.subscribe(reader, "#")
        var rest = world.messages(reader).count
        var handed = rest
        var turns = 0
        while handed < 5_000, turns < 100 {
            while rest > 0 {
                world.ask(reader, .abandon(packetIdentifier: 0))
                rest -= 1
                let more = world.messages(reader).count
                handed += more
                rest += more
            }
            turns += 1
            world.advance(.milliseconds(1))
            rest = world.messages(reader).count
            handed += rest
        }
        #expect(handed == 5_000)
        #expect(world.broker.counters.droppedUndeliverable > 0)
    }

    @Test("Very many wills are published by steps when the server goes, and by turns when they come due")
    func wills() {
        for isShutDown in [true, false] {
            var world = BrokerWorld()
            let readers = (0..<20).map { world.client(ByteString("reader \($0)")) }
            for reader in readers { world.subscribe(reader, "#") }
            for number in 0..<1_500 {
                let will = Will(
                    topic: "w", payload: "x", qos: .atMostOnce, retain: false, delayInterval: isShutDown ? 0 : 5)
                let link = world.client(ByteString("\(number)"), expiry: 10, will: will)
                if !isShutDown { world.ask(link, .detach(Farewell(publishesWill: true))) }
            }
            var steps = 0
            if isShutDown {
                for reader in readers { world.ask(reader, .window(isOpen: true)) }
                var effects = BrokerEffects()
                while world.broker.shutDown(now: world.now, into: &effects) {
                    #expect(effects.list.count < effectsPerTurn + 100)
                    effects.list.removeAll()
                    steps += 1
                }
                #expect(world.broker.gauges.connectedClients == 0)
            } else {
                world.advance(.seconds(5))
                while world.broker.nextDeadline.map({ $0 <= world.now.instant }) ?? false, steps < 20 {
                    world.advance(.milliseconds(1))
                    steps += 1
                }
                for reader in readers { #expect(world.messages(reader).count == 1_500) }
                #expect(steps >= 2)
            }
        }
    }
}
