import Bytes
import Messaging
import Testing

@testable import BrokerCore

@Suite struct SubscribeTests {
    @Test(
        "What is no filter is refused [MQTT-4.7.1-1] [MQTT-4.7.1-2] [attack 58]",
        arguments: ["a#", "a/#/b", "+a", "a+", "#/", ""])
    func invalidFilters(filter: String) {
        var world = BrokerWorld()
        let client = world.client("c")
        #expect(world.subscribe(client, ByteString(filter)) == [.refused(.topicFilterInvalid)])
    }

    @Test("A subscription made again replaces the first [MQTT-3.8.4-3]")
    func replacement() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        for filter in ["a/b", "a/+"] as [ByteString] {
            world.subscribe(reader, filter, .exactlyOnce)
            world.subscribe(reader, filter, .atMostOnce)
        }
        #expect(world.broker.gauges.subscriptions == 2)
        world.publish(writer, "a/b", "x", .atLeastOnce, id: 1)
        #expect(world.messages(reader).map(\.qos) == [.atMostOnce])
    }

    @Test("UNSUBSCRIBE ends it and says whether there was one [MQTT-3.10.4-1] [MQTT-3.11.3-2]")
    func unsubscribe() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.subscribe(reader, "a/b")
        world.subscribe(reader, "a/#")
        _ = world.heard(reader)
        world.ask(reader, .unsubscribe(packetIdentifier: 5, ["a/b", "a/#", "a/+", "#a"]))
        #expect(
            world.heard(reader) == [
                .answer(
                    .unsubscribed(
                        packetIdentifier: 5,
                        [.removed, .removed, .noSubscriptionExisted, .refused(.topicFilterInvalid)]))
            ])
        world.publish(writer, "a/b", "x")
        #expect(world.messages(reader).isEmpty)
        #expect(world.broker.gauges.subscriptions == 0)
    }

    @Test("Subscriptions have a limit for each client and for all [attack 60]")
    func limits() {
        var limits = BrokerLimits()
        limits.subscriptionsPerSessionMax = 3
        limits.subscriptionsMax = 5
        var world = BrokerWorld(limits)
        let first = world.client("first")
        let second = world.client("second")
        let names = ["a", "b/+", "c", "d"] as [ByteString]
        let refused = SubscriptionOutcome.refused(.quotaExceeded)
        #expect(names.map { world.subscribe(first, $0).first == refused } == [false, false, false, true])
        #expect(names.map { world.subscribe(second, $0).first == refused } == [false, false, true, true])
        #expect(world.subscribe(first, "a").first != .refused(.quotaExceeded))
    }

    @Test("Subscribing and unsubscribing for ever leaves nothing behind [attack 62]")
    func churn() {
        var world = BrokerWorld()
        let client = world.client("c")
        for number in 0..<10_000 {
            let filter = ByteString("a/\(number)/+/b")
            world.subscribe(client, filter)
            world.ask(client, .unsubscribe(packetIdentifier: 1, [filter]))
            _ = world.heard(client)
        }
        #expect(world.broker.wildcards.count == 0)
        #expect(world.broker.wildcards.nodeCount <= 1)
    }

    @Test("A route follows every change of subscriptions, also those of wildcards made later")
    func routes() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.publish(writer, "a/b", "0")
        world.subscribe(reader, "a/b")
        world.publish(writer, "a/b", "1")
        world.ask(reader, .unsubscribe(packetIdentifier: 1, ["a/b"]))
        world.publish(writer, "a/b", "2")
        world.subscribe(reader, "+/b")
        world.publish(writer, "a/b", "3")
        world.ask(reader, .unsubscribe(packetIdentifier: 1, ["+/b"]))
        world.publish(writer, "a/b", "4")
        #expect(world.messages(reader).map(\.payload) == ["1", "3"])
    }

    @Test("The end of a session takes its subscriptions away")
    func sessionEnd() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        world.subscribe(reader, "a/b")
        world.subscribe(reader, "a/#")
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        #expect(world.broker.gauges.subscriptions == 0)
        let writer = world.client("writer")
        _ = world.heard(writer)
        world.publish(writer, "a/b", "x", .atLeastOnce, id: 1)
        #expect(world.heard(writer) == [.answer(.acknowledge(.init(.puback, 1, .noMatchingSubscribers)))])
    }
}
