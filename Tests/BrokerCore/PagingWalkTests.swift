import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

/// Random walks with next to no memory for queues, where the disk answers late: what comes is what would have come.
@Suite struct PagingWalkTests {
    /// A client that acknowledges when it likes, and what it has seen.
    private struct Reader {
        let name: ClientID
        let filter: ByteString
        var link: LinkID?
        /// What was sent and not acknowledged, the oldest first.
        var open: [BrokerWorld.Received] = []
        /// Identifiers of which PUBREL is due or came.
        var released: [UInt16] = []
        /// Everything that was new to it.
        var seen: [ByteString] = []
    }

    private static let limits: [(all: Int, session: Int)] = [(0, 0), (40, 40), (100, 30), (10_000, 0), (300, 10_000)]

    @Test("Nothing is dropped: each client gets all that it is owed, once and in order", arguments: 0..<6)
    func everything(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var limits = BrokerLimits()
        let memory = Self.limits[seed % Self.limits.count]
        (limits.queuedMemoryMax, limits.queuedMemoryPerSessionMax) = (memory.all, memory.session)
        limits.inflightMessagesMax = 4
        var world = BrokerWorld(limits)
        world.answersLoadsAtOnce = false
        let writer = world.client("writer")
        var readers = [("all", "#"), ("one", "t/1"), ("two", "t/2"), ("same", "#"), ("s1", "$share/g/#")].map {
            Reader(name: ClientID($0.0), filter: ByteString($0.1))
        }
        for index in readers.indices { connect(&readers[index], &world) }
        var published: [(topic: ByteString, payload: ByteString)] = []
        for step in 0..<350 {
            let index = Int(random.next() % UInt64(readers.count))
            switch random.next() % 10 {
            case 0...3:
                let topic = ByteString("t/\(random.next() % 3)")
                let length = Int(random.next() % 20)
                let payload = ByteString(Array("\(step) ".utf8) + [UInt8](repeating: 0x78, count: length))
                let qos = QoS(rawValue: UInt8(1 + random.next() % 2)) ?? .atLeastOnce
                world.publish(writer, topic, payload, qos, id: UInt16(step + 1))
                if qos == .exactlyOnce { world.ask(writer, .release(packetIdentifier: UInt16(step + 1))) }
                published.append((topic, payload))
            case 4...6: listen(&readers[index], &world, acknowledging: Int(random.next() % 4))
            case 7: world.answerLoads(Int(random.next() % 5))
            case 8: connect(&readers[index], &world)
            default:
                guard let link = readers[index].link else { continue }
                listen(&readers[index], &world, acknowledging: 0)
                world.ask(link, .detach(Farewell(publishesWill: false)))
                readers[index].link = nil
            }
        }
        for index in readers.indices where readers[index].link == nil { connect(&readers[index], &world) }
        for _ in 0..<600 {
            world.answerLoads()
            for index in readers.indices { listen(&readers[index], &world, acknowledging: 4) }
        }
        for reader in readers {
            let expected = published.filter { matches($0.topic, reader.filter) }.map(\.payload)
            #expect(reader.seen == expected, "\(reader.name)")
        }
        #expect(world.broker.counters.dropped == 0)
        #expect(world.broker.gauges.heldBytes == 0)
        #expect(world.broker.gauges.heldBytesOnDisk == 0)
        #expect(world.broker.keptBytes == 0)
    }

    private func matches(_ topic: ByteString, _ filter: ByteString) -> Bool {
        filter == topic || filter == "#" || filter == "$share/g/#"
    }

    private func connect(_ reader: inout Reader, _ world: inout BrokerWorld) {
        // A link that is taken over has heard what it has heard.
        if reader.link != nil { listen(&reader, &world, acknowledging: 0) }
        let isNew = reader.link == nil && reader.seen.isEmpty && world.broker.session(named: reader.name) == nil
        reader.open = []
        let link = world.client(reader.name, clean: false, expiry: .max, window: 4)
        reader.link = link
        if isNew { world.subscribe(link, reader.filter) }
    }

    private func listen(_ reader: inout Reader, _ world: inout BrokerWorld, acknowledging count: Int) {
        guard let link = reader.link else { return }
        for told in world.heard(link) {
            switch told {
            case .message(let message):
                reader.open.append(message)
                // At QoS 1 a repetition is allowed; here none is lost, so it is what the client saw already.
                if !message.isDuplicate { reader.seen.append(message.payload) }
            case .answer(.acknowledge(let acknowledgement)) where acknowledgement.kind == .pubrel:
                reader.released.append(acknowledgement.packetIdentifier)
            case .answer: break
            }
        }
        for _ in 0..<count {
            if !reader.released.isEmpty {
                world.acknowledge(link, .pubcomp, reader.released.removeFirst())
            } else if !reader.open.isEmpty {
                let message = reader.open.removeFirst()
                world.acknowledge(link, message.qos == .atLeastOnce ? .puback : .pubrec, message.packetIdentifier)
            }
        }
    }

    @Test("Whatever happens to sessions, queues and rules, the accounts are right", arguments: 0..<6)
    func anything(seed: Int) {
        var random = SeededGenerator(seed: 1_000 + UInt64(seed))
        var limits = BrokerLimits()
        let memory = Self.limits[seed % Self.limits.count]
        (limits.queuedMemoryMax, limits.queuedMemoryPerSessionMax) = (memory.all, memory.session)
        limits.inflightMessagesMax = 3
        limits.queuedMessagesMax = 12
        limits.queuesQoS0 = true
        limits.queueFullPolicy = [.dropOldest, .dropNewest, .refuse][seed % 3]
        var world = BrokerWorld(limits)
        world.answersLoadsAtOnce = false
        let writer = world.client("writer", receiveMaximum: 100)
        // The groups never end: the store knows them by their names alone.
        let keeper = world.client("keeper", clean: false, expiry: .max)
        for filter in ["$share/g/#", "$share/g/t/2", "$share/h/#"] { world.subscribe(keeper, ByteString(filter)) }
        world.ask(keeper, .detach(Farewell(publishesWill: false)))
        var links: [LinkID?] = [nil, nil, nil, nil]
        let filters: [ByteString] = ["#", "t/1", "$share/g/#", "t/+", "$share/g/t/2", "$share/h/#"]
        for step in 0..<380 {
            let index = Int(random.next() % 4)
            let name = ClientID("c\(index)")
            switch random.next() % 16 {
            case 0...5:
                let id = UInt16(step + 1)
                let qos = QoS(rawValue: UInt8(random.next() % 3)) ?? .atLeastOnce
                world.publish(
                    writer, ByteString("t/\(random.next() % 3)"), ByteString("message \(step)"), qos, id: id,
                    retain: random.next() % 4 == 0, expiry: random.next() % 3 == 0 ? UInt32(random.next() % 30) : nil)
                if qos == .exactlyOnce { world.ask(writer, .release(packetIdentifier: id)) }
            case 6, 7:
                // Index 3 is a device.
                links[index] = world.client(
                    name, clean: random.next() % 8 == 0, expiry: random.next() % 3 == 0 ? 20 : .max,
                    isDevice: index == 3,
                    sleepQueue: QueueLimits(
                        messages: 8, bytes: 100, whenFull: seed % 4 < 2 ? .dropOldest : nil, keepsLast: seed % 2 == 0))
                if let link = links[index] {
                    world.subscribe(link, filters[Int(random.next() % UInt64(filters.count))])
                }
            case 8:
                guard let link = links[index] else { continue }
                world.ask(link, .detach(Farewell(publishesWill: false)))
                links[index] = nil
            case 9: world.answerLoads(Int(random.next() % 5))
            case 10: world.advance(.seconds(Int64(random.next() % 8)))
            case 11:
                guard let link = links[index] else { continue }
                world.ask(link, .window(isOpen: random.next() % 2 == 0))
            case 12:
                guard let link = links[index] else { continue }
                world.ask(
                    link, .unsubscribe(packetIdentifier: 1, [filters[Int(random.next() % UInt64(filters.count))]]))
            default:
                guard let link = links[index], world.broker.session(of: link) != nil else { continue }
                acknowledge(link, &world, isAbandoning: random.next() % 6 == 0)
            }
            for index in links.indices {
                if let link = links[index], world.broker.session(of: link) == nil { links[index] = nil }
            }
        }
        #expect(world.broker.ledgerImbalance == 0)
    }

    private func acknowledge(_ link: LinkID, _ world: inout BrokerWorld, isAbandoning: Bool) {
        for told in world.heard(link) {
            switch told {
            case .message(let message) where isAbandoning:
                world.ask(link, .abandon(packetIdentifier: message.packetIdentifier))
            case .message(let message) where message.qos == .atMostOnce:
                if link.isDevice { world.ask(link, .delivered) }
            case .message(let message):
                world.acknowledge(link, message.qos == .atLeastOnce ? .puback : .pubrec, message.packetIdentifier)
            case .answer(.acknowledge(let acknowledgement)) where acknowledgement.kind == .pubrel:
                world.acknowledge(link, .pubcomp, acknowledgement.packetIdentifier)
            case .answer: break
            }
            guard world.broker.session(of: link) != nil else { return }
        }
    }
}
