import Bytes
import Clockwork
import Engine
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

/// Encapsulation as bytes: what a forwarder sends, and what it gets.
@Suite struct ForwarderTests {
    /// An engine with a forwarder at 127.0.0.1, one message at a time.
    private struct World {
        var engine: Engine
        var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_700_000_000)

        init(_ edit: (inout EngineSettings) -> Void = { _ in }) {
            var settings = EngineSettings()
            settings.sysInterval = nil
            settings.gateway.unlisted.forwarders = [
                .init(address: PeerAddress(ipv4: 0x7F00_0001, port: 0), prefixBits: 32)
            ]
            edit(&settings)
            engine = Engine(settings: settings, seed: 1, now: now)
        }

        /// The datagrams that one leads to.
        mutating func send(_ bytes: [UInt8], port: UInt16 = 9) -> [[UInt8]] {
            engine.clearOutbox()
            let path = DatagramPath(remote: PeerAddress(ipv4: 0x7F00_0001, port: port))
            bytes.withUnsafeBytes { engine.datagramReceived(ByteView($0), from: path, now: now) }
            return engine.outbox.entries.map { entry in
                #expect(entry.path.remote.port == port || bytes.count > 2)
                return Array(engine.outbox.bytes(of: entry).memory)
            }
        }

        mutating func send(_ node: [UInt8], _ packet: SNPacket) -> [[UInt8]] {
            send(wrap(node, encoded(packet)))
        }
    }

    private static func connect(_ id: String) -> SNPacket {
        .connect(SNConnect(will: false, cleanSession: true, protocolID: 1, duration: 60, clientID: view(id)))
    }

    @Test("An answer comes in the encapsulation of its node, with Ctrl 0, as one datagram [D-61] [SN-5.5-3]")
    func answers() {
        var world = World()
        defer { world.engine.tearDown() }
        #expect(world.send([1, 2], Self.connect("a")) == [[5, 0xFE, 0, 1, 2, 3, 0x05, 0]])
        #expect(world.send([0xFF], Self.connect("b")) == [[4, 0xFE, 0, 0xFF, 3, 0x05, 0]])
        #expect(world.send([1, 2], .pingreq(clientID: .empty)) == [[5, 0xFE, 0, 1, 2, 2, 0x17]])
        #expect(world.send([3], .searchGW(radius: 2)) == [[4, 0xFE, 0, 3, 3, 0x02, 1]])
    }

    @Test("A delivery from node to node: REGISTER and PUBLISH, each wrapped for the receiver [SN-5.5] [SN-6.10]")
    func deliveries() {
        var world = World()
        defer { world.engine.tearDown() }
        let (one, two): ([UInt8], [UInt8]) = ([1], [2, 2])
        _ = world.send(one, Self.connect("one"))
        _ = world.send(two, Self.connect("two"))
        let subscribe = SNSubscribe(dup: false, qos: .atLeastOnce, msgID: 1, topic: .name(view("t/#")))
        #expect(world.send(two, .subscribe(subscribe)) == [wrap(two, [8, 0x13, 0x20, 0, 0, 0, 1, 0])])
        #expect(
            world.send(one, .register(topicID: 0, msgID: 2, topicName: view("t/a")))
                == [wrap(one, [7, 0x0B, 0, 1, 0, 2, 0])])
        let publish = SNPublish(
            dup: false, qos: .one, retain: false, topicIDType: .normal, topicID: 1, msgID: 3, data: view("x"))
        let sent = world.send(one, .publish(publish))
        #expect(sent.count == 2)
        #expect(sent.contains(wrap(one, [7, 0x0D, 0, 1, 0, 3, 0])))
        let register = sent.first { $0.starts(with: [5, 0xFE, 0, 2, 2, 9, 0x0A, 0, 1]) } ?? []
        #expect(register.suffix(3) == Array("t/a".utf8)[...])
        guard register.count == 14 else { return }
        let published = world.send(wrap(two, [7, 0x0B, 0, 1] + register[9..<11] + [0]))
        #expect(published.count == 1)
        #expect(published.first?.starts(with: [5, 0xFE, 0, 2, 2, 8, 0x0C, 0x20, 0, 1]) == true)
        #expect(published.first?.last == UInt8(ascii: "x"))
    }

    @Test("A reply to a stranger is never longer than the request, both wrapped [D-64] [attack 104] [attack 117]")
    func amplification() {
        let packets: [SNPacket] = [
            Self.connect("a"), .searchGW(radius: 0), .pingreq(clientID: .empty), .pingreq(clientID: view("id")),
            .disconnect(duration: nil), .pingresp, .pubrel(msgID: 1), .willTopic(nil), .willMsg(.empty),
            .register(topicID: 0, msgID: 1, topicName: view("t")), .puback(topicID: 1, msgID: 1, .accepted),
        ]
        for nodeBytes in [1, 2, 8, 32] {
            for packet in packets {
                var world = World()
                defer { world.engine.tearDown() }
                let request = wrap([UInt8](repeating: 9, count: nodeBytes), encoded(packet))
                let replies = world.send(request)
                #expect(replies.count == 1)
                #expect(replies.allSatisfy { $0.count <= request.count }, "\(packet)")
            }
        }
    }

    @Test("Bytes that begin like an encapsulation and are none are dropped [D-36] [attack 118]")
    func broken() {
        var world = World()
        defer { world.engine.tearDown() }
        let broken: [[UInt8]] = [
            [2, 0xFE], [3, 0xFE, 0], [4, 0xFE, 0, 1], [5, 0xFE, 0, 1], [0xFF, 0xFE, 0, 1, 2, 0x16],
            [1, 0, 6, 0xFE, 0, 1, 2, 0x16], [3, 0xFE, 0, 2, 0x16], [4, 0xFE, 0, 1, 2, 0x16, 0],
            [4, 0xFE, 0, 1, 3, 0x16], [4, 0xFE, 0, 1, 4, 0xFE, 0, 1, 2, 0x16],
        ]
        for bytes in broken { #expect(world.send(bytes) == []) }
        #expect(world.engine.gateway.counters.malformed == broken.count)
    }

    @Test("Header and message together are 65,535 bytes at most: at the limit, one more")
    func longest() {
        for (payload, isSent) in [(65_535 - 35 - 9, true), (65_535 - 35 - 8, false)] {
            var world = World { $0.gateway.unlisted.messageBytesMax = .max }
            defer { world.engine.tearDown() }
            let node = [UInt8](repeating: 5, count: 32)
            _ = world.send(node, Self.connect("a"))
            let subscribe = SNSubscribe(dup: false, qos: .atMostOnce, msgID: 1, topic: .short(0x6161))
            _ = world.send(node, .subscribe(subscribe))
            _ = world.send(encoded(Self.connect("b")), port: 10)
            let publish = SNPublish(
                dup: false, qos: .zero, retain: false, topicIDType: .short, topicID: 0x6161, msgID: 0,
                data: view([UInt8](repeating: 1, count: payload)))
            let sent = world.send(encoded(.publish(publish)), port: 10)
            #expect(sent.map(\.count) == (isSent ? [65_535] : []))
            #expect(world.engine.datagramCounters.tooLong == (isSent ? 0 : 1))
        }
    }
}

private func wrap(_ node: [UInt8], _ message: [UInt8]) -> [UInt8] {
    [UInt8(3 + node.count), 0xFE, 0] + node + message
}

private func encoded(_ packet: SNPacket) -> [UInt8] {
    var output = OutputBuffer()
    defer { output.deallocate() }
    packet.encode(into: &output)
    return Array(output.pending.memory)
}

/// The bytes of a text, for as long as the tests run.
private func view(_ text: String) -> ByteView { view(Array(text.utf8)) }

private func view(_ bytes: [UInt8]) -> ByteView {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
    memory.copyBytes(from: bytes)
    return ByteView(start: UnsafeRawPointer(memory.baseAddress), count: bytes.count)
}
