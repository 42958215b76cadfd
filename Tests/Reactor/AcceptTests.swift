import CFaults
import Glibc
import Messaging
import Reactor
import Testing

@Suite struct AcceptTests {
    @Test("A turn takes so many connections and no more")
    func bounded() throws {
        var limits = LoopLimits()
        limits.acceptsPerTurn = 4
        let world = try Recorder(limits: limits)
        let listener = try world.loop.listen(on: Recorder.anyPort("127.0.0.1"))
        let address = try #require(world.loop.localAddress(of: listener))
        let clients = try (0..<10).map { _ in try Client(connectedTo: address) }
        var most = 0
        #expect(
            world.turn {
                let before = world.connections.count
                world.loop.turn(world, timeout: .milliseconds(20))
                most = max(most, world.connections.count - before)
                return world.connections.count == 10
            })
        #expect(most == 4)
        withExtendedLifetime(clients) {}
    }

    @Test("A handler may refuse a connection in the call that brings it")
    func refused() throws {
        let world = try Recorder()
        world.onAccepted = { world.loop.close($0) }
        let (_, client) = try world.connectedPair()
        #expect(client.receive() == [])
        #expect(world.loop.counters.staleEvents == 0)
    }

    @Test("A connection that broke in the backlog does not stop the next", arguments: [ECONNABORTED, EPROTO, EINTR])
    func brokenInBacklog(code: Int32) throws {
        let world = try Recorder()
        defer { faults_clear() }
        faults_fail(FAULT_ACCEPT4, 0, 1, code)
        let (_, client) = try world.connectedPair()
        #expect(world.loop.counters.acceptPauses == 0)
        withExtendedLifetime(client) {}
    }

    @Test(
        "Without descriptors or memory a listener rests, once, and then goes on",
        arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM])
    func rests(code: Int32) throws {
        var limits = LoopLimits()
        limits.acceptPause = .milliseconds(20)
        let world = try Recorder(limits: limits)
        let listener = try world.loop.listen(on: Recorder.anyPort("127.0.0.1"))
        let client = try Client(connectedTo: try #require(world.loop.localAddress(of: listener)))
        defer { faults_clear() }
        faults_fail(FAULT_ACCEPT4, 0, 1, code)
        world.settle()
        #expect(world.events == [.acceptPaused(code)])
        let turns = world.turns
        #expect(world.turn { !world.connections.isEmpty })
        #expect(world.turns - turns < 6, "it must wait, not spin")
        #expect(world.loop.counters.acceptPauses == 1)
        withExtendedLifetime(client) {}
    }

    @Test("With as many sockets as there may be a listener rests, and takes the next as soon as one goes [attack 48]")
    func socketsMax() throws {
        var limits = LoopLimits()
        // The listener itself, and two connections.
        limits.socketsMax = 3
        let world = try Recorder(limits: limits)
        let listener = try world.loop.listen(on: Recorder.anyPort("127.0.0.1"))
        let address = try #require(world.loop.localAddress(of: listener))
        let clients = try (0..<3).map { _ in try Client(connectedTo: address) }
        #expect(world.turn { world.events.last == .acceptPaused(EMFILE) })
        #expect(world.connections.count == 2)
        world.loop.close(world.connections[0])
        #expect(world.turn { world.connections.count == 3 })
        withExtendedLifetime(clients) {}
    }

    @Test("When epoll takes no more, the connection is closed and the listener rests")
    func epollFull() throws {
        let world = try Recorder()
        let listener = try world.loop.listen(on: Recorder.anyPort("127.0.0.1"))
        let client = try Client(connectedTo: try #require(world.loop.localAddress(of: listener)))
        defer { faults_clear() }
        faults_fail(FAULT_EPOLL_CTL, 0, 1, ENOSPC)
        world.settle()
        #expect(world.events == [.acceptPaused(ENOSPC)])
        #expect(client.receive() == [])
    }

    @Test("At the real limit of descriptors, the next connection comes in when one of ours is closed")
    func descriptorLimit() async {
        await #expect(processExitsWith: .success) {
            let world = try Recorder()
            let listener = try world.loop.listen(on: Recorder.anyPort("127.0.0.1"))
            let address = world.loop.localAddress(of: listener) ?? .unspecified
            let clients = try (0..<40).map { _ in try Client(connectedTo: address) }
            // A few descriptors are left; the test's own machinery may take or free some of them.
            let free = dup(0)
            close(free)
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = rlim_t(free) + 8
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)

            guard world.turn(until: { world.events.last == .acceptPaused(EMFILE) }) else { exit(1) }
            guard world.connections.count < clients.count else { exit(2) }
            for round in 0..<3 {
                let before = world.connections.count
                // Two, because the test library may open a timer of its own in the first.
                for connection in world.connections[round * 2..<round * 2 + 2] { world.loop.close(connection) }
                guard world.turn(until: { world.connections.count > before }) else { exit(3) }
            }
            guard raiseDescriptorLimit() > Int(free) + 8 else { exit(4) }
            guard world.turn(until: { world.connections.count == clients.count }) else { exit(5) }
            withExtendedLifetime(clients) {}
        }
    }
}
