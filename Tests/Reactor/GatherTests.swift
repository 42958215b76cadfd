import Bytes
import Messaging
import Reactor
import Testing

@Suite struct GatherTests {
    @Test("Three pieces arrive in their order, whichever of them are empty")
    func order() throws {
        let world = try Recorder()
        let (connection, client) = try world.connectedPair(host: "127.0.0.1")
        let pieces: [[UInt8]] = [Array("one".utf8), Array("two".utf8), Array("three".utf8)]
        var expected: [UInt8] = []
        for mask in 0..<8 {
            let some = pieces.indices.map { mask & 1 << $0 == 0 ? [] : pieces[$0] }
            expected += some.flatMap { $0 }
            let count = some.reduce(0) { $0 + $1.count }
            #expect(write(some, to: connection, in: world) == .wrote(count))
        }
        #expect(client.receive() == expected)
    }

    @Test("A socket that is full takes a part, then nothing, and says when there is room")
    func full() throws {
        let world = try Recorder()
        let (connection, _) = try world.connectedPair(host: "127.0.0.1")
        let much = [UInt8](repeating: 7, count: 8 << 20)
        guard case .wrote(let count) = write([much, much, much], to: connection, in: world) else {
            Issue.record("the write failed")
            return
        }
        #expect(count > 0 && count < 3 * much.count)
        #expect(write([[1], [2], [3]], to: connection, in: world) == .wrote(0))
    }

    @Test("A connection that is gone is an error")
    func gone() throws {
        let world = try Recorder()
        let (connection, _) = try world.connectedPair(host: "127.0.0.1")
        world.loop.close(connection)
        guard case .failed = write([[1], [2], []], to: connection, in: world) else {
            Issue.record("a closed connection took bytes")
            return
        }
    }

    private func write(_ pieces: [[UInt8]], to connection: Token, in world: Recorder) -> WriteOutcome {
        pieces[0].withUnsafeBytes { first in
            pieces[1].withUnsafeBytes { second in
                pieces[2].withUnsafeBytes { third in
                    world.loop.write(connection, ByteView(first), ByteView(second), ByteView(third))
                }
            }
        }
    }
}
