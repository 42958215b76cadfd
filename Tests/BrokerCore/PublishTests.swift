import Bytes
import Messaging
import Testing

@testable import BrokerCore

@Suite struct PublishTests {
    @Test(
        "A message goes out at the lower of its QoS and the subscription's [MQTT-3.8.4-8]",
        arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce], [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func lowerQoS(published: QoS, subscribed: QoS) {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.subscribe(reader, "a/b", subscribed)
        world.publish(writer, "a/b", "x", published, id: published == .atMostOnce ? 0 : 5)
        if published == .exactlyOnce { world.ask(writer, .release(packetIdentifier: 5)) }
        let messages = world.messages(reader)
        #expect(messages.map(\.qos) == [min(published, subscribed)])
        #expect(messages.map(\.payload) == ["x"])
    }

    @Test("QoS 1 is acknowledged, with word of nobody listening (§3.4.2.1)")
    func puback() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        _ = world.heard(writer)
        world.publish(writer, "a", "x", .atLeastOnce, id: 7)
        #expect(world.heard(writer) == [.answer(.acknowledge(.init(.puback, 7, .noMatchingSubscribers)))])
    }

    @Test("QoS 2: a repeated PUBLISH is answered again and the first payload goes out once [MQTT-4.3.3-10]")
    func exactlyOnce() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.subscribe(reader, "a", .exactlyOnce)
        _ = world.heard(writer)
        world.publish(writer, "a", "first", .exactlyOnce, id: 9)
        world.publish(writer, "a", "second", .exactlyOnce, id: 9)
        #expect(world.messages(reader).isEmpty)
        world.ask(writer, .release(packetIdentifier: 9))
        world.ask(writer, .release(packetIdentifier: 9))
        #expect(world.messages(reader).map(\.payload) == ["first"])
        #expect(
            world.heard(writer) == [
                .answer(.acknowledge(.init(.pubrec, 9))), .answer(.acknowledge(.init(.pubrec, 9))),
                .answer(.acknowledge(.init(.pubcomp, 9))),
                .answer(.acknowledge(.init(.pubcomp, 9, .packetIdentifierNotFound))),
            ])
    }

    @Test("Open messages at QoS 2 have a limit: at it, one more, ten times [attack 68]")
    func receiveMaximum() {
        var world = BrokerWorld()
        let writer = world.client("writer", receiveMaximum: 3)
        _ = world.heard(writer)
        for id in 1...30 as ClosedRange<UInt16> { world.publish(writer, "a", "x", .exactlyOnce, id: id) }
        let answers = world.heard(writer)
        #expect(answers.prefix(3) == [1, 2, 3].map { .answer(.acknowledge(.init(.pubrec, $0))) }[...])
        #expect(answers.count == 30)
        #expect(answers.last == .answer(.acknowledge(.init(.pubrec, 30, .receiveMaximumExceeded))))
        #expect(world.broker.gauges.heldMessages == 3)
    }

    @Test(
        "Names with $ and names with wildcards are not for clients (§4.7.2) [MQTT-3.3.2-2]",
        arguments: [
            ("$SYS/x", PublishOutcome.notAuthorized), ("$share/g/t", .notAuthorized), ("a/#", .topicNameInvalid),
            ("", .topicNameInvalid),
        ])
    func refusedNames(name: String, outcome: PublishOutcome) {
        var world = BrokerWorld()
        let writer = world.client("writer")
        _ = world.heard(writer)
        world.publish(writer, ByteString(name), "x", .atLeastOnce, id: 1)
        #expect(world.heard(writer) == [.answer(.acknowledge(.init(.puback, 1, outcome)))])
        #expect(world.broker.counters.publishesRefused == 1)
    }

    @Test("A topic may have 64 levels and 1,024 bytes, and not one more [attack 51]")
    func topicLimits() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        func outcome(_ name: String) -> PublishOutcome? {
            _ = world.heard(writer)
            world.publish(writer, ByteString(name), "x", .atLeastOnce, id: 1)
            guard case .answer(.acknowledge(let answer))? = world.heard(writer).first else { return nil }
            return answer.outcome
        }
        #expect(outcome(String(repeating: "/", count: 63)) == .noMatchingSubscribers)
        #expect(outcome(String(repeating: "/", count: 64)) == .topicNameInvalid)
        #expect(outcome(String(repeating: "/", count: 640)) == .topicNameInvalid)
        #expect(outcome(String(repeating: "a", count: 1024)) == .noMatchingSubscribers)
        #expect(outcome(String(repeating: "a", count: 1025)) == .topicNameInvalid)
    }

    @Test("A million topic names at QoS 0 leave no state behind [attack 55]")
    func topicExplosion() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        for number in 0..<20_000 { world.publish(writer, ByteString("t/\(number)"), "x") }
        #expect(world.broker.gauges.topics <= 4_097)
        #expect(world.broker.gauges.heldMessages == 0)
    }

    @Test("Composed and decomposed letters are different topics [MQTT-4.7.3-4] [attack 19]")
    func unicodeForms() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.subscribe(reader, ByteString("caf\u{E9}"))
        world.publish(writer, ByteString("cafe\u{301}"), "decomposed")
        world.publish(writer, ByteString("caf\u{E9}"), "composed")
        #expect(world.messages(reader).map(\.payload) == ["composed"])
    }

    @Test("Overlapping subscriptions give one delivery at the highest QoS with all identifiers (§3.3.4)")
    func overlap() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.subscribe(reader, "a/#", .atMostOnce, identifier: 1)
        world.subscribe(reader, "a/+", .atLeastOnce, identifier: 2)
        world.subscribe(reader, "a/b", .atMostOnce)
        world.publish(writer, "a/b", "x", .exactlyOnce, id: 1)
        world.ask(writer, .release(packetIdentifier: 1))
        let messages = world.messages(reader)
        #expect(messages.map(\.qos) == [.atLeastOnce])
        #expect(messages.map { Set($0.identifiers) } == [[1, 2]])
        #expect(messages.first?.identifiers.count == 2)
    }

    @Test("No Local keeps a client's own messages away, others come [MQTT-3.8.3-3]")
    func noLocal() {
        var world = BrokerWorld()
        let reader = world.client("reader")
        let writer = world.client("writer")
        world.subscribe(reader, "a", noLocal: true)
        world.publish(reader, "a", "own")
        world.publish(writer, "a", "other")
        #expect(world.messages(reader).map(\.payload) == ["other"])
    }

    @Test("RETAIN is passed on only where the subscription asks for it [MQTT-3.3.1-12] [MQTT-3.3.1-13]")
    func retainAsPublished() {
        var world = BrokerWorld()
        let plain = world.client("plain")
        let asPublished = world.client("as published")
        let writer = world.client("writer")
        world.subscribe(plain, "a")
        world.subscribe(asPublished, "a", retainAsPublished: true)
        world.publish(writer, "a", "x", retain: true)
        #expect(world.messages(plain).map(\.retain) == [false])
        #expect(world.messages(asPublished).map(\.retain) == [true])
    }
}
