import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

@Suite struct RetainedTests {
    @Test("A new subscription gets the last retained message of each topic [MQTT-3.3.1-5] [MQTT-3.3.1-9]")
    func newSubscription() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        world.publish(writer, "a/1", "old", retain: true)
        world.publish(writer, "a/1", "new", retain: true)
        world.publish(writer, "a/2", "x", .atLeastOnce, id: 1, retain: true)
        let reader = world.client("reader")
        world.subscribe(reader, "a/#", .atLeastOnce)
        let messages = world.messages(reader)
        #expect(Set(messages.map(\.payload)) == ["new", "x"])
        #expect(messages.allSatisfy { $0.retain })
        #expect(world.broker.gauges.retainedMessages == 2)
    }

    @Test("An empty payload removes it and is itself delivered [MQTT-3.3.1-6] [MQTT-3.3.1-7]")
    func removal() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let live = world.client("live")
        world.subscribe(live, "a")
        world.publish(writer, "a", "x", retain: true)
        world.publish(writer, "a", "", retain: true)
        #expect(world.messages(live).map(\.payload) == ["x", ""])
        let reader = world.client("reader")
        world.subscribe(reader, "a")
        #expect(world.messages(reader).isEmpty)
        #expect(world.broker.gauges.retainedMessages == 0)
        #expect(world.broker.gauges.retainedBytes == 0)
    }

    @Test(
        "Retain Handling says when retained messages come [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]",
        arguments: [
            (SubscriptionOptions.RetainHandling.sendAtSubscribe, 1, 1), (.sendIfNew, 1, 0), (.doNotSend, 0, 0),
        ])
    func handling(handling: SubscriptionOptions.RetainHandling, first: Int, again: Int) {
        var world = BrokerWorld()
        let writer = world.client("writer")
        world.publish(writer, "a", "x", retain: true)
        let reader = world.client("reader")
        world.subscribe(reader, "a", handling: handling)
        #expect(world.messages(reader).count == first)
        world.subscribe(reader, "a", handling: handling)
        #expect(world.messages(reader).count == again)
    }

    @Test("Topics with $ are not in # [MQTT-4.7.2-1]")
    func dollar() {
        var world = BrokerWorld()
        ByteString("$SYS/broker/version").withView { name in
            ByteString("1").withView { payload in
                world.broker.publish(
                    IncomingPublish(topic: .name(name), qos: .atMostOnce, retain: true, payload: payload), isOwn: true,
                    now: world.now, into: &world.effects)
            }
        }
        let reader = world.client("reader")
        world.subscribe(reader, "#")
        world.subscribe(reader, "+/broker/version")
        #expect(world.messages(reader).isEmpty)
        world.subscribe(reader, "$SYS/#")
        #expect(world.messages(reader).map(\.payload) == ["1"])
    }

    @Test("Many retained messages come in shares of a turn, and all come [attack 63]")
    func streamed() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        for number in 0..<1_000 { world.publish(writer, ByteString("a/\(number)"), "x", retain: true) }
        let reader = world.client("reader")
        world.subscribe(reader, "#")
        let first = world.messages(reader).count
        #expect(first > 0 && first < 200)
        var total = first
        while world.broker.nextDeadline?.nanoseconds == 0 {
            world.advance(.zero)
            total += world.messages(reader).count
        }
        #expect(total == 1_000)
    }

    @Test("A link whose window closes gets the rest when it opens")
    func streamPauses() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        for number in 0..<500 { world.publish(writer, ByteString("a/\(number)"), "x", retain: true) }
        let reader = world.client("reader")
        world.subscribe(reader, "#")
        var total = world.messages(reader).count
        world.ask(reader, .window(isOpen: false))
        world.advance(.zero)
        #expect(world.messages(reader).isEmpty)
        world.ask(reader, .window(isOpen: true))
        total += world.messages(reader).count
        while world.broker.nextDeadline?.nanoseconds == 0 {
            world.advance(.zero)
            total += world.messages(reader).count
        }
        #expect(total == 500)
    }

    @Test("Retained messages have a limit in number and in bytes: said, counted, and the message still goes out")
    func limits() {
        var limits = BrokerLimits()
        limits.retainedMessagesMax = 2
        var world = BrokerWorld(limits)
        let writer = world.client("writer")
        let live = world.client("live")
        world.subscribe(live, "#")
        _ = world.heard(writer)
        for name in ["a", "b", "c"] { world.publish(writer, ByteString(name), "x", .atLeastOnce, id: 1, retain: true) }
        #expect(world.heard(writer).last == .answer(.acknowledge(.init(.puback, 1, .notRetained))))
        #expect(world.messages(live).count == 3)
        #expect(world.broker.gauges.retainedMessages == 2)
        #expect(world.broker.counters.retainedRefused == 1)
        world.publish(writer, "a", "changed", .atLeastOnce, id: 1, retain: true)
        #expect(world.heard(writer).last == .answer(.acknowledge(.init(.puback, 1, .success))))
    }

    @Test("The broker's own topics take no room from the clients'")
    func ownTopics() {
        var limits = BrokerLimits()
        limits.retainedMessagesMax = 1
        var world = BrokerWorld(limits)
        for name in ["$SYS/broker/uptime", "$SYS/broker/version"] as [ByteString] {
            name.withView { name in
                ByteString("1").withView { payload in
                    world.broker.publish(
                        IncomingPublish(topic: .name(name), qos: .atMostOnce, retain: true, payload: payload),
                        isOwn: true, now: world.now, into: &world.effects)
                }
            }
        }
        let writer = world.client("writer")
        _ = world.heard(writer)
        world.publish(writer, "a", "x", .atLeastOnce, id: 1, retain: true)
        world.publish(writer, "b", "x", .atLeastOnce, id: 2, retain: true)
        #expect(
            world.heard(writer) == [
                .answer(.acknowledge(.init(.puback, 1, .noMatchingSubscribers))),
                .answer(.acknowledge(.init(.puback, 2, .notRetained))),
            ])
        #expect(world.broker.gauges.retainedMessages == 3)
    }
}
