import Bytes
import Messaging
import Testing

@testable import BrokerCore

/// Sessions that get a message by several shared subscriptions, where publishers are refused: there is room for each
/// copy, or nobody gets any [M-10].
@Suite struct SharedRoomTests {
    private func world(room: Int) -> BrokerWorld {
        var limits = BrokerLimits()
        limits.queueFullPolicy = .refuse
        limits.queuedMessagesMax = room
        return BrokerWorld(limits)
    }

    private func outcome(_ world: inout BrokerWorld, _ link: LinkID) -> [PublishOutcome] {
        world.heard(link).compactMap { told in
            if case .answer(.acknowledge(let answer)) = told { answer.outcome } else { nil }
        }
    }

    @Test(
        "Three groups and a plain subscription need four places: three are too few",
        arguments: [(1, 2, false), (1, 3, true), (2, 2, true), (3, 0, false), (4, 0, true)])
    func severalGroups(window: UInt16, room: Int, isAccepted: Bool) {
        var world = world(room: room)
        let reader = world.client("reader", window: window)
        let writer = world.client("writer")
        for filter in ["$share/x/t", "$share/y/t", "$share/z/#", "t"] as [ByteString] {
            world.subscribe(reader, filter, .atLeastOnce)
        }
        world.publish(writer, "t", "1", .atLeastOnce, id: 1)
        #expect(outcome(&world, writer) == [isAccepted ? .success : .quotaExceeded])
        let session = world.broker.sessions[0]
        #expect(session.inflight.count + session.queue.count == (isAccepted ? 4 : 0))
        #expect(session.queue.count <= room)
    }

    @Test("Bytes and the places of all queues are asked for each copy too", arguments: [19, 20])
    func bytes(limit: Int) {
        var limits = BrokerLimits()
        limits.queueFullPolicy = .refuse
        for isPlaces in [false, true] {
            if isPlaces { limits.queuedDeliveriesMax = limit - 18 } else { limits.queuedBytesMax = limit }
            var world = BrokerWorld(limits)
            let reader = world.client("reader", expiry: .max)
            let writer = world.client("writer")
            for filter in ["$share/x/t", "$share/y/t"] as [ByteString] { world.subscribe(reader, filter) }
            world.ask(reader, .detach(Farewell(publishesWill: false)))
            world.publish(writer, "t", "1234567890", .atLeastOnce, id: 1)
            #expect(outcome(&world, writer) == [limit == 20 ? .success : .quotaExceeded])
            #expect(world.broker.sessions[0].queue.count == (limit == 20 ? 2 : 0))
            limits = BrokerLimits()
            limits.queueFullPolicy = .refuse
        }
    }

    @Test("The second copy goes to another member who has room; a refusal leaves turns and readiness as they were")
    func another() {
        var world = world(room: 0)
        let both = world.client("both", window: 1)
        let other = world.client("other", window: 1)
        let writer = world.client("writer")
        world.subscribe(both, "$share/x/t", .atLeastOnce)
        for member in [both, other] { world.subscribe(member, "$share/y/t", .atLeastOnce) }
        world.publish(writer, "t", "1", .atLeastOnce, id: 1)
        #expect(outcome(&world, writer) == [.success])
        let (first, second) = (world.messages(both), world.messages(other))
        #expect(first.map(\.payload) == ["1"] && second.map(\.payload) == ["1"])
        world.acknowledge(both, .puback, first[0].packetIdentifier)
        world.publish(writer, "t", "2", .atLeastOnce, id: 2)
        #expect(outcome(&world, writer) == [.quotaExceeded])
        world.acknowledge(other, .puback, second[0].packetIdentifier)
        world.publish(writer, "t", "3", .atLeastOnce, id: 3)
        #expect(outcome(&world, writer) == [.success])
        #expect(world.messages(both).map(\.payload) == ["3"] && world.messages(other).map(\.payload) == ["3"])
    }

    @Test("What expired in a member's queue makes room before a publisher is refused [MQTT-3.3.2-5]")
    func expired() {
        var world = world(room: 1)
        let reader = world.client("reader", expiry: .max)
        let writer = world.client("writer")
        world.subscribe(reader, "$share/x/t", .atLeastOnce)
        world.ask(reader, .detach(Farewell(publishesWill: false)))
        world.publish(writer, "t", "1", .atLeastOnce, id: 1, expiry: 10)
        world.publish(writer, "t", "2", .atLeastOnce, id: 2)
        world.advance(.seconds(11))
        world.publish(writer, "t", "3", .atLeastOnce, id: 3)
        #expect(outcome(&world, writer) == [.success, .quotaExceeded, .success])
        #expect(world.broker.counters.expired == 1)
    }
}
