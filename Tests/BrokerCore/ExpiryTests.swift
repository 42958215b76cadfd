import Bytes
import Messaging
import Testing

@testable import BrokerCore

/// What the time of a message, and of a session, ends and what it does not.
@Suite struct ExpiryTests {
    @Test(
        "A message that was sent does not expire any more: it comes again, however late [MQTT-4.3.3-7]",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func sentMessages(qos: QoS) {
        var world = BrokerWorld()
        var reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        publish(&world, writer, "x", qos, expiry: 10)
        let sent = world.messages(reader)
        #expect(sent.count == 1)
        world.advance(.seconds(20))
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        world.advance(.seconds(20))
        reader = world.client("reader", clean: false, expiry: .max)
        let again = world.messages(reader)
        #expect(again.map(\.payload) == ["x"])
        #expect(again.map(\.packetIdentifier) == sent.map(\.packetIdentifier))
        #expect(again.map(\.isDuplicate) == [true])
        #expect(world.broker.counters.expired == 0)
    }

    @Test("PUBREC goes on to PUBREL although the message has expired meanwhile [MQTT-4.3.3-7] [MQTT-4.3.3-4]")
    func releaseBehindExpiry() {
        var world = BrokerWorld()
        let reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        publish(&world, writer, "x", .exactlyOnce, expiry: 10)
        let id = world.messages(reader).first?.packetIdentifier ?? 0
        world.advance(.seconds(20))
        world.acknowledge(reader, .pubrec, id)
        #expect(world.heard(reader) == [.answer(.acknowledge(.init(.pubrel, id)))])
        world.acknowledge(reader, .pubcomp, id)
        #expect(world.broker.gauges.heldMessages == 0)
    }

    @Test("A message that expires between PUBLISH and PUBREL is acknowledged to the end [MQTT-4.3.3-13]")
    func receivedMessages() {
        var world = BrokerWorld()
        let reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        _ = world.heard(writer)
        world.publish(writer, "a", "x", .exactlyOnce, id: 5, expiry: 10)
        world.advance(.seconds(20))
        world.publish(writer, "a", "x", .exactlyOnce, id: 5, expiry: 10)
        world.ask(writer, .release(packetIdentifier: 5))
        let codes = world.heard(writer).map { told -> String in
            guard case .answer(.acknowledge(let answer)) = told else { return "\(told)" }
            return "\(answer.kind) \(answer.packetIdentifier)"
        }
        #expect(codes == ["pubrec 5", "pubrec 5", "pubcomp 5"])
    }

    @Test("A retained message loses what it waited, and is gone when its time is over [MQTT-3.3.2-5] [MQTT-3.3.2-6]")
    func retainedMessages() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        world.publish(writer, "a", "x", retain: true, expiry: 10)
        for (seconds, left) in [(4, [UInt32(6)]), (5, [1]), (2, [])] {
            world.advance(.seconds(seconds))
            let reader = world.client(ByteString("reader\(seconds)"))
            world.subscribe(reader, "a")
            #expect(world.messages(reader).map(\.expiry) == left)
        }
    }

    @Test("The time of a session runs while nobody is connected, anew each time [MQTT-4.1.0-1] [MQTT-4.1.0-2]")
    func sessions() {
        var world = BrokerWorld()
        var client = world.client("c", expiry: 100)
        world.subscribe(client, "a")
        world.advance(.seconds(1_000))
        #expect(world.broker.gauges.subscriptions == 1)
        for _ in 1...3 {
            world.ask(client, .detach(Farewell(publishesWill: false)))
            world.advance(.seconds(99))
            client = world.client("c", clean: false, expiry: 100)
            #expect(world.attached(client)?.sessionPresent == true)
        }
        world.ask(client, .detach(Farewell(publishesWill: false)))
        world.advance(.seconds(101))
        #expect(world.broker.gauges.subscriptions == 0)
        client = world.client("c", clean: false, expiry: 100)
        #expect(world.attached(client)?.sessionPresent == false)
    }

    private func publish(
        _ world: inout BrokerWorld, _ writer: LinkID, _ payload: ByteString, _ qos: QoS, expiry: UInt32
    ) {
        world.publish(writer, "a", payload, qos, id: 1, expiry: expiry)
        if qos == .exactlyOnce { world.ask(writer, .release(packetIdentifier: 1)) }
    }
}
