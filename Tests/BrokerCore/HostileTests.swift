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

    @Test("A filter that is subscribed to again and again is owed its retained messages once (attack case 63)")
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

    @Test("One turn searches the retained topics for a bounded time, and every session has its turn (attack case 63)")
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
}
