import Glibc
import Messaging
import Reactor
import Testing

@Suite struct LingerTests {
    /// A connection with much unread input, and its client.
    private func unreadInput(_ limits: LoopLimits = LoopLimits()) throws -> (Recorder, Token, Client) {
        let world = try Recorder(limits: limits)
        let (connection, client) = try world.connectedPair()
        client.send([UInt8](repeating: 1, count: 100_000))
        _ = world.loop.write(connection, Array("bye".utf8))
        return (world, connection, client)
    }

    @Test("Closing at once over unread input resets the connection: why finish exists")
    func abrupt() throws {
        let (world, connection, client) = try unreadInput()
        world.loop.close(connection)
        #expect(client.receive(exactly: 4).count < 4)
        #expect(client.receive() == nil || client.receive() == [])
    }

    @Test("After finish the last packet and a clean end arrive, whatever the peer still sends")
    func orderly() throws {
        let (world, connection, client) = try unreadInput()
        world.loop.finish(connection)
        for _ in 0..<20 {
            client.send([UInt8](repeating: 2, count: 10_000))
            world.loop.turn(world, timeout: .zero)
        }
        #expect(client.receive(exactly: 3) == Array("bye".utf8))
        #expect(client.receive() == [])
        #expect(world.loop.counters.lingersCut == 0)
    }

    @Test("A peer that has the last word gets the end when it has said it")
    func lastWord() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        _ = world.loop.write(connection, Array("bye".utf8))
        world.loop.finish(connection, until: { $0.contains(2) })
        world.loop.turn(world, timeout: .zero)
        #expect(client.receive(exactly: 3) == Array("bye".utf8))
        #expect(world.loop.lingering == 1)
        for word: UInt8 in [1, 1, 2] {
            #expect(world.loop.lingering == 1 && client.receiveNow().isEmpty)
            client.send([word])
            world.settle()
        }
        #expect(client.receive() == [])
        #expect(world.loop.counters.lingersCut == 0)
    }

    @Test("The token is dead at once, the slot is used again only after the close")
    func slotStays() throws {
        let (world, connection, client) = try unreadInput()
        world.loop.finish(connection)
        world.events = []
        #expect(world.loop.write(connection, [1]) == .failed(ReactorError(.send, code: EBADF)))
        world.loop.close(connection)
        let (second, _) = try world.connectedPair()
        #expect(second.slot != connection.slot)
        client.finish()
        for _ in 0..<20 { world.loop.turn(world, timeout: .milliseconds(20)) }
        let listener = try world.loop.listen(on: Recorder.anyPort("127.0.0.1"))
        #expect(listener.slot == connection.slot && listener != connection)
        #expect(!world.events.contains(.readable(connection)))
    }

    @Test("A peer that closed first is done with immediately")
    func peerWasFirst() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        client.finish()
        #expect(world.turn { world.events.contains(.readable(connection)) })
        world.loop.finish(connection)
        let listener = try world.loop.listen(on: Recorder.anyPort("127.0.0.1"))
        #expect(listener.slot == connection.slot)
    }

    @Test("A stuck or paused connection can be finished")
    func stuck() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        world.loop.setReading(connection, false)
        guard case .wrote(let sent) = world.loop.write(connection, [UInt8](repeating: 3, count: 8_000_000)) else {
            throw Failure(what: "write")
        }
        world.loop.finish(connection)
        #expect(client.receive(exactly: sent + 1).count == sent)
        world.events = []
        world.settle()
        #expect(world.events.isEmpty)
    }

    /// A connection whose socket takes no more, its client, and how much it took.
    private func stuckPair(_ world: Recorder) throws -> (connection: Token, client: Client, count: Int) {
        let (connection, client) = try world.connectedPair()
        guard case .wrote(let count) = world.loop.write(connection, [UInt8](repeating: 3, count: 8_000_000)) else {
            throw Failure(what: "write")
        }
        return (connection, client, count)
    }

    /// Everything that the client gets to the end of its connection, while the loop turns.
    private func everything(_ client: Client, _ world: Recorder) -> [UInt8] {
        var all: [UInt8] = []
        let isEnded = world.turn {
            while client.hasInput {
                guard let some = client.receive(), !some.isEmpty else { return true }
                all += some
            }
            return false
        }
        #expect(isEnded)
        return all
    }

    @Test(
        "What the system had not taken is sent, then the end; also to a peer that has ended its side",
        arguments: [false, true])
    func unsent(peerEnds: Bool) throws {
        let world = try Recorder()
        let (connection, client, count) = try stuckPair(world)
        let tail = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        world.loop.finish(connection, unsent: tail)
        if peerEnds {
            client.finish()
            world.settle()
        }
        #expect(world.loop.lingering == 1)
        let all = everything(client, world)
        #expect(all.count == count + tail.count)
        #expect(Array(all.suffix(tail.count)) == tail)
        client.finish()
        #expect(world.turn { world.loop.lingering == 0 })
        #expect(world.loop.counters.lingersCut == 0)
    }

    @Test("The peer's last word is heard while there is still something to send")
    func lastWordBefore() throws {
        let world = try Recorder()
        let (connection, client, count) = try stuckPair(world)
        world.loop.finish(connection, unsent: [9], until: { $0.contains(2) })
        client.send([1, 2])
        world.settle()
        let all = everything(client, world)
        #expect(all.count == count + 1 && all.last == 9)
    }

    @Test("A peer that breaks off gets nothing more, and is forgotten at once", arguments: [false, true])
    func breaksOff(peerEnds: Bool) throws {
        let world = try Recorder()
        let (connection, client, _) = try stuckPair(world)
        world.loop.finish(connection, unsent: [9])
        if peerEnds { client.finish() }
        world.settle()
        client.reset()
        #expect(world.turn { world.loop.lingering == 0 })
        #expect(world.loop.counters.lingersCut == 0)
    }

    @Test("A peer that never reads what is left is cut off when its time is up")
    func neverReads() throws {
        var limits = LoopLimits()
        limits.lingerMax = .milliseconds(10)
        let world = try Recorder(limits: limits)
        let (connection, client, _) = try stuckPair(world)
        world.loop.finish(connection, unsent: [9])
        #expect(world.turn { world.loop.lingering == 0 })
        #expect(world.loop.counters.lingersCut == 1)
        withExtendedLifetime(client) {}
    }

    @Test(
        "What is kept of one connection is bounded: at the limit, one more, ten times",
        arguments: [1_000, 1_001, 10_000])
    func tooLong(_ count: Int) throws {
        var limits = LoopLimits()
        limits.lingerUnsentBytesMax = 1_000
        let world = try Recorder(limits: limits)
        let (connection, client) = try world.connectedPair()
        world.loop.finish(connection, unsent: [UInt8](repeating: 5, count: count))
        #expect(everything(client, world).count == (count <= 1_000 ? count : 0))
    }

    @Test("What is kept of all connections is bounded, and there is room again when one of them is done")
    func tooMuch() throws {
        var limits = LoopLimits()
        limits.lingersUnsentBytesMax = 1_500
        let world = try Recorder(limits: limits)
        let tail = [UInt8](repeating: 5, count: 750)
        var pairs: [(connection: Token, client: Client, count: Int)] = []
        for _ in 0..<4 { pairs.append(try stuckPair(world)) }
        for pair in pairs[..<3] { world.loop.finish(pair.connection, unsent: tail) }
        #expect(everything(pairs[2].client, world).count == pairs[2].count)
        #expect(everything(pairs[0].client, world).count == pairs[0].count + 750)
        world.loop.finish(pairs[3].connection, unsent: tail)
        for pair in [pairs[1], pairs[3]] { #expect(everything(pair.client, world).count == pair.count + 750) }
    }

    @Test("A peer that never closes is cut off when its time is up")
    func outOfTime() throws {
        var limits = LoopLimits()
        limits.lingerMax = .milliseconds(10)
        let (world, connection, client) = try unreadInput(limits)
        world.loop.finish(connection)
        #expect(world.turn { world.loop.counters.lingersCut == 1 })
        withExtendedLifetime(client) {}
    }

    @Test("A peer that keeps sending is cut off")
    func outOfBytes() throws {
        var limits = LoopLimits()
        limits.lingerBytesMax = 50_000
        let (world, connection, client) = try unreadInput(limits)
        world.loop.finish(connection)
        #expect(world.turn { world.loop.counters.lingersCut == 1 })
        withExtendedLifetime(client) {}
    }

    @Test("Of too many closing connections the oldest is cut off")
    func tooMany() throws {
        var limits = LoopLimits()
        limits.lingersMax = 2
        let world = try Recorder(limits: limits)
        let pairs = try (0..<3).map { _ in try world.connectedPair() }
        for pair in pairs[..<2] { world.loop.finish(pair.connection) }
        world.settle()
        #expect(world.loop.counters.lingersCut == 0)
        world.loop.finish(pairs[2].connection)
        world.settle()
        #expect(world.loop.counters.lingersCut == 1)
        let listener = try world.loop.listen(on: Recorder.anyPort("127.0.0.1"))
        #expect(listener.slot == pairs[0].connection.slot)
    }
}
