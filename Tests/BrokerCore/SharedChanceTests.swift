import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

/// Members that come, go, take their time and refuse nothing, at random: each message at QoS 1 is some member's own.
@Suite struct SharedChanceTests {
    /// What a session of the model has: whether it is here, and what it has not acknowledged.
    private struct Member {
        var link: LinkID?
        var unacknowledged: [UInt16] = []
        var isIn = false
    }

    @Test(
        "Of a message to a group nothing is lost, whoever comes and goes [attack 82]",
        arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func nothingIsLost(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var world = BrokerWorld()
        let writer = world.client("writer")
        // One member stays in, so that the group never ends.
        var members = [Member](repeating: Member(), count: 6)
        var deliveries: [ByteString: Int] = [:]
        var published = 0
        func name(_ index: Int) -> ClientID { ClientID("m\(index)") }
        func take(_ message: BrokerWorld.Received, _ index: Int) {
            if !message.isDuplicate { deliveries[message.payload, default: 0] += 1 }
            members[index].unacknowledged.append(message.packetIdentifier)
        }

        for step in 0..<3_000 {
            let index = Int(random.next() % UInt64(members.count))
            switch random.next() % 8 {
            case 0:
                // Comes back, with its session or a new one; a new one leaves the group.
                let clean = index != 0 && random.next() % 3 == 0
                guard members[index].link == nil else { break }
                let link = world.client(name(index), clean: clean, expiry: index == 0 ? .max : 50, window: 3)
                members[index].link = link
                for told in world.heard(link) {
                    switch told {
                    case .answer(.attached(let attached)):
                        if !attached.sessionPresent { members[index].isIn = false }
                    case .message(let message): take(message, index)
                    case .answer: break
                    }
                }
            case 1:
                guard let link = members[index].link else { break }
                world.ask(link, .detach(Farewell(publishesWill: true)))
                members[index].link = nil
                members[index].unacknowledged = []
            case 2:
                guard let link = members[index].link, !members[index].isIn else { break }
                world.subscribe(link, "$share/g/t/#", .atLeastOnce)
                members[index].isIn = true
            case 3:
                guard index != 0, let link = members[index].link, members[index].isIn else { break }
                world.ask(link, .unsubscribe(packetIdentifier: 1, ["$share/g/t/#"]))
                members[index].isIn = false
            case 4:
                world.advance(.seconds(Int64(random.next() % 40)))
            default:
                // Nothing is published before the member that stays is in.
                guard members[0].isIn else { break }
                published += 1
                world.publish(
                    writer, ByteString("t/\(step % 7)"), ByteString("\(published)"), .atLeastOnce,
                    id: UInt16(truncatingIfNeeded: step % 60_000) + 1)
            }
            for index in members.indices {
                guard let link = members[index].link else { continue }
                for message in world.messages(link) { take(message, index) }
                while !members[index].unacknowledged.isEmpty, random.next() % 3 == 0 {
                    world.acknowledge(link, .puback, members[index].unacknowledged.removeFirst())
                }
            }
            #expect(world.broker.ledgerImbalance == 0)
        }
        // All but the first end their sessions; it then takes what is left.
        for index in 1..<members.count {
            if let link = members[index].link { world.ask(link, .detach(Farewell(publishesWill: true))) }
        }
        world.advance(.seconds(100))
        if members[0].link == nil { members[0].link = world.client(name(0), clean: false, expiry: .max, window: 3) }
        guard let last = members[0].link else { return }
        while true {
            let messages = world.messages(last)
            for message in messages where !message.isDuplicate { deliveries[message.payload, default: 0] += 1 }
            let open = members[0].unacknowledged + messages.map(\.packetIdentifier)
            members[0].unacknowledged = []
            if open.isEmpty { break }
            for identifier in open { world.acknowledge(last, .puback, identifier) }
        }
        #expect(published > 500)
        #expect(deliveries.count == published)
        #expect(world.broker.deliveriesUnderWay == 0)
        #expect(world.broker.counters.discardedWithSession == 0)
        // At QoS 1 a message comes again only when a session ended with it in flight.
        #expect(deliveries.values.reduce(0, +) < published * 2)
    }
}
