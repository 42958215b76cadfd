import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

/// Whose a session is, and the rules of the listener that it came by.
@Suite struct AccessListenerTests {
    private func list(_ lines: [(AccessRules.Access, ByteString)]) -> [AccessRules.Rule] {
        lines.compactMap { AccessRules.Rule($0.0, $0.1) }
    }

    /// Listener 0 is open; by listener 1 nobody reads or writes below `secret`.
    private var openAndGuarded: AccessRuleSets {
        let guarded = list([(.deny, "secret/#"), (.readwrite, "#")])
        return AccessRuleSets(ofListeners: [
            .allowAll, AccessRules(anonymous: guarded, users: ["ann": guarded, "bob": guarded]),
        ])
    }

    private func outcomes(_ world: inout BrokerWorld, _ link: LinkID) -> [PublishOutcome] {
        world.heard(link).compactMap { told in
            if case .answer(.acknowledge(let answer)) = told { answer.outcome } else { nil }
        }
    }

    @Test("A client is under the rules of the listener that it came by [M-130]")
    func listeners() {
        var world = BrokerWorld()
        world.broker.setAccessRules(openAndGuarded)
        let inside = world.client("in")
        let outside = world.client("out", listener: 1)
        #expect(world.subscribe(outside, "secret/#") == [.refused(.notAuthorized)])
        #expect(world.subscribe(outside, "$share/g/secret/x") == [.refused(.notAuthorized)])
        world.subscribe(inside, "#")
        world.subscribe(outside, "#")
        world.publish(outside, "secret/x", "no", .atLeastOnce, id: 1)
        #expect(outcomes(&world, outside) == [.notAuthorized])
        world.publish(inside, "secret/x", "yes")
        #expect(world.messages(inside).map(\.payload) == ["yes"])
        #expect(world.messages(outside).isEmpty)
    }

    @Test("A session that resumes by another listener gets what is allowed there, also of what waited [M-130] [M-27]")
    func resumption() {
        var world = BrokerWorld()
        world.broker.setAccessRules(openAndGuarded)
        var reader = world.client("r", expiry: 100)
        world.subscribe(reader, "#", .atLeastOnce)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        let writer = world.client("w")
        world.publish(writer, "secret/x", "1", .atLeastOnce, id: 1)
        world.publish(writer, "open", "2", .atLeastOnce, id: 2)
        reader = world.client("r", clean: false, expiry: 100, listener: 1)
        #expect(world.messages(reader).map(\.payload) == ["2"])
        world.publish(writer, "secret/x", "3", .atLeastOnce, id: 3)
        #expect(world.messages(reader).isEmpty)
        reader = world.client("r", clean: false, expiry: 100)
        world.publish(writer, "secret/x", "4", .atLeastOnce, id: 4)
        #expect(world.messages(reader).map(\.payload).last == "4")
    }

    @Test("A will is its client's by the listener that it came by, at CONNECT and when it is published [attack 77]")
    func wills() {
        var world = BrokerWorld()
        let will = Will(topic: "secret/w", payload: "w", qos: .atMostOnce, retain: false)
        world.broker.setAccessRules(openAndGuarded)
        let refused = world.client("w", will: will, listener: 1)
        #expect(world.heard(refused) == [.answer(.refused(.notAuthorized))])
        let reader = world.client("r")
        world.subscribe(reader, "#")
        let taken = world.client("w", will: will)
        world.broker.setAccessRules(AccessRuleSets(AccessRules(users: [:], patterns: list([(.read, "#")]))))
        world.ask(taken, .detach(Farewell(publishesWill: true)))
        #expect(world.messages(reader).isEmpty)
    }

    @Test("What is published at QoS -1 and retained is under the name of its listener's stranger [D-33] [attack 75]")
    func stranger() {
        var world = BrokerWorld()
        world.broker.setAccessRules(
            AccessRuleSets(AccessRules(anonymous: list([(.read, "#")]), users: ["wind": list([(.write, "wind/#")])])))
        let wind = ClientIdentity(clientID: nil, userName: "wind", listener: 0)
        let published: [(ByteString, ClientIdentity)] = [("wind/1", wind), ("other", wind), ("wind/2", .anonymous)]
        for (topic, client) in published {
            topic.withView { topic in
                world.broker.publish(
                    IncomingPublish(topic: .name(topic), qos: .atMostOnce, retain: true, payload: topic), isOwn: false,
                    as: client, now: world.now, into: &world.effects)
            }
            world.advance(.zero)
        }
        #expect(world.broker.gauges.retainedMessages == 1)
        var reader = world.client("r1")
        world.subscribe(reader, "#")
        world.advance(.zero)
        #expect(world.messages(reader).map(\.topic) == ["wind/1"])
        world.broker.setAccessRules(AccessRuleSets(AccessRules(anonymous: list([(.read, "#")]))))
        reader = world.client("r2")
        world.subscribe(reader, "#")
        world.advance(.zero)
        #expect(world.messages(reader).isEmpty)
    }

    // MARK: - Whose session

    @Test("A user who comes to nobody's session begins anew, and owns it from then on [M-131] [attack 39]")
    func claim() {
        var world = BrokerWorld()
        let plain = world.client("c", expiry: 100)
        world.subscribe(plain, "a", .atLeastOnce)
        world.ask(plain, .detach(Farewell(publishesWill: false)))
        let writer = world.client("w")
        world.publish(writer, "a", "not for ann", .atLeastOnce, id: 1)
        let ann = world.client("c", clean: false, expiry: 100, userName: "ann")
        #expect(world.attached(ann)?.sessionPresent == false)
        world.publish(writer, "a", "nor this", .atLeastOnce, id: 2)
        #expect(world.messages(ann).isEmpty)
        let nobody = world.client("c", clean: false, expiry: 100)
        let bob = world.client("c", clean: true, userName: "bob")
        for link in [nobody, bob] { #expect(world.heard(link) == [.answer(.refused(.notAuthorized))]) }
    }

    @Test("A device that is there keeps its session from users; who is nobody too may take it [M-131] [D-45]")
    func deviceIsThere() {
        var world = BrokerWorld()
        let device = world.client("d", expiry: 100, isDevice: true)
        _ = world.heard(device)
        for clean in [true, false] {
            let ann = world.client("d", clean: clean, userName: "ann")
            #expect(world.heard(ann) == [.answer(.refused(.notAuthorized))])
        }
        #expect(world.heard(device).isEmpty)
        _ = world.client("d", clean: false)
        #expect(world.heard(device) == [.answer(.close(.sessionTakenOver))])
    }

    @Test("A device's user keeps users and anonymous clients of MQTT away, and the other way round [attack 39]")
    func acrossProtocols() {
        var world = BrokerWorld()
        let device = world.client("d", expiry: 100, isDevice: true, userName: "pump")
        _ = world.heard(device)
        for name in [nil, "ann"] as [ByteString?] {
            let other = world.client("d", userName: name)
            #expect(world.heard(other) == [.answer(.refused(.notAuthorized))])
        }
        let client = world.client("c", expiry: 100, userName: "ann")
        _ = world.heard(client)
        for name in [nil, "pump"] as [ByteString?] {
            let other = world.client("c", isDevice: true, userName: name)
            #expect(world.heard(other) == [.answer(.refused(.notAuthorized))])
        }
        #expect(world.heard(client).isEmpty && world.heard(device).isEmpty)
    }
}
