import BrokerCore
import Bytes
import ConnectionCore
import Engine
import Reactor
import Support
import Testing
import Transport
import WebSocket

@Suite struct WebSocketServerTests {
    private static let request = """
        'GET / HTTP/1.1' 0d0a 'Host: a' 0d0a 'Upgrade: websocket' 0d0a 'Connection: Upgrade' 0d0a \
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' 0d0a 'Sec-WebSocket-Version: 13' 0d0a \
        'Sec-WebSocket-Protocol: mqtt' 0d0a 0d0a
        """

    /// Turns until the peer has the answer to its handshake.
    private func open(_ peer: Peer, in world: ServerWorld) throws {
        try peer.send(Self.request)
        let isOpen = world.turns {
            peer.read()
            return peer.received.suffix(4) == [13, 10, 13, 10]
        }
        try #require(isOpen)
        peer.clear()
    }

    /// A peer that has its CONNACK.
    private func client(_ world: ServerWorld, receiveBuffer: Int32? = nil) throws -> Peer {
        let peer = try world.webSocketPeer(receiveBuffer: receiveBuffer)
        try open(peer, in: world)
        try peer.send("82 8f 00000000 | 10 0d 0004 'MQTT' 04 02 0000 0001 'b'")
        #expect(world.hears(peer, "82 04 | 20 02 00 00"))
        return peer
    }

    @Test("A message goes from a WebSocket to a TCP client and back, a frame for each turn [MQTT-6.0.0-2]")
    func message() throws {
        let world = try ServerWorld()
        let browser = try client(world)
        let plain = try world.client("plain")
        try browser.send("82 88 00000000 | 82 06 0001 0001 'd' 00")
        #expect(world.hears(browser, "82 05 | 90 03 0001 00"))
        try plain.send("82 06 0001 0001 'u' 00")
        #expect(world.hears(plain, "90 03 0001 00"))
        try browser.send("82 86 00000000 | 30 04 0001 'u' 'x'")
        #expect(world.hears(plain, "30 04 0001 'u' 'x'"))
        try plain.send("30 04 0001 'd' 'y' 30 04 0001 'd' 'z'")
        #expect(world.hears(browser, "82 0c | 30 04 0001 'd' 'y' 30 04 0001 'd' 'z'"))
        let opened = world.takeEvents().contains { if case .webSocketOpened = $0 { true } else { false } }
        #expect(opened)
    }

    @Test("A handshake that is refused is answered, logged, and frees its connection [attack 91]")
    func refused() throws {
        let world = try ServerWorld()
        let peer = try world.webSocketPeer()
        try peer.send("10 0d 0004 'MQTT' 04 02 0000 0001 'b'")
        #expect(world.ends(peer))
        #expect(peer.received.starts(with: Array("HTTP/1.1 400 ".utf8)))
        #expect(world.server.engine.connections.count == 0)
        let words = world.takeEvents().compactMap { event in
            if case .connection(_, .ended(nil, .carrier(let words))) = event { words } else { nil }
        }
        #expect(words == ["WebSocket handshake refused, 400 Bad Request: this is no HTTP request"])
    }

    @Test("The time for CONNECT is the time for the handshake too [attack 91]")
    func timeout() throws {
        let world = try ServerWorld { $0.connections.connectTimeout = .milliseconds(20) }
        let silent = try world.webSocketPeer()
        #expect(world.ends(silent))
        #expect(silent.received.isEmpty)
        let opened = try world.webSocketPeer()
        try opened.send(Self.request)
        #expect(world.ends(opened))
        #expect(opened.received.suffix(4) == [0x88, 2, 0x03, 0xE8])
        #expect(world.server.engine.connections.counters.connectTimeouts == 2)
    }

    @Test("Pings do not put off MQTT's keep-alive, which is to hear of MQTT [M-54]")
    func keepAlive() throws {
        let world = try ServerWorld()
        let peer = try world.webSocketPeer()
        try open(peer, in: world)
        try peer.send("82 8f 00000000 | 10 0d 0004 'MQTT' 04 02 0001 0001 'b'")
        #expect(world.hears(peer, "82 04 | 20 02 00 00"))
        let isEnded = world.turns {
            peer.send([0x89, 0x80, 0, 0, 0, 0])
            peer.read()
            return peer.isEnded
        }
        #expect(isEnded)
        #expect(world.server.engine.connections.counters.keepAliveTimeouts == 1)
    }

    @Test("DISCONNECT is answered with Close 1000, the server's end with 1001 [M-56]")
    func close() throws {
        let world = try ServerWorld()
        let leaving = try client(world)
        try leaving.send("82 82 00000000 | e0 00")
        #expect(world.hears(leaving, "88 02 03e8"))
        // The client has the last word, and the connection ends behind it.
        #expect(!leaving.isEnded)
        #expect(world.server.loop.lingering == 1)
        // What was under way is not its answer, nor is the beginning of one.
        for bytes in ["82 82 00000000 c0 00", "89 80 00000000", "88 82 0000"] {
            try leaving.send(bytes)
            for _ in 0..<10 { world.server.loop.turn(world.server, timeout: .milliseconds(1)) }
            leaving.read()
            #expect(!leaving.isEnded && leaving.received.isEmpty)
        }
        try leaving.send("0000 03e8")
        #expect(world.ends(leaving))
        let staying = try client(world)
        world.server.stop(now: world.server.loop.now)
        #expect(world.hears(staying, "88 02 03e9"))
        try staying.send("88 82 00000000 03e9")
        #expect(world.ends(staying))
    }

    @Test("A reader that stops and goes on gets every byte of every frame [attack 86]")
    func slowReader() throws {
        let world = try ServerWorld { $0.connections.outputBytesMax = 1 << 20 }
        let slow = try client(world, receiveBuffer: 4_096)
        try slow.send("82 88 00000000 | 82 06 0001 0001 'a' 00")
        #expect(world.hears(slow, "82 05 | 90 03 0001 00"))
        let writer = try world.client("writer")
        let message = try FixtureNotation.bytes("30 83 20 0001 'a' 'x'*4096")
        let count = try fill(slow, from: writer, message, in: world)
        let isDone = world.turns {
            slow.read()
            let expected = count * message.count
            return slow.received.count > expected && Frames(slow.received).messages.count == expected
        }
        #expect(isDone)
        let frames = Frames(slow.received)
        #expect(frames.messages == Array(repeating: message, count: count).flatMap { $0 })
        #expect(frames.pongs > 0)
        #expect(world.server.engine.broker.counters.droppedSlowLink == 0)
    }

    /// Publishes to a client until the system takes no more for it, and a bit beyond; pings come in between. Returns
    /// how many messages it should get.
    private func fill(_ slow: Peer, from writer: Peer, _ message: [UInt8], in world: ServerWorld) throws -> Int {
        var count = 0
        while world.server.engine.output(of: 0).count < 100_000, count < 20_000 {
            var rest = message[...]
            let isSent = world.turns {
                rest = rest.dropFirst(writer.send(rest))
                return rest.isEmpty
            }
            try #require(isSent)
            try slow.send("89 81 00000000 'p'")
            world.server.loop.turn(world.server, timeout: .zero)
            count += 1
        }
        return count
    }

    @Test(
        "A Close from either side goes out behind all that waits, however full the socket is (RFC 6455 §5.5.1)",
        arguments: [
            ("88 82 00000000 03e8", "03e8"), ("81 81 00000000 'x'", "03eb"), ("82 00", "03ea"), ("stop", "03e9"),
        ])
    func closeBehindOutput(sent: String, code: String) throws {
        let world = try ServerWorld { $0.connections.outputBytesMax = 1 << 20 }
        let slow = try client(world, receiveBuffer: 4_096)
        try slow.send("82 88 00000000 | 82 06 0001 0001 'a' 00")
        #expect(world.hears(slow, "82 05 | 90 03 0001 00"))
        let writer = try world.client("writer")
        let message = try FixtureNotation.bytes("30 83 20 0001 'a' 'x'*4096")
        let count = try fill(slow, from: writer, message, in: world)
        if sent == "stop" {
            // The last message may still be under way.
            for _ in 0..<20 { world.server.loop.turn(world.server, timeout: .milliseconds(1)) }
            world.server.stop(now: world.server.loop.now)
        } else {
            try slow.send(sent)
        }
        let expected = try FixtureNotation.bytes("88 02 \(code)")
        #expect(
            world.turns {
                slow.read()
                return slow.received.suffix(4) == expected[...]
            })
        #expect(Frames(slow.received).messages == Array(repeating: message, count: count).flatMap { $0 })
        if sent == "stop" { try slow.send("88 82 00000000 03e9") }
        #expect(world.ends(slow))
    }
}

/// The whole frames at the front of what a server wrote.
private struct Frames {
    var messages: [UInt8] = []
    var pongs = 0

    init(_ bytes: [UInt8]) {
        var index = 0
        while index + 4 <= bytes.count {
            let isLong = bytes[index + 1] == 126
            let count = isLong ? Int(bytes[index + 2]) << 8 | Int(bytes[index + 3]) : Int(bytes[index + 1])
            let start = index + (isLong ? 4 : 2)
            guard start + count <= bytes.count else { return }
            if bytes[index] == 0x82 { messages += bytes[start..<(start + count)] }
            if bytes[index] == 0x8A { pongs += 1 }
            index = start + count
        }
    }
}
