import BrokerCore
import Bytes
import Clockwork
import ConnectionCore
import Engine
import MQTTWire
import Messaging
import Reactor
import Support
import Testing
import Transport

@Suite struct ServerTests {
    @Test("A message goes from one client to another over TCP")
    func message() throws {
        let world = try ServerWorld()
        let reader = try world.client("reader")
        let writer = try world.client("writer")
        try reader.send("82 08 0001 0003 'a/b' 01")
        #expect(world.hears(reader, "90 03 0001 01"))
        try writer.send("32 08 0003 'a/b' 0007 'x'")
        #expect(world.hears(writer, "40 02 0007"))
        #expect(world.hears(reader, "32 08 0003 'a/b' 0001 'x'"))
        try reader.send("40 02 0001 e0 00")
        #expect(world.ends(reader))
        #expect(world.server.engine.connections.count == 1)
    }

    @Test("A packet that comes in pieces, and many that come at once")
    func pieces() throws {
        let world = try ServerWorld()
        let peer = try world.peer()
        for byte in try FixtureNotation.bytes("10 0d 0004 'MQTT' 04 02 0000 0001 'p'") {
            peer.send([byte])
            world.server.loop.turn(world.server, timeout: .zero)
        }
        #expect(world.hears(peer, "20 02 00 00"))
        try peer.send("(c0 00)*500")
        #expect(world.hears(peer, "(d0 00)*500"))
    }

    @Test("What a device publishes reaches an MQTT client, and the other way round")
    func device() throws {
        let world = try ServerWorld()
        let client = try world.client("client")
        try client.send("82 07 0001 0002 'ab' 00")
        #expect(world.hears(client, "90 03 0001 00"))
        let device = try world.device()
        try device.send("0a 04 04 01 003c 'node'")
        #expect(world.hears(device, "03 05 00"))
        try device.send("08 0c 02 'ab' 0000 'x'")
        #expect(world.hears(client, "30 05 0002 'ab' 'x'"))
        try device.send("07 12 02 0001 'cd'")
        #expect(world.hears(device, "08 13 00 0000 0001 00"))
        try client.send("30 05 0002 'cd' 'y'")
        #expect(world.hears(device, "08 0c 02 'cd' 0000 'y'"))
    }

    @Test("A datagram that is no message gets no answer, and the next one does [attack 97]")
    func badDatagram() throws {
        let world = try ServerWorld()
        let device = try world.device()
        for bad in ["02", "01 00 03", "ff 04 04 01 003c 'a'", "00 04"] { try device.send(bad) }
        try device.send("0a 04 04 01 003c 'node'")
        #expect(world.hears(device, "03 05 00"))
    }

    @Test("A reader that never reads: its messages are dropped, memory is bounded, others are served [attack 86]")
    func slowReader() throws {
        let world = try ServerWorld { $0.connections.outputBytesMax = 128 << 10 }
        let slow = try world.client("slow", receiveBuffer: 4_096)
        let quick = try world.client("quick")
        let writer = try world.client("writer")
        for reader in [slow, quick] {
            try reader.send("82 06 0001 0001 'a' 00")
            #expect(world.hears(reader, "90 03 0001 00"))
        }
        let message = try FixtureNotation.bytes("30 83 20 0001 'a' 'x'*4096")
        var sent = 0
        while world.server.engine.broker.counters.droppedSlowLink < 100, sent < 20_000 {
            sent += 1
            var rest = message[...]
            let isSent = world.turns {
                rest = rest.dropFirst(writer.send(rest))
                quick.read()
                return rest.isEmpty
            }
            try #require(isSent)
        }
        #expect(world.server.engine.broker.counters.droppedSlowLink >= 100)
        for slot in 0..<3 { #expect(world.server.engine.output(of: slot).count <= 200 << 10) }
        // Everything came to the one that reads.
        #expect(
            world.turns {
                quick.read()
                return quick.received.count == sent * message.count
            })
        // The other one reads again, and gets what is published from then on.
        #expect(
            world.turns {
                slow.read()
                return world.server.engine.output(of: 0).isEmpty
            })
        slow.read()
        slow.clear()
        try writer.send("30 04 0001 'a' 'y'")
        #expect(
            world.turns {
                slow.read()
                return slow.received.last == UInt8(ascii: "y")
            })
    }

    @Test("A last DISCONNECT that the system does not take at once still arrives, behind all that waits")
    func lastDisconnect() throws {
        let world = try ServerWorld { $0.connections.outputBytesMax = 1 << 20 }
        let slow = try world.peer(receiveBuffer: 4_096)
        try slow.send("10 0e 0004 'MQTT' 05 02 0000 00 0001 's'")
        #expect(
            world.turns {
                slow.read()
                return !slow.received.isEmpty
            })
        slow.clear()
        try slow.send("82 07 0001 00 0001 'a' 00")
        #expect(world.hears(slow, "90 04 0001 00 00"))
        let writer = try world.client("writer")
        let message = try FixtureNotation.bytes("30 83 20 0001 'a' 'x'*4096")
        var count = 0
        while world.server.engine.output(of: 0).count < 100_000, count < 20_000 {
            count += 1
            var rest = message[...]
            let isSent = world.turns {
                rest = rest.dropFirst(writer.send(rest))
                return rest.isEmpty
            }
            try #require(isSent)
            world.server.loop.turn(world.server, timeout: .zero)
        }
        // The last message may still be under way.
        for _ in 0..<20 { world.server.loop.turn(world.server, timeout: .milliseconds(1)) }
        world.server.stop(now: world.server.loop.now)
        #expect(world.ends(slow))
        // Toward MQTT 5 each message has one byte more, the length of its properties.
        let all = slow.received
        #expect(all.count > count * (message.count + 1))
        #expect(all.dropFirst(count * (message.count + 1)).starts(with: [0xE0]))
        #expect(all.contains(0x8B))
    }

    @Test("Many writers in one turn do not overrun a reader that reads")
    func manyWriters() throws {
        let world = try ServerWorld { $0.connections.outputBytesMax = 64 << 10 }
        let reader = try world.client("reader")
        try reader.send("82 06 0001 0001 'a' 00")
        #expect(world.hears(reader, "90 03 0001 00"))
        let writers = try (0..<4).map { try world.client("writer \($0)") }
        let messages = try FixtureNotation.bytes("(30 83 08 0001 'a' 'x'*1024)*50")
        for writer in writers { #expect(writer.send(messages[...]) == messages.count) }
        #expect(
            world.turns {
                reader.read()
                return reader.received.count == 4 * messages.count
            })
        #expect(world.server.engine.broker.counters.droppedSlowLink == 0)
    }

    @Test("A flood from one client keeps no other waiting [attack 12]")
    func fairness() throws {
        let world = try ServerWorld()
        let flooder = try world.client("flooder")
        let other = try world.client("other")
        let flood = try FixtureNotation.bytes("(30 04 0001 'a' 'x')*100000")
        #expect(flooder.send(flood[...]) > 64 << 10)
        try other.send("c0 00")
        // One turn reads each of them once: the answer is there, most of the flood is not.
        world.server.loop.turn(world.server, timeout: .seconds(1))
        other.read()
        #expect(other.received == [0xD0, 0x00])
        #expect(world.server.engine.connections.counters.packetsReceived < 20_000)
    }

    @Test("A reset in the middle of a packet frees the connection and publishes the will [attack 88]")
    func reset() throws {
        let world = try ServerWorld()
        let reader = try world.client("reader")
        try reader.send("82 06 0001 0001 'w' 00")
        #expect(world.hears(reader, "90 03 0001 00"))
        for _ in 0..<50 {
            let peer = try world.peer()
            try peer.send("10 16 0004 'MQTT' 04 06 003c 0001 'p' 0001 'w' 0004 'gone'")
            #expect(world.hears(peer, "20 02 00 00"))
            try peer.send("30 7f 0001 'a' 'xxxx'")
            peer.reset()
            #expect(world.hears(reader, "30 07 0001 'w' 'gone'"))
            #expect(world.server.engine.connections.count == 1)
        }
    }

    @Test("A client that breaks a rule hears why and is closed, and the operator is told")
    func violation() throws {
        let world = try ServerWorld()
        let peer = try world.peer()
        try peer.send("10 0e 0004 'MQTT' 05 02 003c 00 0001 'p' | 00 00")
        #expect(world.ends(peer))
        // The code, and in words what was wrong.
        let text = Array("packet type 0 is forbidden".utf8)
        #expect(peer.received.suffix(text.count + 7).prefix(3) == [0xE0, 0x1F, 0x82])
        #expect(peer.received.suffix(text.count) == text[...])
        let ended = world.takeEvents().contains { event in
            if case .connection(_, .ended("p", .violated(.protocolError))) = event { true } else { false }
        }
        #expect(ended)
        let silent = try world.peer()
        try silent.send("30 ff ff ff 7f")
        #expect(world.ends(silent))
        #expect(silent.received.isEmpty)
    }

    @Test("CONNECT that does not come ends the connection by the loop's own deadline [attack 44]")
    func connectTimeout() throws {
        let world = try ServerWorld { $0.connections.connectTimeout = .milliseconds(20) }
        let peer = try world.peer()
        #expect(world.ends(peer))
        #expect(world.server.engine.connections.counters.connectTimeouts == 1)
    }

    @Test("One connection too many is closed at once, and the operator is told")
    func turnedAway() throws {
        let world = try ServerWorld { $0.connections.connectionsMax = 1 }
        let first = try world.client("first")
        _ = world.takeEvents()
        let second = try world.peer()
        #expect(world.ends(second))
        let isTold = world.takeEvents().contains { if case .turnedAway = $0 { true } else { false } }
        #expect(isTold)
        try first.send("c0 00")
        #expect(world.hears(first, "d0 00"))
    }

    @Test("The server's end: MQTT 5 clients hear 0x8B, all are closed, and nobody gets in any more")
    func stop() throws {
        let world = try ServerWorld()
        let old = try world.client("old")
        let new = try world.peer()
        try new.send("10 0e 0004 'MQTT' 05 02 003c 00 0001 'p'")
        let isConnected = world.turns {
            new.read()
            return !new.received.isEmpty
        }
        try #require(isConnected)
        new.clear()
        world.server.stop(now: world.server.loop.now)
        #expect(world.ends(new))
        #expect(new.received.first == 0xE0 && new.received[2] == 0x8B)
        #expect(world.ends(old))
        #expect(old.received.isEmpty)
        #expect(world.server.engine.connections.count == 0)
        let isTold = world.takeEvents().contains { if case .stopping = $0 { true } else { false } }
        #expect(isTold)
        // A second time nothing happens.
        world.server.stop(now: world.server.loop.now)
        #expect(world.takeEvents().isEmpty)
    }
}
