import BrokerCore
import Bytes
import ConnectionCore
import Engine
import Reactor
import Support
import Testing

@testable import Transport

/// A turn of the loop has an end, whatever is asked in it: decision M-81.
@Suite struct TurnBudgetTests {
    /// What a turn may cost: the sockets, who was not reached, the dear ones; each can go beyond its part by a slice,
    /// or by a part of one.
    private static let turnMax = TurnBudget.events + TurnBudget.unread + TurnBudget.whole

    /// A reader of `a/a/a/a/a/a/a/a/#` and of all that is got by writing `+` for some of the levels: to find it costs
    /// some hundred steps for each new topic.
    private func dearReader(_ world: ServerWorld) throws -> Peer {
        let reader = try world.client("reader")
        var body: [UInt8] = [0, 1]
        for mask in 0..<256 {
            let levels = (0..<8).map { mask >> $0 & 1 == 1 ? "+" : "a" }
            body += [0, 17] + Array((levels.joined(separator: "/") + "/#").utf8) + [0]
        }
        let head: [UInt8] = [0x82, UInt8(body.count & 127 | 128), UInt8(body.count >> 7)]
        reader.send((head + body)[...])
        let isAnswered = world.turns {
            reader.read()
            return reader.received.count == 5 + 256
        }
        try #require(isAnswered)
        reader.clear()
        return reader
    }

    /// The topic that the dear reader gets with this number, and what it gets: 24 bytes.
    private func topic(_ number: Int) -> String { "a/a/a/a/a/a/a/a/\(100 + number)" }

    private func publish(_ number: Int) -> [UInt8] {
        let head: [UInt8] = [0x30, 22, 0, 19]
        return head + Array(topic(number).utf8) + [0x78]
    }

    /// One turn; what it has cost.
    private func turn(_ world: ServerWorld) -> UInt64 {
        let before = world.server.engine.workDone
        world.server.loop.turn(world.server, timeout: .zero)
        return world.server.engine.workDone - before
    }

    /// Turns until the reader has so many bytes; what each turn has cost.
    private func turns(_ world: ServerWorld, until reader: Peer, has count: Int) -> [UInt64] {
        var costs: [UInt64] = []
        reader.read()
        while reader.received.count < count, costs.count < 10_000 {
            costs.append(turn(world))
            reader.read()
        }
        #expect(reader.received.count >= count)
        return costs
    }

    @Test("A read that costs much takes several turns, in its order, and others are served between [attack 12]")
    func slices() throws {
        let world = try ServerWorld()
        let reader = try dearReader(world)
        let other = try world.client("other")
        let writer = try world.client("writer")
        let messages = (0..<160).map { publish($0) }
        writer.send(messages.flatMap { $0 }[...])
        _ = turn(world)
        #expect(world.server.sockets.contains { $0.isWaiting && !$0.rest.isEmpty })
        #expect(world.server.restBytes > 0)
        try other.send("c0 00")
        _ = turn(world)
        other.read()
        #expect(other.received == [0xD0, 0])
        #expect(!world.server.backlog.isEmpty)
        let costs = turns(world, until: reader, has: 160 * 24)
        #expect(costs.count >= 2)
        #expect(costs.allSatisfy { $0 <= Self.turnMax })
        #expect(reader.received == messages.flatMap { $0 })
        #expect(world.server.restBytes == 0 && world.server.backlog.isEmpty)
        try writer.send("c0 00")
        #expect(world.hears(writer, "d0 00"))
        #expect(world.server.engine.broker.ledgerImbalance == 0)
    }

    @Test("What was read before the connection broke is handled before its end is")
    func restThenEnd() throws {
        let world = try ServerWorld()
        let reader = try dearReader(world)
        var writer: Peer? = try dying(world, 899)
        writer?.send((0..<100).flatMap { publish($0) }[...])
        _ = turn(world)
        #expect(world.server.restBytes > 0)
        writer = nil
        _ = turns(world, until: reader, has: 101 * 24 + 3)
        #expect(Array(reader.received.prefix(100 * 24)) == (0..<100).flatMap { publish($0) })
        #expect(reader.received.suffix(4).elementsEqual("gone".utf8))
    }

    /// A client whose will the dear reader gets: 27 bytes.
    private func dying(_ world: ServerWorld, _ number: Int) throws -> Peer {
        let peer = try world.peer()
        peer.send(connect(number)[...])
        #expect(world.hears(peer, "20 02 00 00"))
        return peer
    }

    private func connect(_ number: Int) -> [UInt8] {
        var body: [UInt8] = [0, 4]
        body += Array("MQTT".utf8)
        body += [4, 0x06, 0, 0, 0, 4]
        body += Array("d\(100 + number)".utf8)
        body += [0, 19]
        body += Array(topic(number).utf8)
        body += [0, 4]
        body += Array("gone".utf8)
        return [0x10, UInt8(body.count)] + body
    }

    @Test("The wills of many that go at once are published in several turns, each once, and others are served between")
    func wills() throws {
        let world = try ServerWorld()
        let reader = try dearReader(world)
        let other = try world.client("other")
        let again = try world.peer()
        var clients = try (0..<80).map { try dying(world, $0) }
        clients.removeAll()
        // The last of them is back before its will is out: it goes out at once, and not a second time.
        again.send(connect(79)[...])
        try other.send("c0 00")
        #expect(turn(world) <= Self.turnMax)
        for (peer, answer) in [(again, [0x20, 2, 0, 0] as [UInt8]), (other, [0xD0, 0])] {
            peer.read()
            #expect(peer.received == answer)
        }
        #expect(!world.server.backlog.isEmpty)
        let costs = turns(world, until: reader, has: 80 * 27)
        #expect(costs.allSatisfy { $0 <= Self.turnMax })
        let areGone = world.turns { world.server.engine.connections.count == 3 }
        #expect(areGone)
        #expect(reader.received.count == 80 * 27)
        for number in 0..<80 { #expect(occurrences(of: topic(number), in: reader.received) == 1) }
        #expect(world.server.engine.broker.ledgerImbalance == 0)
        #expect(world.server.backlog.isEmpty)
    }

    @Test("Datagrams that cost much take several turns, in their order, and others are served between [attack 12]")
    func datagrams() throws {
        let world = try ServerWorld()
        let reader = try dearReader(world)
        let other = try world.client("other")
        let device = try world.device()
        try device.send("07 04 04 01 0000 'd'")
        #expect(world.hears(device, "03 05 00"))
        for number in 0..<64 as Range<UInt8> {
            device.send(([25, 0x0A, 0, 0, 0, 1] as [UInt8] + Array(topic(Int(number)).utf8))[...])
            #expect(world.hears(device, "07 0b 00 \(hex(number + 1)) 0001 00"))
        }
        for number in 0..<64 as Range<UInt8> { device.send(([8, 0x0C, 0, 0, number + 1, 0, 0, 0x78] as [UInt8])[...]) }
        try other.send("c0 00")
        let costs = turns(world, until: reader, has: 64 * 24)
        #expect(costs.count >= 3)
        #expect(costs.allSatisfy { $0 <= 2 * ReadPace.workMax })
        #expect(reader.received == (0..<64).flatMap { publish($0) })
        other.read()
        #expect(other.received == [0xD0, 0])
    }

    private func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    private func occurrences(of text: String, in bytes: [UInt8]) -> Int {
        let text = Array(text.utf8)
        return bytes.indices.dropLast(text.count - 1).filter { bytes[$0..<($0 + text.count)].elementsEqual(text) }.count
    }

    @Test("In each line of the backlog the first to come is the first to go")
    func lines() {
        var backlog = Backlog()
        #expect(backlog.isEmpty)
        for (slot, isDear) in [(1, true), (2, false), (3, true), (4, false)] { backlog.append(slot, isDear: isDear) }
        let unread = [backlog.popUnread(), backlog.popUnread(), backlog.popUnread()]
        let dear = [backlog.popDear(), backlog.popDear(), backlog.popDear()]
        #expect(unread == [2, 4, nil])
        #expect(dear == [1, 3, nil])
        #expect(backlog.isEmpty)
    }
}
