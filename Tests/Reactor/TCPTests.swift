import Bytes
import CFaults
import Glibc
import Messaging
import Reactor
import Testing

@Suite struct TCPTests {
    @Test("Bytes come back over both families, from the peer's real address", arguments: ["127.0.0.1", "::1"])
    func echo(host: String) throws {
        let world = try Recorder()
        world.onReadable = { connection in
            guard let bytes = world.loop.readBytes(connection) else { return }
            #expect(world.loop.write(connection, bytes) == .wrote(bytes.count))
        }
        let (connection, client) = try world.connectedPair(host: host)
        client.send(Array("hello".utf8))
        #expect(world.turn { world.events.contains(.readable(connection)) })
        #expect(client.receive() == Array("hello".utf8))
        #expect(world.peers == [PeerAddress(host: host, port: client.port)])
        #expect(world.loop.counters.accepted == 1)
    }

    @Test("Both families can share a port: an IPv6 listener takes IPv6 alone")
    func familiesApart() throws {
        let loop = try EventLoop()
        let six = try loop.listen(on: Recorder.anyPort("::"))
        let port = try #require(loop.localAddress(of: six)).port
        #expect(port != 0)
        _ = try loop.listen(on: PeerAddress(ipv4: 0, port: port))
    }

    @Test("A port that is taken is an error that says what to do")
    func addressInUse() throws {
        let loop = try EventLoop()
        let first = try loop.listen(on: Recorder.anyPort("127.0.0.1"))
        let address = try #require(loop.localAddress(of: first))
        #expect(throws: ReactorError(.bind, code: EADDRINUSE, address: address)) {
            _ = try loop.listen(on: address)
        }
    }

    @Test("A slow reader gets all bytes in order, and a stuck connection costs no calls")
    func slowReader() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        // More than the system buffers, in a pattern that shows a byte lost or doubled.
        var content: [UInt8] = Array(0...250)
        while content.count < 8_000_000 { content += content }
        var sent = 0
        func pump() {
            guard case .wrote(let count) = world.loop.write(connection, Array(content[sent...])) else { return }
            sent += count
        }
        world.onWritable = { _ in pump() }
        pump()
        #expect(sent > 0 && sent < content.count)
        faults_clear()
        #expect(world.loop.write(connection, [1]) == .wrote(0))
        #expect(faults_calls(FAULT_SEND) == 0)
        var got: [UInt8] = []
        #expect(
            world.turn {
                while true {
                    let some = client.receiveNow()
                    if some.isEmpty { break }
                    got += some
                }
                return got.count == content.count
            })
        // Byte for byte, without the debug build's slow loop over arrays.
        #expect(memcmp(got, content, content.count) == 0)
        world.events = []
        world.settle()
        #expect(world.events.isEmpty, "room is announced only while output is stuck")
    }

    @Test("A handler that lets the room pass is told once, and can write later")
    func unusedRoom() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        let much = [UInt8](repeating: 7, count: 8_000_000)
        guard case .wrote(let sent) = world.loop.write(connection, much) else { throw Failure(what: "write") }
        _ = client.receive(exactly: sent)
        #expect(world.turn { world.events.contains(.writable(connection)) })
        for _ in 0..<5 { world.loop.turn(world, timeout: .milliseconds(5)) }
        #expect(world.events.filter { $0 == .writable(connection) }.count == 1)
        #expect(world.loop.write(connection, [1, 2]) == .wrote(2))
        #expect(client.receive() == [1, 2])
    }

    @Test("Writes of a byte at a time and interrupted calls lose nothing")
    func tortured() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        defer { faults_clear() }
        faults_limit(FAULT_SEND, 1)
        faults_fail(FAULT_SEND, 1, 2, EINTR)
        faults_limit(FAULT_RECV, 1)
        faults_fail(FAULT_RECV, 1, 2, EINTR)
        let content = Array("one byte after the other".utf8)
        var sent = 0
        func pump() {
            if case .wrote(let count) = world.loop.write(connection, Array(content[sent...])) { sent += count }
        }
        world.onWritable = { _ in pump() }
        pump()
        #expect(world.turn { sent == content.count })
        faults_limit(FAULT_SEND, 0)
        #expect(client.receive(exactly: content.count) == content)
        var got: [UInt8] = []
        world.onReadable = { got += world.loop.readBytes($0) ?? [] }
        client.send(content)
        #expect(world.turn { got.count == content.count })
        #expect(got == content)
    }

    @Test("An orderly end comes after the last byte")
    func ended() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        client.send([1])
        client.finish()
        #expect(world.turn { world.events.contains(.readable(connection)) })
        #expect(world.loop.readOnce(connection) == .bytes(1))
        #expect(world.loop.readOnce(connection) == .ended)
        world.loop.close(connection)
        world.events = []
        world.settle()
        #expect(world.events.isEmpty)
    }

    @Test("A reset in the middle of a packet is told, after what came before it")
    func resetMidPacket() throws {
        let world = try Recorder()
        var got: [ReadOutcome] = []
        let (connection, client) = try world.connectedPair()
        world.onReadable = { got.append(world.loop.readOnce($0)) }
        client.send([0x30, 0x05, 0x00])
        #expect(world.turn { got == [.bytes(3)] })
        client.reset()
        #expect(world.turn { got.count > 1 })
        #expect(got[1] == .failed(ReactorError(.read, code: ECONNRESET)))
        world.loop.close(connection)
    }

    @Test("Writing to a peer that is gone is an outcome, not a signal")
    func writeAfterReset() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        client.reset()
        var codes: [Int32] = []
        for _ in 0..<2 {
            if case .failed(let error) = world.loop.write(connection, [1]) { codes.append(error.code) }
        }
        #expect(codes == [ECONNRESET, EPIPE] || codes == [EPIPE, EPIPE])
    }

    @Test("A call with a dead token is refused and touches nobody")
    func deadToken() throws {
        let world = try Recorder()
        let (first, _) = try world.connectedPair()
        world.loop.close(first)
        let (second, client) = try world.connectedPair()
        #expect(world.loop.readOnce(first) == .failed(ReactorError(.read, code: EBADF)))
        #expect(world.loop.write(first, [1]) == .failed(ReactorError(.send, code: EBADF)))
        world.loop.setReading(first, false)
        world.loop.finish(first)
        world.loop.close(first)
        #expect(world.loop.localAddress(of: first) == nil)
        #expect(world.loop.write(second, [2]) == .wrote(1))
        #expect(client.receive() == [2])
    }

    @Test("A paused connection stays silent, and goes on where it was")
    func paused() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        world.events = []
        world.loop.setReading(connection, false)
        client.send([1, 2, 3])
        world.settle()
        #expect(world.events.isEmpty)
        world.loop.setReading(connection, true)
        #expect(world.turn { world.events.contains(.readable(connection)) })
        #expect(world.loop.readBytes(connection) == [1, 2, 3])
    }

    @Test("A paused connection that breaks is told")
    func pausedAndBroken() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair()
        world.loop.setReading(connection, false)
        client.reset()
        #expect(world.turn { world.events.contains(.readable(connection)) })
        #expect(world.loop.readOnce(connection) == .failed(ReactorError(.read, code: ECONNRESET)))
    }

    @Test("A connection that sends without end does not keep the loop from the others")
    func fairness() throws {
        let world = try Recorder()
        let (loud, loudClient) = try world.connectedPair()
        let (quiet, quietClient) = try world.connectedPair()
        loudClient.send([UInt8](repeating: 1, count: 10_240))
        quietClient.send([2])
        world.events = []
        world.onReadable = { _ = world.loop.readBytes($0, max: 1024) }
        world.loop.turn(world, timeout: .milliseconds(200))
        #expect(world.events.filter { $0 == .readable(loud) }.count == 1)
        #expect(world.events.contains(.readable(quiet)))
        world.settle()
        #expect(world.events.filter { $0 == .readable(loud) }.count == 10)
    }
}
