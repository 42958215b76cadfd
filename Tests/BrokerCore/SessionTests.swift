import Bytes
import Messaging
import Testing

@testable import BrokerCore

@Suite struct SessionTests {
    @Test("A session that outlives its link queues QoS 1 and 2 and not QoS 0, and hands them over in order")
    func offlineQueue() {
        var world = BrokerWorld()
        var reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        for number in 1...5 as ClosedRange<UInt16> {
            world.publish(writer, "a", ByteString("\(number)"), .atLeastOnce, id: number)
            world.publish(writer, "a", "gone")
        }
        reader = world.client("reader", clean: false, expiry: .max)
        #expect(world.messages(reader).map(\.payload) == ["1", "2", "3", "4", "5"])
    }

    @Test("CONNACK says whether there was a session [MQTT-3.2.2-2] [MQTT-3.2.2-3]")
    func sessionPresent() {
        var world = BrokerWorld()
        let first = world.client("c", clean: false, expiry: 60)
        #expect(world.attached(first)?.sessionPresent == false)
        world.ask(first, .detach(Farewell(publishesWill: false)))
        let second = world.client("c", clean: false, expiry: 60)
        #expect(world.attached(second)?.sessionPresent == true)
        world.ask(second, .detach(Farewell(publishesWill: false)))
        let third = world.client("c", clean: true, expiry: 60)
        #expect(world.attached(third)?.sessionPresent == false)
    }

    @Test("What was in flight comes again under the same identifier, as a duplicate, before the rest [MQTT-4.4.0-1]")
    func redelivery() {
        var world = BrokerWorld()
        var reader = world.client("reader", expiry: .max, window: 2)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        for id in 1...4 as ClosedRange<UInt16> { world.publish(writer, "a", ByteString("\(id)"), .atLeastOnce, id: id) }
        let sent = world.messages(reader)
        #expect(sent.map(\.payload) == ["1", "2"])
        world.ask(reader, .detach(Farewell(publishesWill: true)))
        reader = world.client("reader", clean: false, expiry: .max, window: 2)
        let again = world.messages(reader)
        #expect(again.map(\.payload) == ["1", "2"])
        #expect(again.map(\.isDuplicate) == [true, true])
        #expect(again.map(\.packetIdentifier) == sent.map(\.packetIdentifier))
        for message in again { world.acknowledge(reader, .puback, message.packetIdentifier) }
        let rest = world.messages(reader)
        #expect(rest.map(\.payload) == ["3", "4"])
        #expect(rest.allSatisfy { !$0.isDuplicate })
    }

    @Test("A PUBREC that was answered is not forgotten: PUBREL comes again, not PUBLISH [MQTT-4.3.3-4]")
    func releaseAgain() {
        var world = BrokerWorld()
        var reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        world.publish(writer, "a", "x", .exactlyOnce, id: 1)
        world.ask(writer, .release(packetIdentifier: 1))
        let id = world.messages(reader).first?.packetIdentifier ?? 0
        world.acknowledge(reader, .pubrec, id)
        #expect(world.heard(reader) == [.answer(.acknowledge(.init(.pubrel, id)))])
        world.ask(reader, .detach(Farewell(publishesWill: true)))
        reader = world.client("reader", clean: false, expiry: .max)
        let told = world.heard(reader)
        #expect(told.contains(.answer(.acknowledge(.init(.pubrel, id)))))
        #expect(!told.contains { if case .message = $0 { true } else { false } })
        world.acknowledge(reader, .pubcomp, id)
        #expect(world.broker.gauges.heldMessages == 0)
    }

    @Test("A second CONNECT with the same ClientID takes the session over [MQTT-3.1.4-3]")
    func takeover() {
        var world = BrokerWorld()
        let first = world.client("c", expiry: .max)
        world.subscribe(first, "a")
        _ = world.heard(first)
        let second = world.client("c", clean: false, expiry: .max)
        #expect(world.heard(first) == [.answer(.close(.sessionTakenOver))])
        #expect(world.attached(second)?.sessionPresent == true)
        world.publish(second, "a", "x")
        #expect(world.messages(second).map(\.payload) == ["x"])
        #expect(world.messages(first).isEmpty)
        #expect(world.broker.gauges.connectedClients == 1)
    }

    @Test("A client id has one session for MQTT and MQTT-SN [D-45]")
    func takeoverAcross() {
        var world = BrokerWorld()
        let client = world.client("c", expiry: .max)
        world.subscribe(client, "a")
        _ = world.heard(client)
        let device = world.client("c", clean: false, expiry: .max, isDevice: true)
        #expect(world.heard(client) == [.answer(.close(.sessionTakenOver))])
        #expect(world.attached(device)?.sessionPresent == true)
        #expect(world.broker.gauges.connectedDevices == 1)
    }

    @Test("A thousand takeovers in a row leave one session, and nothing behind [attack 40] [MQTT-3.1.4-3]")
    func takeoverFlood() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        var link = world.client("c", expiry: 100)
        world.subscribe(link, "t", .atLeastOnce)
        world.subscribe(link, "$share/g/t", .atLeastOnce)
        for id in 1...1_000 as ClosedRange<UInt16> {
            if id % 100 == 0 { world.publish(writer, "t", "x", .atLeastOnce, id: id) }
            link = world.client("c", clean: false, expiry: 100)
        }
        #expect(world.broker.gauges.connectedClients == 2)
        #expect(world.broker.sessionNames.count == 2)
        #expect(world.broker.gauges.subscriptions == 2)
        #expect(world.messages(link).count == 20)
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("Somebody else's session is neither taken nor touched [attack 39]")
    func otherUser() {
        var world = BrokerWorld()
        world.ask(
            .connection(1),
            .attach(
                SessionOffer(
                    clientID: "c", cleanStart: true, sessionExpiryInterval: .max, pace: .window(20),
                    userName: "alice")))
        world.subscribe(.connection(1), "a")
        world.ask(
            .connection(2),
            .attach(
                SessionOffer(
                    clientID: "c", cleanStart: true, sessionExpiryInterval: 0, pace: .window(20), userName: "mallory")))
        #expect(world.heard(.connection(2)) == [.answer(.refused(.notAuthorized))])
        let writer = world.client("writer")
        world.publish(writer, "a", "x")
        #expect(world.messages(.connection(1)).map(\.payload) == ["x"])
    }

    @Test("A session ends when its expiry has passed, not before [MQTT-4.1.0-2]")
    func expiry() {
        var world = BrokerWorld()
        let client = world.client("c", expiry: 100)
        world.subscribe(client, "a")
        world.ask(client, .detach(Farewell(publishesWill: false)))
        world.advance(.seconds(99))
        #expect(world.broker.gauges.offlineSessions == 1)
        world.advance(.seconds(2))
        #expect(world.broker.gauges.offlineSessions == 0)
        #expect(world.broker.gauges.subscriptions == 0)
    }

    @Test("The server chooses an id for a client without one [MQTT-3.1.3-6]")
    func assignedID() {
        var world = BrokerWorld()
        let first = world.client("")
        let second = world.client("")
        let ids = [world.attached(first)?.assignedClientID, world.attached(second)?.assignedClientID]
        #expect(ids.allSatisfy { ($0?.count ?? 0) > 10 })
        #expect(ids[0] != ids[1])
    }

    @Test("A window that is full queues, and never drops or overruns [MQTT-3.3.4-9]")
    func window() {
        var world = BrokerWorld()
        let reader = world.client("reader", window: 3)
        let writer = world.client("writer")
        world.subscribe(reader, "a", .atLeastOnce)
        for id in 1...10 as ClosedRange<UInt16> {
            world.publish(writer, "a", ByteString("\(id)"), .atLeastOnce, id: id)
        }
        var received: [ByteString] = []
        var waiting = world.messages(reader)
        #expect(waiting.count == 3)
        while let message = waiting.first {
            waiting.removeFirst()
            received.append(message.payload)
            world.acknowledge(reader, .puback, message.packetIdentifier)
            waiting += world.messages(reader)
            #expect(waiting.count <= 3)
        }
        #expect(received == (1...10).map { ByteString("\($0)") })
        #expect(world.broker.gauges.heldMessages == 0)
    }

    @Test("A queue has a limit in messages and in bytes; what does not fit is counted")
    func queueLimits() {
        var limits = BrokerLimits()
        limits.queuedMessagesMax = 10
        limits.queuedBytesMax = 50
        var world = BrokerWorld(limits)
        let reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a", .atLeastOnce)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        for id in 1...11 as ClosedRange<UInt16> { world.publish(writer, "a", "x", .atLeastOnce, id: id) }
        #expect(world.broker.gauges.heldMessages == 10)
        #expect(world.broker.counters.droppedQueueFull == 1)
        let back = world.client("reader", clean: false, expiry: .max)
        for message in world.messages(back) { world.acknowledge(back, .puback, message.packetIdentifier) }
        world.ask(back, .detach(Farewell(publishesWill: false)))
        for id in 1...6 as ClosedRange<UInt16> { world.publish(writer, "a", "ten bytes!", .atLeastOnce, id: id) }
        #expect(world.broker.gauges.heldBytes == 50)
        #expect(world.broker.counters.droppedQueueFull == 2)
    }

    // [MQTT-3.3.2-5] [MQTT-3.3.2-6]
    @Test("A message that expires while it waits is not sent; one that does not says how long is left")
    func messageExpiry() {
        var world = BrokerWorld()
        var reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        world.publish(writer, "a", "short", .atLeastOnce, id: 1, expiry: 10)
        world.publish(writer, "a", "long", .atLeastOnce, id: 2, expiry: 60)
        world.advance(.seconds(20))
        reader = world.client("reader", clean: false, expiry: .max)
        let messages = world.messages(reader)
        #expect(messages.map(\.payload) == ["long"])
        #expect(messages.map(\.expiry) == [40])
        #expect(world.broker.counters.expired == 1)
    }

    @Test("The wrong kind of acknowledgement ends a connection; an unknown identifier does not [attack 70, 71]")
    func wrongAcknowledgements() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        world.publish(writer, "a", "x", .exactlyOnce, id: 1)
        world.ask(writer, .release(packetIdentifier: 1))
        let id = world.messages(reader).first?.packetIdentifier ?? 0
        world.acknowledge(reader, .puback, 999)
        world.acknowledge(reader, .pubrec, 999)
        #expect(world.heard(reader) == [.answer(.acknowledge(.init(.pubrel, 999, .packetIdentifierNotFound)))])
        world.acknowledge(reader, .puback, id)
        #expect(world.heard(reader) == [.answer(.close(.protocolError))])
    }

    @Test("Packet identifiers wrap around and skip those in use [attack 72]")
    func identifierWrap() {
        var world = BrokerWorld()
        let reader = world.client("reader", window: 2)
        let writer = world.client("writer")
        world.subscribe(reader, "a", .atLeastOnce)
        world.publish(writer, "a", "stays", .atLeastOnce, id: 1)
        let stays = world.messages(reader).first?.packetIdentifier ?? 0
        var seen: Set<UInt16> = []
        for _ in 0..<70_000 {
            world.publish(writer, "a", "x", .atLeastOnce, id: 1)
            guard let id = world.messages(reader).first?.packetIdentifier else { break }
            #expect(id != stays && id != 0)
            seen.insert(id)
            world.acknowledge(reader, .puback, id)
        }
        #expect(seen.count == 65_534)
    }

    @Test("The number of sessions has a limit")
    func sessionLimit() {
        var limits = BrokerLimits()
        limits.sessionsMax = 2
        var world = BrokerWorld(limits)
        _ = world.client("a")
        _ = world.client("b")
        let third = world.client("c")
        #expect(world.heard(third) == [.answer(.refused(.quotaExceeded))])
        let again = world.client("b")
        #expect(world.attached(again) != nil)
    }
}
