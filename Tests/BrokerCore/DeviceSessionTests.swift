import Bytes
import Messaging
import Testing

@testable import BrokerCore

@Suite struct DeviceSessionTests {
    @Test("A device gets one delivery at a time, of any QoS (DESIGN §4)")
    func oneAtATime() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        let writer = world.client("writer")
        world.subscribe(device, "a")
        world.publish(writer, "a", "1")
        world.publish(writer, "a", "2", .atLeastOnce, id: 1)
        world.publish(writer, "a", "3")
        #expect(world.messages(device).map(\.payload) == ["1"])
        world.ask(device, .delivered)
        let second = world.messages(device)
        #expect(second.map(\.payload) == ["2"])
        world.acknowledge(device, .puback, second.first?.packetIdentifier ?? 0)
        #expect(world.messages(device).map(\.payload) == ["3"])
    }

    @Test("What a device never released is passed on, the oldest first, when its place is needed 90 s later [D-99]")
    func forgotten() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true, receiveMaximum: 3)
        let reader = world.client("reader")
        world.subscribe(reader, "a")
        let payloads: [(UInt16, ByteString)] = [(7, "of 7"), (3, "of 3"), (5, "of 5")]
        for (id, payload) in payloads { world.publish(device, "a", payload, .exactlyOnce, id: id) }
        _ = world.heard(device)
        world.advance(.seconds(89))
        world.publish(device, "a", "too early", .exactlyOnce, id: 8)
        #expect(world.heard(device) == [.answer(.acknowledge(.init(.pubrec, 8, .receiveMaximumExceeded)))])
        #expect(world.messages(reader).isEmpty)
        world.advance(.seconds(1))
        world.publish(device, "a", "of 9", .exactlyOnce, id: 9)
        #expect(world.heard(device) == [.answer(.acknowledge(.init(.pubrec, 9)))])
        #expect(world.messages(reader).map(\.payload) == ["of 7"])
        // One PUBREL comes after all; the others release what they belong to.
        for id in [7, 3, 5, 9] as [UInt16] { world.ask(device, .release(packetIdentifier: id)) }
        #expect(world.messages(reader).map(\.payload) == ["of 3", "of 5", "of 9"])
        #expect(world.heard(device).count == 4)
    }

    @Test("While its window is closed everything waits, at every QoS; then it comes in order and `drained` ends it")
    func asleep() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        let writer = world.client("writer")
        world.subscribe(device, "a")
        world.ask(device, .window(isOpen: false))
        world.publish(writer, "a", "1")
        world.publish(writer, "a", "2", .atLeastOnce, id: 1)
        #expect(world.messages(device).isEmpty)
        world.ask(device, .window(isOpen: true))
        #expect(world.messages(device).map(\.payload) == ["1"])
        world.ask(device, .delivered)
        let second = world.messages(device)
        #expect(second.map(\.payload) == ["2"])
        world.acknowledge(device, .puback, second.first?.packetIdentifier ?? 0)
        #expect(world.heard(device) == [.answer(.drained)])
    }

    @Test("A wake with nothing to deliver is drained at once")
    func nothingWaits() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        _ = world.heard(device)
        world.ask(device, .window(isOpen: true))
        #expect(world.heard(device) == [.answer(.drained)])
    }

    @Test("A sleeping device has a queue of its own size: 64 messages, 16 KiB [attack 119]")
    func sleepQueue() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        let writer = world.client("writer")
        world.subscribe(device, "a")
        world.ask(device, .window(isOpen: false))
        for _ in 0..<65 { world.publish(writer, "a", "x") }
        #expect(world.broker.gauges.heldMessages == 64)
        #expect(world.broker.counters.droppedQueueFull == 1)
    }

    @Test("A device that is there has the queue of any client: a burst of 100 waits for it")
    func activeQueue() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        let writer = world.client("writer")
        world.subscribe(device, "a")
        for _ in 0..<100 { world.publish(writer, "a", "x") }
        #expect(world.broker.gauges.heldMessages == 100)
        #expect(world.broker.counters.droppedQueueFull == 0)
    }

    @Test("A delivery that the device can never take is dropped and counted, and the next one follows")
    func abandon() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        let writer = world.client("writer")
        world.subscribe(device, "a")
        world.publish(writer, "a", "1", .atLeastOnce, id: 1)
        world.publish(writer, "a", "2")
        let first = world.messages(device).first?.packetIdentifier ?? 0
        world.ask(device, .abandon(packetIdentifier: first))
        #expect(world.messages(device).map(\.payload) == ["2"])
        world.ask(device, .abandon(packetIdentifier: 0))
        #expect(world.broker.counters.droppedUndeliverable == 2)
        #expect(world.broker.gauges.heldMessages == 0)
    }

    @Test("A name resolves to a topic that stays until it is forgotten")
    func resolve() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        _ = world.heard(device)
        ByteString("plant/1").withView { world.ask(device, .resolve(token: 7, name: $0)) }
        guard case .answer(.resolved(token: 7, let topic?, nil))? = world.heard(device).first else {
            Issue.record("not resolved")
            return
        }
        #expect(ByteString(world.broker.name(of: topic)) == "plant/1")
        let reader = world.client("reader")
        world.subscribe(reader, "plant/+")
        ByteString("20").withView { payload in
            world.ask(
                device, .publish(IncomingPublish(topic: .id(topic), qos: .atMostOnce, retain: false, payload: payload)))
        }
        #expect(world.messages(reader).map(\.topic) == ["plant/1"])
        world.ask(device, .forget(topic))
    }

    @Test(
        "Wildcards and server topics get no number [D-28] [attack 113]",
        arguments: [("a/+", Refusal.topicNameInvalid), ("", .topicNameInvalid), ("$SYS/x", .notAuthorized)])
    func unresolvable(name: String, refusal: Refusal) {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        _ = world.heard(device)
        ByteString(name).withView { world.ask(device, .resolve(token: 1, name: $0)) }
        #expect(world.heard(device) == [.answer(.resolved(token: 1, nil, refusal))])
    }

    @Test("A refusal at QoS 0 reaches a device with identifier 0 [D-08]")
    func refusedAtQoS0() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        _ = world.heard(device)
        world.publish(device, "$SYS/x", "x")
        #expect(world.heard(device) == [.answer(.acknowledge(.init(.puback, 0, .notAuthorized)))])
    }

    @Test("A topic that a device held is forgotten after its link is gone, too")
    func forgottenLater() {
        var world = BrokerWorld()
        let device = world.client("node", isDevice: true)
        _ = world.heard(device)
        ByteString("plant/1").withView { world.ask(device, .resolve(token: 7, name: $0)) }
        guard case .answer(.resolved(_, let topic?, _))? = world.heard(device).first else {
            Issue.record("not resolved")
            return
        }
        world.ask(device, .detach(Farewell(publishesWill: false)))
        #expect(world.broker.topics.idleCount == 0)
        world.ask(device, .forget(topic))
        #expect(world.broker.topics.idleCount == 1)
    }
}
