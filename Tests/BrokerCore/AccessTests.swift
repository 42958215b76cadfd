import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

/// The access rules on every path of a message.
@Suite struct AccessTests {
    private func list(_ lines: [(AccessRules.Access, ByteString)]) -> [AccessRules.Rule] {
        lines.compactMap { AccessRules.Rule($0.0, $0.1) }
    }

    /// Everybody may everything but what is listed here for readers and writers.
    private func all(
        butReader reader: [(AccessRules.Access, ByteString)] = [],
        butWriter writer: [(AccessRules.Access, ByteString)] = []
    ) -> AccessRuleSets {
        let open = [(AccessRules.Access.readwrite, "#" as ByteString), (.read, "$SYS/#")]
        return AccessRuleSets(
            AccessRules(
                anonymous: list(open), users: ["reader": list(reader + open), "writer": list(writer + open)]))
    }

    private let closed: [(AccessRules.Access, ByteString)] = [(.deny, "secret/#")]

    private func outcomes(_ world: inout BrokerWorld, _ link: LinkID) -> [PublishOutcome] {
        world.heard(link).compactMap { told in
            if case .answer(.acknowledge(let answer)) = told { answer.outcome } else { nil }
        }
    }

    @Test(
        "A publish without the right is refused and goes nowhere",
        arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func publish(qos: QoS) {
        var world = BrokerWorld()
        world.broker.setAccessRules(all(butWriter: closed))
        let writer = world.client("w", userName: "writer")
        let reader = world.client("r", userName: "reader")
        world.subscribe(reader, "#")
        world.publish(writer, "secret/x", "x", qos, id: 1, retain: true)
        let refused = outcomes(&world, writer)
        #expect(refused == [.notAuthorized])
        if qos == .exactlyOnce { world.ask(writer, .release(packetIdentifier: 1)) }
        #expect(world.messages(reader).isEmpty)
        #expect(world.broker.gauges.retainedMessages == 0)
        #expect(world.broker.counters.publishesRefused == 1)
        world.publish(writer, "open", "x", qos, id: 2)
        let taken = outcomes(&world, writer)
        #expect(!taken.contains(.notAuthorized))
    }

    @Test("Rules that change between PUBLISH and PUBREL hold for the message [attack 41]")
    func release() {
        var world = BrokerWorld()
        let writer = world.client("w", userName: "writer")
        let reader = world.client("r")
        world.subscribe(reader, "#")
        world.publish(writer, "secret/x", "x", .exactlyOnce, id: 1)
        world.broker.setAccessRules(all(butWriter: closed))
        world.ask(writer, .release(packetIdentifier: 1))
        #expect(world.messages(reader).isEmpty)
        #expect(world.heard(writer).last == .answer(.acknowledge(Acknowledgement(.pubcomp, 1))))
    }

    @Test("A subscription that can bring nothing is refused, also a shared one [attack 81]")
    func subscribe() {
        var world = BrokerWorld()
        world.broker.setAccessRules(all(butReader: closed))
        let reader = world.client("r", userName: "reader")
        for filter in ["secret/x", "secret/#", "$share/x/secret/#", "$share/x/secret/+"] as [ByteString] {
            #expect(world.subscribe(reader, filter) == [.refused(.notAuthorized)])
        }
        #expect(world.broker.gauges.subscriptions == 0)
        #expect(world.broker.shared.count == 0)
    }

    @Test(
        "A wider filter brings what is allowed and not the rest [attack 64]",
        arguments: ["#", "$share/g/#"] as [ByteString])
    func widerFilter(filter: ByteString) {
        var world = BrokerWorld()
        world.broker.setAccessRules(all(butReader: closed))
        let reader = world.client("r", userName: "reader")
        let writer = world.client("w")
        world.subscribe(reader, filter)
        world.publish(writer, "secret/x", "x", .atLeastOnce, id: 1)
        let answers = outcomes(&world, writer)
        #expect(answers == [.noMatchingSubscribers])
        world.publish(writer, "open", "y", .atLeastOnce, id: 2)
        #expect(world.messages(reader).map(\.payload) == ["y"])
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("Of a group, a member that may not receive a message is passed over")
    func sharedMembers() {
        var world = BrokerWorld()
        world.broker.setAccessRules(all(butReader: closed))
        let members = [world.client("r", userName: "reader"), world.client("other")]
        let writer = world.client("w")
        for member in members { world.subscribe(member, "$share/g/#") }
        for _ in 0..<4 { world.publish(writer, "secret/x", "x") }
        #expect(world.messages(members[0]).isEmpty)
        #expect(world.messages(members[1]).count == 4)
    }

    @Test("Members of a group that may not receive a message are counted as matching, each once for each message")
    func sharedWork() {
        var world = BrokerWorld()
        world.broker.setAccessRules(all(butReader: closed))
        let writer = world.client("w")
        var members: [LinkID] = []
        for number in 1...20 {
            members.append(world.client(ByteString("r\(number)"), expiry: .max, userName: "reader"))
            world.subscribe(members[number - 1], "$share/g/#")
        }
        for member in members.suffix(10) { world.ask(member, .detach(Farewell(publishesWill: false))) }
        // The route is found with the first message, and remembered.
        world.publish(writer, "secret/x", "x")
        world.publish(writer, "open", "x")
        for topic in ["open", "secret/x"] as [ByteString] {
            let before = world.broker.counters.matchingWork
            for _ in 0..<3 { world.publish(writer, topic, "x", .atLeastOnce, id: 1) }
            #expect(world.broker.counters.matchingWork - before == (topic == "open" ? 0 : 60))
        }
    }

    @Test("Rules that change hold for the next message, for routes that were remembered too")
    func liveChange() {
        var world = BrokerWorld()
        let reader = world.client("r", userName: "reader")
        let writer = world.client("w")
        for filter in ["secret/x", "secret/#"] as [ByteString] { world.subscribe(reader, filter) }
        world.publish(writer, "secret/x", "1")
        world.broker.setAccessRules(all(butReader: closed))
        world.publish(writer, "secret/x", "2")
        world.broker.setAccessRules(.allowAll)
        world.publish(writer, "secret/x", "3")
        #expect(world.messages(reader).map(\.payload) == ["1", "3"])
    }

    @Test("Retained messages are not for those who may not read [attack 76]")
    func retained() {
        var world = BrokerWorld()
        let writer = world.client("w")
        for topic in ["secret/x", "open"] as [ByteString] { world.publish(writer, topic, "x", retain: true) }
        world.broker.setAccessRules(all(butReader: closed))
        let reader = world.client("r", userName: "reader")
        world.subscribe(reader, "#")
        #expect(world.messages(reader).map(\.topic) == ["open"])
    }

    @Test("A retained message whose publisher lost the right is not delivered [attack 75] [M-26]")
    func retainedSource() {
        var world = BrokerWorld()
        let writer = world.client("w", userName: "writer")
        let other = world.client("o")
        world.publish(writer, "secret/by-writer", "x", retain: true)
        world.publish(other, "secret/by-other", "x", retain: true)
        world.publish(other, "secret/by-both", "x", retain: true)
        world.publish(writer, "secret/by-both", "x", retain: true)
        world.ask(writer, .detach(Farewell(publishesWill: false)))
        world.broker.setAccessRules(all(butWriter: closed))
        let reader = world.client("r")
        world.subscribe(reader, "#")
        #expect(world.messages(reader).map(\.topic) == ["secret/by-other"])
        world.broker.setAccessRules(.allowAll)
        world.subscribe(reader, "secret/by-writer")
        #expect(world.messages(reader).map(\.topic) == ["secret/by-writer"])
        // Nobody is remembered for longer than what they published.
        for topic in ["secret/by-writer", "secret/by-other", "secret/by-both"] as [ByteString] {
            world.publish(other, topic, "", retain: true)
        }
        world.ask(other, .detach(Farewell(publishesWill: false)))
        #expect(world.broker.publishers.count == 0)
    }

    @Test("What waits for a session is checked again when it resumes [attack 41] [attack 76]")
    func queued() {
        var world = BrokerWorld()
        var reader = world.client("r", expiry: 100, userName: "reader")
        let writer = world.client("w")
        world.subscribe(reader, "#")
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        for (id, topic) in ["secret/1", "open/2", "secret/3", "open/4"].enumerated() {
            world.publish(writer, ByteString(topic), "x", .atLeastOnce, id: UInt16(id + 1))
        }
        world.broker.setAccessRules(all(butReader: closed))
        reader = world.client("r", clean: false, expiry: 100, userName: "reader")
        #expect(world.messages(reader).map(\.topic) == ["open/2", "open/4"])
        #expect(world.broker.counters.droppedNotAllowed == 2)
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("What waits behind a full window is checked when it would go [attack 41]")
    func behindWindow() {
        var world = BrokerWorld()
        let reader = world.client("r", window: 1, userName: "reader")
        let writer = world.client("w")
        world.subscribe(reader, "#")
        for (id, topic) in ["open/1", "secret/2", "open/3"].enumerated() {
            world.publish(writer, ByteString(topic), "x", .atLeastOnce, id: UInt16(id + 1))
        }
        world.broker.setAccessRules(all(butReader: closed))
        world.acknowledge(reader, .puback, world.messages(reader)[0].packetIdentifier)
        #expect(world.messages(reader).map(\.topic) == ["open/3"])
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("What was in flight is not sent again; at QoS 2 PUBREL closes the handshake [attack 41]")
    func inFlight() {
        var world = BrokerWorld()
        var reader = world.client("r", expiry: 100, userName: "reader")
        let writer = world.client("w")
        world.subscribe(reader, "#")
        world.publish(writer, "secret/1", "x", .atLeastOnce, id: 1)
        world.publish(writer, "secret/2", "x", .exactlyOnce, id: 2)
        world.ask(writer, .release(packetIdentifier: 2))
        let second = world.messages(reader)[1].packetIdentifier
        world.broker.setAccessRules(all(butReader: closed))
        // A drain under the new rules in between changes nothing for what is in flight.
        world.ask(reader, .window(isOpen: true))
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        reader = world.client("r", clean: false, expiry: 100, userName: "reader")
        let heard = world.heard(reader).dropFirst()
        #expect(Array(heard) == [.answer(.acknowledge(Acknowledgement(.pubrel, second)))])
        world.acknowledge(reader, .pubcomp, second)
        #expect(world.broker.gauges.heldMessages == 0)
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("A shared delivery that its member may no longer have goes to one that may")
    func sharedTakenBack() {
        var world = BrokerWorld()
        let reader = world.client("r", window: 1, userName: "reader")
        let other = world.client("o", window: 1)
        let writer = world.client("w")
        for member in [reader, other] { world.subscribe(member, "$share/g/#", .atLeastOnce) }
        for id in 1...4 as ClosedRange<UInt16> {
            world.publish(writer, "secret/x", ByteString("\(id)"), .atLeastOnce, id: id)
        }
        let first = world.messages(reader)
        world.broker.setAccessRules(all(butReader: closed))
        world.acknowledge(reader, .puback, first[0].packetIdentifier)
        #expect(world.messages(reader).isEmpty)
        var got: [ByteString] = []
        for _ in 0..<4 {
            for message in world.messages(other) {
                got.append(message.payload)
                world.acknowledge(other, .puback, message.packetIdentifier)
            }
        }
        #expect(got.count == 3)
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("A will that its client may not publish is refused with CONNECT, which touches nothing [attack 77]")
    func willAtConnect() {
        var world = BrokerWorld()
        let will = Will(topic: "secret/gone", payload: "x", qos: .atLeastOnce, retain: false)
        let present = world.client("w", expiry: 100, userName: "writer")
        _ = world.heard(present)
        world.broker.setAccessRules(all(butWriter: closed))
        let refused = world.client("w", expiry: 100, will: will, userName: "writer")
        #expect(world.heard(refused) == [.answer(.refused(.notAuthorized))])
        #expect(world.heard(present).isEmpty)
        let allowed = world.client("o", will: will)
        #expect(world.attached(allowed) != nil)
    }

    @Test(
        "A will is checked again when it is published, at once or after its delay [attack 77]",
        arguments: [0, 30] as [UInt32])
    func willAtPublish(delay: UInt32) {
        var world = BrokerWorld()
        let will = Will(
            topic: "secret/gone", payload: "x", qos: .atLeastOnce, retain: true, delayInterval: delay)
        let reader = world.client("r")
        world.subscribe(reader, "#")
        let writer = world.client("w", expiry: 100, will: will, userName: "writer")
        if delay == 0 { world.broker.setAccessRules(all(butWriter: closed)) }
        world.ask(writer, .detach(Farewell(publishesWill: true)))
        world.broker.setAccessRules(all(butWriter: closed))
        world.advance(.seconds(60))
        #expect(world.messages(reader).isEmpty)
        #expect(world.broker.gauges.retainedMessages == 0)
    }

    @Test("$SYS needs a rule of its own, and nobody publishes there [attack 54] [MQTT-4.7.2-1]")
    func serversOwn() {
        var world = BrokerWorld()
        world.broker.setAccessRules(
            AccessRuleSets(
                AccessRules(
                    anonymous: list([(.readwrite, "#")]),
                    users: ["reader": list([(.read, "$SYS/#"), (.readwrite, "$SYS/#")])])))
        let plain = world.client("p")
        let reader = world.client("r", userName: "reader")
        #expect(world.subscribe(plain, "$SYS/#") == [.refused(.notAuthorized)])
        #expect(world.subscribe(reader, "$SYS/#") == [.granted(.exactlyOnce, nil)])
        world.publish(reader, "$SYS/x", "mine", .atLeastOnce, id: 1)
        let refused = outcomes(&world, reader)
        #expect(refused == [.notAuthorized])
        let name: ByteString = "$SYS/x"
        name.withView { name in
            world.broker.publish(
                IncomingPublish(topic: .name(name), qos: .atMostOnce, retain: true, payload: name), isOwn: true,
                now: world.now, into: &world.effects)
        }
        world.advance(.zero)
        #expect(world.messages(reader).map(\.topic) == ["$SYS/x"])
    }

    @Test("A device gets no number for a topic that it may not publish to, and QoS -1 is nobody's")
    func devices() {
        var world = BrokerWorld()
        world.broker.setAccessRules(
            AccessRuleSets(
                AccessRules(
                    anonymous: list([(.read, "#"), (.write, "up/#")]), patterns: list([(.write, "dev/%c")]))))
        let device = world.client("d", isDevice: true)
        _ = world.heard(device)
        for (token, name) in ["up/x", "dev/d", "dev/e", "other"].enumerated() {
            ByteString(name).withView { world.ask(device, .resolve(token: UInt16(token), name: $0)) }
        }
        let refusals = world.heard(device).map { told in
            if case .answer(.resolved(_, _, let refusal)) = told { refusal } else { Refusal.serverUnavailable }
        }
        #expect(refusals == [nil, nil, .notAuthorized, .notAuthorized])
        let reader = world.client("r")
        world.subscribe(reader, "#")
        for name in ["up/x", "dev/d", "dev/", "other"] as [ByteString] {
            name.withView { name in
                world.broker.publish(
                    IncomingPublish(topic: .name(name), qos: .atMostOnce, retain: true, payload: name), isOwn: false,
                    now: world.now, into: &world.effects)
            }
            world.advance(.zero)
        }
        #expect(world.messages(reader).map(\.topic) == ["up/x"])
    }
}
