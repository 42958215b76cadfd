import Clockwork
import Glibc
import Messaging
import Reactor
import Testing

@Suite struct EventLoopTests {
    @Test("An event for a socket closed in the same turn reaches nobody, though slot and descriptor are in use again")
    func staleEvent() throws {
        let world = try Recorder()
        let listener = try world.loop.listen(on: Recorder.anyPort("127.0.0.1"))
        let address = try #require(world.loop.localAddress(of: listener))
        let clients = try (0..<2).map { _ in try Client(connectedTo: address) }
        #expect(world.turn { world.connections.count == 2 })
        let (first, second) = (world.connections[0], world.connections[1])
        world.settle()
        // epoll tells in the order of arrival: first, listener, second.
        world.events = []
        clients[0].send([1])
        let third = try Client(connectedTo: address)
        clients[1].send([2])
        world.onReadable = { connection in
            if connection == first { world.loop.close(second) }
        }
        world.loop.turn(world, timeout: .milliseconds(200))
        let newcomer = try #require(world.connections.last)
        #expect(newcomer.slot == second.slot && newcomer.generation == second.generation + 1)
        #expect(world.events == [.readable(first), .accepted(newcomer)])
        #expect(world.loop.counters.staleEvents == 1)
        withExtendedLifetime(third) {}
    }

    @Test("A connection that its handler closes is not offered room in the same event")
    func closedBetween() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        guard case .wrote(let sent) = world.loop.write(connection, [UInt8](repeating: 0, count: 8_000_000)) else {
            throw Failure(what: "write")
        }
        _ = client.receive(exactly: sent)
        client.send([1])
        world.onReadable = { world.loop.close($0) }
        world.settle()
        #expect(world.events.last == .readable(connection))
    }

    @Test("The first turn does not wait, so that the handler can name its deadline")
    func firstTurn() throws {
        let world = try Recorder()
        world.loop.turn(world)
        #expect(world.turns == 1)
    }

    @Test("A turn ends at the deadline, never before", arguments: [0, 1, 999, 1_000_000, 1_000_001, 5_000_000])
    func deadline(nanoseconds: Int) throws {
        let world = try Recorder()
        let deadline = world.loop.now.instant + .nanoseconds(nanoseconds)
        world.deadline = deadline
        world.loop.turn(world)
        world.loop.turn(world)
        #expect(world.loop.now.instant >= deadline)
        #expect(world.turns == 2)
    }

    @Test("Input ends the wait for a deadline")
    func inputBeforeDeadline() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        world.deadline = world.loop.now.instant + .seconds(3600)
        client.send([1])
        world.loop.turn(world)
        world.loop.turn(world)
        #expect(world.events.contains(.readable(connection)))
        #expect(world.loop.now.instant < Instant(nanoseconds: .max))
    }

    @Test("run turns until it is stopped")
    func run() throws {
        let world = try Recorder()
        world.deadline = Instant(nanoseconds: 0)
        world.onTurnEnded = { if world.turns == 3 { world.loop.stop() } }
        world.loop.run(world)
        #expect(world.turns == 3)
    }

    @Test("Time goes on, and the seconds are those of the calendar")
    func time() throws {
        let world = try Recorder()
        let before = world.loop.now
        world.loop.turn(world)
        #expect(world.loop.now.instant > before.instant)
        #expect(abs(world.loop.now.unixSeconds - Int64(Glibc.time(nil))) <= 1)
    }

    @Test("A loop that goes closes its sockets")
    func end() throws {
        var world: Recorder? = try Recorder()
        let client = try #require(try world?.connectedPair().client)
        world = nil
        #expect(client.receive() == [])
    }

    @Test("The watched signals become events, and SIGPIPE nothing at all")
    func signals() async {
        await #expect(processExitsWith: .success) {
            let world = try Recorder()
            try world.loop.watchSignals()
            // To this thread: others of the test process do not have the mask.
            for signal in [SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR1] { raise(signal) }
            world.settle()
            let told = world.events
            let expected: [Recorder.Event] = [
                .signalled(.hangup), .signalled(.interrupt), .signalled(.user1), .signalled(.terminate),
            ]
            guard told.count == 4, expected.allSatisfy({ told.contains($0) }) else { exit(1) }
        }
    }
}
