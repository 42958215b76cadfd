import Bytes
import Messaging
import Testing

@testable import BrokerCore

/// What a session gets when its client comes back, what has expired until then, and identifiers.
@Suite struct RedeliveryTests {
    /// A reader with a window of 3 that left with two messages in flight and one released, and three that wait.
    private func interrupted() -> (world: BrokerWorld, sent: [BrokerWorld.Received]) {
        var world = BrokerWorld()
        let reader = world.client("reader", expiry: .max, window: 3)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        for id in 1...6 as ClosedRange<UInt16> {
            world.publish(writer, "a", ByteString("\(id)"), .exactlyOnce, id: id)
            world.ask(writer, .release(packetIdentifier: id))
        }
        let sent = world.messages(reader)
        world.acknowledge(reader, .pubrec, sent[1].packetIdentifier)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        return (world, sent)
    }

    @Test(
        """
        What was in flight comes first, in its order, PUBLISH with DUP and PUBREL as PUBREL, then the queue \
        [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT311-4.4.0-1]
        """)
    func order() {
        var (world, sent) = interrupted()
        let reader = world.client("reader", clean: false, expiry: .max, window: 10)
        let told = world.heard(reader).dropFirst()
        let ids = sent.map(\.packetIdentifier)
        #expect(told.count == 6)
        let words = told.map { told -> String in
            switch told {
            case .message(let message):
                return "\(message.payload)\(message.isDuplicate ? " dup" : "") \(message.packetIdentifier)"
            case .answer(.acknowledge(let answer)): return "\(answer.kind) \(answer.packetIdentifier)"
            case .answer: return "?"
            }
        }
        #expect(
            words == [
                "1 dup \(ids[0])", "pubrel \(ids[1])", "3 dup \(ids[2])", "4 \(ids[2] + 1)", "5 \(ids[2] + 2)",
                "6 \(ids[2] + 3)",
            ])
    }

    @Test("A smaller window than before takes the same messages in the same order, as it has room [MQTT-3.3.4-9]")
    func smallerWindow() {
        var (world, sent) = interrupted()
        let reader = world.client("reader", clean: false, expiry: .max, window: 1)
        var payloads: [ByteString] = []
        for _ in 0..<20 {
            let told = world.heard(reader)
            #expect(world.broker.sessions.allSatisfy { $0.inflight.count <= 1 })
            for told in told {
                switch told {
                case .message(let message):
                    #expect(message.isDuplicate == (payloads.count < 2))
                    payloads.append(message.payload)
                    world.acknowledge(reader, .pubrec, message.packetIdentifier)
                case .answer(.acknowledge(let answer)):
                    world.acknowledge(reader, .pubcomp, answer.packetIdentifier)
                case .answer: break
                }
            }
        }
        #expect(sent.count == 3)
        #expect(payloads == ["1", "3", "4", "5", "6"])
        #expect(world.broker.deliveriesUnderWay == 0)
    }

    @Test("A window that is full queues up to the queue's bytes, and what was sent stays [MQTT-3.3.4-9] [attack 66]")
    func windowAndBytes() {
        var limits = BrokerLimits()
        limits.queuedBytesMax = 100
        var world = BrokerWorld(limits)
        let reader = world.client("reader", window: 5)
        let other = world.client("other")
        let writer = world.client("writer")
        world.subscribe(reader, "a", .atLeastOnce)
        world.subscribe(other, "a", .atLeastOnce)
        for number in 1...1_015 as ClosedRange<UInt16> {
            world.publish(writer, "a", "ten bytes.", .atLeastOnce, id: number)
            for message in world.messages(other) { world.acknowledge(other, .puback, message.packetIdentifier) }
            // Five in flight, ten in the queue.
            if number == 15 { #expect(world.broker.counters.dropped == 0) }
            if number == 16 { #expect(world.broker.counters.dropped == 1) }
        }
        #expect(world.messages(reader).count == 5)
        #expect(world.broker.counters.droppedQueueFull == 1_000)
        #expect(world.broker.counters.delivered == 1_015)
        #expect(world.broker.gauges.heldBytes == 150)
    }

    @Test("What expires while the client is away is not sent; what was in flight is, with nothing left [MQTT-3.3.2-5]")
    func expiryWhileAway() {
        var world = BrokerWorld()
        var reader = world.client("reader", expiry: .max, window: 1)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        for (id, expiry) in [(1, 10), (2, 10), (3, 100)] as [(UInt16, UInt32)] {
            world.publish(writer, "a", ByteString("\(id)"), .atLeastOnce, id: id, expiry: expiry)
        }
        #expect(world.messages(reader).map(\.expiry) == [10])
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        world.advance(.seconds(30))
        reader = world.client("reader", clean: false, expiry: .max, window: 5)
        let messages = world.messages(reader)
        #expect(messages.map(\.payload) == ["1", "3"])
        #expect(messages.map(\.isDuplicate) == [true, false])
        #expect(messages.map(\.expiry) == [0, 70])
        #expect(world.broker.counters.expired == 1)
    }

    @Test("The time of a retained message is counted down, and when it is over the message is gone [MQTT-3.3.2-6]")
    func retainedExpiry() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        world.publish(writer, "a", "x", .atLeastOnce, id: 1, retain: true, expiry: 60)
        world.advance(.seconds(20))
        let first = world.client("first")
        world.subscribe(first, "a")
        #expect(world.messages(first).map(\.expiry) == [40])
        world.acknowledge(first, .puback, 1)
        world.advance(.seconds(40))
        let second = world.client("second")
        world.subscribe(second, "a")
        #expect(world.messages(second).isEmpty)
        #expect(world.broker.gauges.retainedMessages == 0)
    }

    @Test("A Message Expiry Interval of 0: at once or never [M-14]")
    func expiryZero() {
        var world = BrokerWorld()
        let reader = world.client("reader", window: 1)
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        for id in 1...2 as ClosedRange<UInt16> { world.publish(writer, "a", "now", .atLeastOnce, id: id, expiry: 0) }
        let now = world.messages(reader)
        #expect(now.map(\.expiry) == [0])
        world.acknowledge(reader, .puback, now[0].packetIdentifier)
        #expect(world.messages(reader).isEmpty)
        #expect(world.broker.counters.expired == 1)
    }

    @Test(
        "A second PUBLISH with the same identifier and another payload is answered, and the first is kept [attack 69]")
    func sameIdentifier() {
        for isDuplicate in [false, true] {
            var world = BrokerWorld()
            let reader = world.client("reader")
            let writer = world.client("writer")
            world.subscribe(reader, "a")
            _ = world.heard(writer)
            world.publish(writer, "a", "first", .exactlyOnce, id: 9)
            world.publish(writer, "a", "second", .exactlyOnce, id: 9, isDuplicate: isDuplicate)
            #expect(
                world.heard(writer) == [
                    .answer(.acknowledge(.init(.pubrec, 9))), .answer(.acknowledge(.init(.pubrec, 9))),
                ])
            world.ask(writer, .release(packetIdentifier: 9))
            #expect(world.messages(reader).map(\.payload) == ["first"])
        }
    }

    @Test("Messages that are never released: the cap, one more, all 65,535; memory is bounded [attack 67] [attack 68]")
    func openMessages() {
        var world = BrokerWorld()
        let writer = world.client("writer", receiveMaximum: 20)
        _ = world.heard(writer)
        for id in 1...65_535 as ClosedRange<UInt16> { world.publish(writer, "a", "x", .exactlyOnce, id: id) }
        let answers = world.heard(writer)
        #expect(answers[19] == .answer(.acknowledge(.init(.pubrec, 20))))
        #expect(answers[20] == .answer(.acknowledge(.init(.pubrec, 21, .receiveMaximumExceeded))))
        #expect(world.broker.gauges.heldMessages == 20)
        world.ask(writer, .detach(Farewell(publishesWill: false)))
        #expect(world.broker.gauges.heldMessages == 0)
    }

    @Test("Acknowledgements for nothing change nothing: every kind, before and after the message [attack 70]")
    func acknowledgementsForNothing() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.subscribe(reader, "a")
        for kind in [Acknowledgement.Kind.puback, .pubrec, .pubcomp] {
            for id in [1, 2, 65_535] as [UInt16] { world.acknowledge(reader, kind, id) }
        }
        world.ask(reader, .release(packetIdentifier: 7))
        let answers = world.heard(reader).dropFirst()
        #expect(answers.count == 4)
        #expect(answers.last == .answer(.acknowledge(.init(.pubcomp, 7, .packetIdentifierNotFound))))
        world.publish(writer, "a", "x", .exactlyOnce, id: 1)
        world.ask(writer, .release(packetIdentifier: 1))
        let id = world.messages(reader)[0].packetIdentifier
        world.acknowledge(reader, .pubrec, id)
        // PUBREC again is answered again.
        world.acknowledge(reader, .pubrec, id)
        #expect(world.heard(reader).count == 2)
        world.acknowledge(reader, .pubcomp, id)
        world.acknowledge(reader, .pubcomp, id)
        #expect(world.heard(reader).isEmpty)
        #expect(world.broker.counters.delivered == 1)
    }

    @Test(
        "An acknowledgement of the wrong kind ends the connection [attack 71]",
        arguments: [
            (QoS.atLeastOnce, Acknowledgement.Kind.pubrec), (.atLeastOnce, .pubcomp), (.exactlyOnce, .puback),
            (.exactlyOnce, .pubcomp),
        ])
    func wrongKind(qos: QoS, kind: Acknowledgement.Kind) {
        var world = BrokerWorld()
        let reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "a", qos)
        world.publish(writer, "a", "x", .exactlyOnce, id: 1)
        world.ask(writer, .release(packetIdentifier: 1))
        world.acknowledge(reader, kind, world.messages(reader)[0].packetIdentifier)
        #expect(world.heard(reader) == [.answer(.close(.protocolError))])
        // The message is not lost by it.
        #expect(world.broker.deliveriesUnderWay == 1)
    }

    @Test("New identifiers avoid those of before, in flight and released, after coming back too [attack 72]")
    func identifiersInUse() {
        var (world, sent) = interrupted()
        let writer = world.client("author")
        let reader = world.client("reader", clean: false, expiry: .max, window: 10)
        _ = world.heard(reader)
        let used = Set(sent.map(\.packetIdentifier))
        // As if 65,535 messages had gone by: the counter stands before the first one in use.
        if let index = world.broker.sessions.firstIndex(where: { $0.clientID == "reader" }) {
            world.broker.sessions[index].lastPacketIdentifier = 65_535
        }
        for id in 1...4 as ClosedRange<UInt16> { world.publish(writer, "a", "x", .atLeastOnce, id: id) }
        let fresh = world.messages(reader).map(\.packetIdentifier)
        #expect(fresh.count == 4)
        #expect(Set(fresh).isDisjoint(with: used))
        #expect(Set(fresh).count == 4 && !fresh.contains(0))
    }

    @Test("The server's longest session is told and kept, whatever was asked for [attack 42]")
    func expiryMaximum() {
        var limits = BrokerLimits()
        limits.sessionExpiryMax = 60
        var world = BrokerWorld(limits)
        let client = world.client("c", expiry: .max)
        #expect(world.attached(client)?.sessionExpiryInterval == 60)
        // DISCONNECT cannot make it longer.
        world.ask(client, .detach(Farewell(publishesWill: false, sessionExpiryInterval: .max)))
        world.advance(.seconds(61))
        #expect(world.broker.gauges.offlineSessions == 0)
    }

    @Test(
        "Sessions that are left behind fill their number; who is there is served, who was there comes back [attack 42]"
    )
    func hoarding() {
        var limits = BrokerLimits()
        limits.sessionsMax = 10
        limits.sessionExpiryMax = 60
        var world = BrokerWorld(limits)
        let honest = world.client("honest")
        world.subscribe(honest, "a")
        for number in 0..<100 {
            let link = world.client(ByteString("hoard \(number)"), expiry: .max)
            let told = world.heard(link)
            if number >= 9 { #expect(told == [.answer(.refused(.quotaExceeded))]) }
            world.ask(link, .detach(Farewell(publishesWill: false)))
        }
        world.publish(honest, "a", "served")
        #expect(world.messages(honest).map(\.payload) == ["served"])
        let back = world.client("hoard 3", clean: false, expiry: .max)
        #expect(world.attached(back)?.sessionPresent == true)
        world.advance(.seconds(61))
        let late = world.client("late")
        #expect(world.attached(late) != nil)
    }
}
