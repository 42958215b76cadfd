import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

@Suite struct SharedTests {
    // MARK: Filters

    @Test(
        "What is no shared filter is refused [MQTT-4.8.2-1] [MQTT-4.8.2-2] [attack 59]",
        arguments: [
            "$share", "$share/", "$share//t", "$share/g", "$share/g/", "$share/g+/t", "$share/#/t", "$share/+",
            "$share/g/a#",
        ])
    func invalidFilters(filter: String) {
        var world = BrokerWorld()
        let client = world.client("c")
        #expect(world.subscribe(client, ByteString(filter)) == [.refused(.topicFilterInvalid)])
        world.ask(client, .unsubscribe(packetIdentifier: 9, [ByteString(filter)]))
        #expect(
            world.heard(client).last
                == .answer(.unsubscribed(packetIdentifier: 9, [.refused(.topicFilterInvalid)])))
        #expect(world.broker.shared.count == 0)
    }

    @Test("The operator may turn shared subscriptions off")
    func turnedOff() {
        var limits = BrokerLimits()
        limits.sharedSubscriptionsAvailable = false
        var world = BrokerWorld(limits)
        let client = world.client("c")
        #expect(world.subscribe(client, "$share/g/t") == [.refused(.sharedSubscriptionsNotSupported)])
        #expect(world.subscribe(client, "$shared/t").first != .refused(.sharedSubscriptionsNotSupported))
    }

    @Test("A share name's filter may begin with a slash, and with $")
    func oddFilters() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let reader = world.client("reader")
        world.subscribe(reader, "$share/consumer1//finance")
        world.publish(writer, "/finance", "x")
        world.publish(writer, "finance", "y")
        #expect(world.messages(reader).map(\.payload) == ["x"])
    }

    // MARK: Distribution

    @Test("Each message goes to one member, in turn", arguments: ["$share/g/t/+", "$share/g/t/1"] as [ByteString])
    func roundRobin(filter: ByteString) {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let members = (0..<3).map { world.client(ByteString("m\($0)")) }
        for member in members { world.subscribe(member, filter, .atLeastOnce) }
        for id in 1...9 as ClosedRange<UInt16> { world.publish(writer, "t/1", "x", .atLeastOnce, id: id) }
        let counts = members.map { world.messages($0).count }
        #expect(counts == [3, 3, 3])
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("Every group and every plain subscription gets its own copy (§4.8.2)")
    func copies() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let reader = world.client("reader")
        for filter in ["t", "$share/a/t", "$share/b/t", "$share/a/#"] as [ByteString] {
            world.subscribe(reader, filter)
        }
        world.publish(writer, "t", "x")
        #expect(world.messages(reader).count == 4)
    }

    @Test("Each member gets its own QoS, identifier and retain flag [MQTT-4.8.2-3]")
    func ownOptions() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let (first, second) = (world.client("first"), world.client("second"))
        world.subscribe(first, "$share/g/t", .atLeastOnce, retainAsPublished: true, identifier: 7)
        world.subscribe(second, "$share/g/t", .exactlyOnce, identifier: 8)
        for id in [1, 2] as [UInt16] {
            world.publish(writer, "t", "x", .exactlyOnce, id: id, retain: true)
            world.ask(writer, .release(packetIdentifier: id))
        }
        let got = [world.messages(first), world.messages(second)].joined()
        #expect(got.map(\.qos) == [.atLeastOnce, .exactlyOnce])
        #expect(got.map(\.identifiers) == [[7], [8]])
        #expect(got.map(\.retain) == [true, false])
    }

    @Test("No retained message comes with a shared subscription (§4.8.2)")
    func retained() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        world.publish(writer, "t", "x", retain: true)
        let reader = world.client("reader")
        world.subscribe(reader, "$share/g/t")
        world.subscribe(reader, "$share/g/t", handling: .sendAtSubscribe)
        #expect(world.messages(reader).isEmpty)
    }

    @Test("A member with a full window is passed over while another has room")
    func busyMembers() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let slow = world.client("slow", window: 1)
        let fast = world.client("fast", window: 20)
        for member in [slow, fast] { world.subscribe(member, "$share/g/t", .atLeastOnce) }
        for id in 1...10 as ClosedRange<UInt16> { world.publish(writer, "t", "x", .atLeastOnce, id: id) }
        let held = world.messages(slow)
        #expect(held.count == 1)
        #expect(world.messages(fast).count == 9)
        // As soon as it has room again, it has its turns again.
        world.acknowledge(slow, .puback, held[0].packetIdentifier)
        for id in 11...12 as ClosedRange<UInt16> { world.publish(writer, "t", "x", .atLeastOnce, id: id) }
        #expect(world.messages(slow).count == 1)
        #expect(world.messages(fast).count == 1)
    }

    @Test("With everybody busy messages wait, spread over the members")
    func allBusy() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let members = ["a", "b"].map { world.client(ByteString($0), window: 1) }
        for member in members { world.subscribe(member, "$share/g/t", .atLeastOnce) }
        for id in 1...10 as ClosedRange<UInt16> { world.publish(writer, "t", "x", .atLeastOnce, id: id) }
        var counts = [0, 0]
        for _ in 0..<10 {
            for (index, member) in members.enumerated() {
                for message in world.messages(member) {
                    counts[index] += 1
                    world.acknowledge(member, .puback, message.packetIdentifier)
                }
            }
        }
        #expect(counts == [5, 5])
    }

    @Test("Members that are away get nothing while one is here, and share what comes when nobody is")
    func awayMembers() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let names = ["a", "b", "c"] as [ClientID]
        let members = names.map { world.client($0, expiry: 100) }
        for member in members { world.subscribe(member, "$share/g/t", .atLeastOnce) }
        for member in members.dropFirst() { world.ask(member, .detach(Farewell(publishesWill: false))) }
        for id in 1...3 as ClosedRange<UInt16> { world.publish(writer, "t", "x", .atLeastOnce, id: id) }
        #expect(world.messages(members[0]).count == 3)
        world.ask(members[0], .detach(Farewell(publishesWill: false)))
        for id in 4...9 as ClosedRange<UInt16> { world.publish(writer, "t", "y", .atLeastOnce, id: id) }
        let back = names.map { world.client($0, clean: false, expiry: 100) }
        let counts = back.map { member in world.messages(member).filter { $0.payload == "y" }.count }
        #expect(counts == [2, 2, 2])
    }

    @Test("A message at QoS 1 prefers the member who is away and would keep it to the one who would not")
    func keepersPreferred() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let (light, keeper) = (world.client("light", expiry: 100), world.client("keeper", expiry: 100))
        world.subscribe(light, "$share/g/t", .atMostOnce)
        world.subscribe(keeper, "$share/g/t", .atLeastOnce)
        for member in [light, keeper] { world.ask(member, .detach(Farewell(publishesWill: false))) }
        for id in 1...4 as ClosedRange<UInt16> { world.publish(writer, "t", "x", .atLeastOnce, id: id) }
        let back = world.client("keeper", clean: false, expiry: 100)
        #expect(world.messages(back).count == 4)
    }

    // MARK: Membership

    @Test("A session that resumes is still a member; UNSUBSCRIBE with the whole filter ends it, once (§4.8.2)")
    func membership() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        var reader = world.client("reader", expiry: 100)
        world.subscribe(reader, "$share/g/t")
        world.subscribe(reader, "$share/g/t")
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        reader = world.client("reader", clean: false, expiry: 100)
        world.publish(writer, "t", "x")
        #expect(world.messages(reader).count == 1)
        world.ask(reader, .unsubscribe(packetIdentifier: 1, ["t", "$share/h/t", "$share/g/t", "$share/g/t"]))
        #expect(
            world.heard(reader).last
                == .answer(
                    .unsubscribed(
                        packetIdentifier: 1,
                        [.noSubscriptionExisted, .noSubscriptionExisted, .removed, .noSubscriptionExisted])))
        world.publish(writer, "t", "x")
        #expect(world.messages(reader).isEmpty)
        #expect(world.broker.shared.count == 0)
        #expect(world.broker.gauges.subscriptions == 0)
    }

    @Test("Memberships count as subscriptions: for each client, and for all")
    func limits() {
        var limits = BrokerLimits()
        limits.subscriptionsPerSessionMax = 3
        limits.subscriptionsMax = 4
        var world = BrokerWorld(limits)
        let (first, second) = (world.client("first"), world.client("second"))
        let filters = ["$share/a/t", "$share/b/+", "t", "$share/c/t"] as [ByteString]
        let refused = SubscriptionOutcome.refused(.quotaExceeded)
        let answers = [first, second].map { link in filters.map { world.subscribe(link, $0).first == refused } }
        #expect(answers == [[false, false, false, true], [false, true, true, true]])
    }

    // MARK: Members that go

    /// Three members with one message in flight each and two more that wait for each.
    private func loaded(_ qos: QoS, expiry: UInt32) -> (world: BrokerWorld, members: [LinkID]) {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let members = ["a", "b", "c"].map { world.client(ByteString($0), expiry: expiry, window: 1) }
        for member in members { world.subscribe(member, "$share/g/t", qos) }
        for id in 1...9 as ClosedRange<UInt16> {
            world.publish(writer, "t", ByteString("\(id)"), qos, id: id)
            if qos == .exactlyOnce { world.ask(writer, .release(packetIdentifier: id)) }
        }
        return (world, members)
    }

    /// All that a member gets when it acknowledges what comes.
    private func drink(_ world: inout BrokerWorld, _ member: LinkID) -> [ByteString] {
        var got: [ByteString] = []
        while true {
            let messages = world.messages(member)
            if messages.isEmpty { return got }
            for message in messages {
                got.append(message.payload)
                if message.qos == .exactlyOnce {
                    world.acknowledge(member, .pubrec, message.packetIdentifier)
                    world.acknowledge(member, .pubcomp, message.packetIdentifier)
                } else {
                    world.acknowledge(member, .puback, message.packetIdentifier)
                }
            }
        }
    }

    @Test("When a member's session ends, its QoS 1 messages go to the others: none is lost [attack 82]")
    func sessionEnds() {
        var (world, members) = loaded(.atLeastOnce, expiry: 0)
        world.ask(members[0], .detach(Farewell(publishesWill: true)))
        world.ask(members[1], .detach(Farewell(publishesWill: true)))
        let last = drink(&world, members[2])
        #expect(Set(last) == Set((1...9).map { ByteString("\($0)") }))
        #expect(world.broker.counters.discardedWithSession == 0)
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("When only its link goes, what it never saw goes to the others, and what was in flight waits for it")
    func linkEnds() {
        var (world, members) = loaded(.atLeastOnce, expiry: 100)
        let seen = world.messages(members[0]).map(\.payload)
        world.ask(members[0], .detach(Farewell(publishesWill: true)))
        let others = drink(&world, members[1]) + drink(&world, members[2])
        #expect(others.count == 8)
        let back = world.client("a", clean: false, expiry: 100)
        let again = world.messages(back)
        #expect(again.map(\.payload) == seen)
        #expect(again.map(\.isDuplicate) == [true])
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("What waits for the session that stays goes to others when it ends after all")
    func sessionExpires() {
        var (world, members) = loaded(.atLeastOnce, expiry: 10)
        world.ask(members[0], .detach(Farewell(publishesWill: true)))
        world.advance(.seconds(11))
        let others = drink(&world, members[1]) + drink(&world, members[2])
        #expect(Set(others).count == 9 && others.count == 9)
    }

    @Test(
        "QoS 2 that a member was sent is completed with it, or with nobody [MQTT-4.8.2-4] [MQTT-4.8.2-5]",
        arguments: [true, false])
    func qos2InFlight(comesBack: Bool) {
        var (world, members) = loaded(.exactlyOnce, expiry: 10)
        let seen = world.messages(members[0]).map(\.payload)
        world.ask(members[0], .detach(Farewell(publishesWill: true)))
        if comesBack {
            let back = world.client("a", clean: false, expiry: 10)
            let completed = drink(&world, back)
            #expect(completed == seen)
        } else {
            world.advance(.seconds(11))
        }
        let others = drink(&world, members[1]) + drink(&world, members[2])
        #expect(others.count == 8)
        #expect(!others.contains(seen[0]))
        #expect(world.broker.counters.discardedWithSession == (comesBack ? 0 : 1))
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test(
        "A member that says no has had its message: nobody else gets it [MQTT-4.8.2-6]",
        arguments: [(QoS.atLeastOnce, Acknowledgement.Kind.puback), (.exactlyOnce, .pubrec)])
    func refusedByMember(qos: QoS, kind: Acknowledgement.Kind) {
        var (world, members) = loaded(qos, expiry: 0)
        for _ in 0..<3 {
            for message in world.messages(members[0]) {
                world.ask(
                    members[0], .acknowledge(Acknowledgement(kind, message.packetIdentifier, .unspecifiedError)))
            }
        }
        world.ask(members[0], .detach(Farewell(publishesWill: true)))
        let others = drink(&world, members[1]) + drink(&world, members[2])
        #expect(others.count == 6)
    }

    @Test("Who unsubscribes leaves what it never saw to the others; the last one's goes with the group (§4.8.2)")
    func unsubscribes() {
        var (world, members) = loaded(.atLeastOnce, expiry: 0)
        world.ask(members[0], .unsubscribe(packetIdentifier: 1, ["$share/g/t"]))
        let first = drink(&world, members[0])
        #expect(first.count == 1)  // [MQTT-3.10.4-3]
        world.ask(members[1], .unsubscribe(packetIdentifier: 1, ["$share/g/t"]))
        world.ask(members[2], .unsubscribe(packetIdentifier: 1, ["$share/g/t"]))
        let rest = [drink(&world, members[1]), drink(&world, members[2])]
        #expect(rest.map(\.count) == [1, 1])
        #expect(world.broker.counters.discardedWithSession == 6)
        #expect(world.broker.ledgerImbalance == 0)
        #expect(world.broker.shared.count == 0)
    }

    @Test("A group of the same name that begins later gets nothing of the one before")
    func laterGroup() {
        var (world, members) = loaded(.atLeastOnce, expiry: 10)
        for member in members { world.ask(member, .unsubscribe(packetIdentifier: 1, ["$share/g/t"])) }
        let late = world.client("late")
        world.subscribe(late, "$share/g/t")
        for member in members { world.ask(member, .detach(Farewell(publishesWill: false))) }
        world.advance(.seconds(11))
        let got = drink(&world, late)
        #expect(got.isEmpty)
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("A message that expired is not handed over")
    func expired() {
        var world = BrokerWorld()
        let writer = world.client("writer")
        let members = ["a", "b"].map { world.client(ByteString($0), window: 1) }
        for member in members { world.subscribe(member, "$share/g/t", .atLeastOnce) }
        for id in 1...4 as ClosedRange<UInt16> { world.publish(writer, "t", "x", .atLeastOnce, id: id, expiry: 5) }
        world.advance(.seconds(6))
        world.ask(members[0], .detach(Farewell(publishesWill: false)))
        let rest = drink(&world, members[1])
        #expect(rest.count == 1)
        #expect(world.broker.counters.expired == 3)
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("Where publishers are refused, a group is full when all its members are")
    func refusal() {
        var limits = BrokerLimits()
        limits.queueFullPolicy = .refuse
        limits.queuedMessagesMax = 2
        var world = BrokerWorld(limits)
        let writer = world.client("writer")
        let members = ["a", "b"].map { world.client(ByteString($0), window: 1) }
        for member in members { world.subscribe(member, "$share/g/t", .atLeastOnce) }
        _ = world.heard(writer)
        for id in 1...8 as ClosedRange<UInt16> { world.publish(writer, "t", "x", .atLeastOnce, id: id) }
        let outcomes = world.heard(writer).compactMap { told -> Bool? in
            if case .answer(.acknowledge(let answer)) = told { answer.outcome.isAccepted } else { nil }
        }
        #expect(outcomes == [true, true, true, true, true, true, false, false])
        let taken = drink(&world, members[0]) + drink(&world, members[1])
        #expect(taken.count == 6)
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("A delivery that waits takes 20 bytes")
    func size() {
        #expect(MemoryLayout<QueuedDelivery>.stride == 20)
        #expect(MemoryLayout<MessageTable.Slot>.stride == 48)
    }
}
