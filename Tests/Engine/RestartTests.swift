import BrokerCore
import Bytes
import Clockwork
import Engine
import GatewayCore
import Journal
import MQTTSNWire
import Messaging
import Store
import Testing

/// A gateway whose process ends at any time, and one with the same database that begins.
private struct Lives {
    var settings = EngineSettings()
    var engine: Engine
    var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_700_000_000)
    /// MsgId of the last REGISTER or PUBLISH that was sent.
    var msgID: UInt16 = 0
    private let database: Database
    private let writer: StoreWriter

    init(_ edit: (inout EngineSettings) -> Void = { _ in }) throws {
        settings.sysInterval = nil
        settings.broker.isDurable = true
        edit(&settings)
        engine = Engine(settings: settings, seed: 1, now: now)
        database = try Database(path: ":memory:")
        writer = try StoreWriter(database, isDurable: false)
    }

    /// Everything is safe; what had waited for it.
    mutating func commit() throws -> [String] {
        guard let batch = engine.takeBatch() else { return [] }
        engine.clearOutbox()
        try writer.write([batch])
        engine.committed(batch.number)
        return sent()
    }

    /// What is not safe is lost. What the next gateway says by itself.
    mutating func crash(_ edit: (inout EngineSettings) -> Void = { _ in }) throws -> [String] {
        engine.tearDown()
        edit(&settings)
        engine = Engine(settings: settings, seed: UInt64(now.unixSeconds), now: now)
        var restorer = EngineRestorer(now: now)
        try StoreReader(database).read { restorer.take($0, into: &engine) }
        restorer.finish(&engine)
        #expect(restorer.omitted == 0)
        return sent()
    }

    /// What a message leads to at once.
    mutating func hear(_ packet: SNPacket, port: UInt16 = 1, listener: UInt16 = 0) -> [String] {
        engine.clearOutbox()
        let path = DatagramPath(remote: PeerAddress(ipv4: 0x7F00_0001, port: port), listener: listener)
        var output = OutputBuffer()
        defer { output.deallocate() }
        _ = packet.encode(into: &output)
        engine.datagramReceived(output.pending, from: path, now: now)
        return sent()
    }

    /// What it leads to at last.
    mutating func say(_ packet: SNPacket, port: UInt16 = 1, listener: UInt16 = 0) throws -> [String] {
        try hear(packet, port: port, listener: listener) + commit()
    }

    mutating func pass(_ seconds: Int64) throws -> [String] {
        engine.clearOutbox()
        now = Now(instant: now.instant + .seconds(seconds), unixSeconds: now.unixSeconds + seconds)
        engine.advance(to: now)
        return try sent() + commit()
    }

    /// A device with topic id 1 for "a", to which it has subscribed.
    mutating func device(_ name: String = "dev", port: UInt16 = 1, qos: QoS = .atLeastOnce) throws {
        #expect(try say(connect(name), port: port) == ["\(port) CONNACK 0"])
        let subscribe = SNSubscribe(dup: false, qos: qos, msgID: 1, topic: .name(bytes("a")))
        #expect(try say(.subscribe(subscribe), port: port) == ["\(port) SUBACK 1 0"])
    }

    /// Somebody else publishes to "a".
    mutating func publish(_ text: String, qos: SNQoS = .one) throws -> [String] {
        _ = try say(connect("other", clean: true), port: 99)
        _ = try say(.register(topicID: 0, msgID: 1, topicName: bytes("a")), port: 99)
        let publish = try say(publication(qos, 1, 7, text), port: 99)
        let released = qos == .two ? try say(.pubrel(msgID: 7), port: 99) : []
        return (publish + released).filter { !$0.hasPrefix("99 ") }
    }

    private mutating func sent() -> [String] {
        let lines = engine.outbox.entries.map { entry in
            "\(entry.path.remote.port) " + words(engine.outbox.bytes(of: entry))
        }
        engine.clearOutbox()
        return lines
    }

    private mutating func words(_ bytes: ByteView) -> String {
        guard let packet = try? SNPacket.decode(bytes) else { return "?" }
        switch packet {
        case .connack(let code): return "CONNACK \(code.rawValue)"
        case .regack(let id, _, let code): return "REGACK \(id) \(code.rawValue)"
        case .suback(_, let id, _, let code): return "SUBACK \(id) \(code.rawValue)"
        case .puback(let id, _, let code): return "PUBACK \(id) \(code.rawValue)"
        case .pubrec: return "PUBREC"
        case .pubrel: return "PUBREL"
        case .pubcomp: return "PUBCOMP"
        case .pingresp: return "PINGRESP"
        case .pingreq: return "PINGREQ"
        case .disconnect: return "DISCONNECT"
        case .willTopicResp(let code): return "WILLTOPICRESP \(code.rawValue)"
        case .willMsgResp(let code): return "WILLMSGRESP \(code.rawValue)"
        case .register(let id, let msgID, let name):
            self.msgID = msgID
            return "REGISTER \(id) \(ByteString(name))"
        case .publish(let publish):
            msgID = publish.msgID
            let dup = publish.dup ? " again" : ""
            return "PUBLISH \(publish.topicIDType.rawValue):\(publish.topicID) \(ByteString(publish.data))\(dup)"
        case .encapsulated(_, let node, let message): return "node \(ByteString(node)) " + words(message)
        default: return "\(packet)"
        }
    }
}

private func connect(_ name: String, clean: Bool = false, will: Bool = false, duration: UInt16 = 60) -> SNPacket {
    .connect(
        SNConnect(will: will, cleanSession: clean, protocolID: 1, duration: duration, clientID: bytes(name)))
}

private func publication(_ qos: SNQoS, _ id: UInt16, _ msgID: UInt16, _ text: String) -> SNPacket {
    .publish(
        SNPublish(
            dup: false, qos: qos, retain: false, topicIDType: .normal, topicID: id, msgID: msgID, data: bytes(text)))
}

private func sleep(_ seconds: UInt16) -> SNPacket { .disconnect(duration: seconds) }

private func wake(_ name: String = "dev") -> SNPacket { .pingreq(clientID: bytes(name)) }

private func wrapped(_ node: String, _ packet: SNPacket) -> SNPacket {
    var output = OutputBuffer()
    _ = packet.encode(into: &output)
    return .encapsulated(radius: 0, wirelessNodeID: bytes(node), message: output.pending)
}

/// The bytes of a text, for as long as the tests run.
private func bytes(_ text: String) -> ByteView {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, text.utf8.count), alignment: 1)
    memory.copyBytes(from: text.utf8)
    return ByteView(start: UnsafeRawPointer(memory.baseAddress), count: text.utf8.count)
}

/// Devices do not notice that the gateway was started anew (DESIGN §5).
@Suite struct RestartTests {
    @Test("Who sleeps wakes by PINGREQ and gets what waited under the ids that it knows [D-03] [D-100] [attack 131]")
    func asleep() throws {
        var lives = try Lives()
        try lives.device()
        #expect(try lives.say(sleep(100)) == ["1 DISCONNECT"])
        #expect(try lives.publish("one") == [])
        #expect(try lives.crash() == [])
        #expect(try lives.publish("two") == [])
        #expect(try lives.crash() == [])
        #expect(lives.engine.gateway.state(of: 0) == .asleep)
        #expect(try lives.say(wake()) == ["1 PUBLISH 0:1 one"])
        #expect(try lives.say(.puback(topicID: 1, msgID: lives.msgID, .accepted)) == ["1 PUBLISH 0:1 two"])
        #expect(try lives.say(.puback(topicID: 1, msgID: lives.msgID, .accepted)) == ["1 PINGRESP"])
        // All 100 seconds and their tolerance begin with the restart; then it is lost.
        #expect(try lives.pass(100) == [])
        #expect(try lives.crash() == [])
        #expect(try lives.pass(109) == [])
        #expect(lives.engine.gateway.state(of: 0) == .asleep)
        _ = try lives.pass(2)
        #expect(lives.engine.gateway.state(of: 0) == .lost)
        _ = try lives.crash()
        #expect(lives.engine.gateway.state(of: 0) == .lost)
        #expect(try lives.say(wake()) == ["1 DISCONNECT"])
    }

    @Test("Who is active goes on: its ids mean the same; it is told of them again before PUBLISH [D-103] [attack 131]")
    func active() throws {
        var lives = try Lives()
        try lives.device()
        #expect(try lives.say(.register(topicID: 0, msgID: 2, topicName: bytes("b"))) == ["1 REGACK 2 0"])
        #expect(try lives.crash() == [])
        #expect(try lives.say(publication(.one, 1, 5, "self")) == ["1 REGISTER 1 a", "1 PUBACK 1 0"])
        _ = try lives.say(.regack(topicID: 1, msgID: lives.msgID, .accepted))
        // PUBACK was lost with the gateway: the message comes again as a repetition.
        #expect(try lives.crash() == ["1 REGISTER 1 a"])
        #expect(try lives.say(.regack(topicID: 1, msgID: lives.msgID, .accepted)) == ["1 PUBLISH 0:1 self again"])
        #expect(try lives.say(.puback(topicID: 1, msgID: lives.msgID, .accepted)) == [])
        #expect(try lives.say(.register(topicID: 0, msgID: 3, topicName: bytes("c"))) == ["1 REGACK 3 0"])
        #expect(try lives.say(.register(topicID: 0, msgID: 3, topicName: bytes("b"))) == ["1 REGACK 2 0"])
        #expect(try lives.say(.pingreq(clientID: .empty)) == ["1 PINGRESP"])
    }

    @Test("What a device is told waits until it is safe; a wake costs no record and no wait [D-101]")
    func promises() throws {
        var lives = try Lives()
        let name = bytes("w")
        let words: [(SNPacket, String)] = [
            (connect("dev"), "CONNACK 0"),
            (.register(topicID: 0, msgID: 1, topicName: bytes("b")), "REGACK 1 0"),
            (.subscribe(SNSubscribe(dup: false, qos: .atLeastOnce, msgID: 1, topic: .name(bytes("a")))), "SUBACK 2 0"),
            (.willTopicUpd(SNWillTopic(qos: .atLeastOnce, retain: false, topic: name)), "WILLTOPICRESP 0"),
            (.willMsgUpd(name), "WILLMSGRESP 0"),
            (sleep(100), "DISCONNECT"),
        ]
        for (word, answer) in words {
            #expect(lives.hear(word) == [], "\(answer)")
            #expect(try lives.commit() == ["1 " + answer])
        }
        for _ in 0..<3 {
            #expect(lives.hear(wake()) == ["1 PINGRESP"])
            #expect(lives.engine.takeBatch() == nil)
        }
        #expect(lives.hear(sleep(100)) == ["1 DISCONNECT"])
        #expect(lives.hear(sleep(200)) == [])
        #expect(try lives.commit() == ["1 DISCONNECT"])
        // A new address is written, and not waited for: who moved can move again [D-104].
        #expect(lives.hear(wake(), port: 2) == ["2 PINGRESP"])
        #expect(lives.engine.takeBatch() != nil)
        // Whoever starts clean waits for nothing.
        #expect(lives.hear(connect("clean", clean: true), port: 3) == ["3 CONNACK 0"])
        #expect(lives.hear(.register(topicID: 0, msgID: 1, topicName: bytes("z")), port: 3) == ["3 REGACK 1 0"])
    }

    @Test("The id of REGISTER is safe before that leaves, and known afterwards [D-03] [attack 131]")
    func register() throws {
        var lives = try Lives()
        _ = try lives.say(connect("dev"))
        let subscribe = SNSubscribe(dup: false, qos: .atLeastOnce, msgID: 1, topic: .name(bytes("#")))
        #expect(try lives.say(.subscribe(subscribe)) == ["1 SUBACK 0 0"])
        _ = try lives.say(connect("other", clean: true), port: 99)
        _ = try lives.say(.register(topicID: 0, msgID: 1, topicName: bytes("a")), port: 99)
        let sent = lives.hear(publication(.zero, 1, 0, "x"), port: 99)
        #expect(sent == [])
        #expect(try lives.commit() == ["1 REGISTER 1 a"])
        #expect(try lives.say(.regack(topicID: 1, msgID: lives.msgID, .accepted)) == ["1 PUBLISH 0:1 x"])
        #expect(try lives.crash() == [])
        #expect(try lives.publish("y") == ["1 REGISTER 1 a"])
        #expect(try lives.say(.regack(topicID: 1, msgID: lives.msgID, .accepted)) == ["1 PUBLISH 0:1 y"])
    }

    @Test("Handshakes at QoS 2 go on where they were, both ways")
    func exactlyOnce() throws {
        var lives = try Lives()
        try lives.device(qos: .exactlyOnce)
        #expect(try lives.publish("x", qos: .two) == ["1 PUBLISH 0:1 x"])
        let first = lives.msgID
        #expect(try lives.crash() == ["1 REGISTER 1 a"])
        #expect(try lives.say(.regack(topicID: 1, msgID: lives.msgID, .accepted)) == ["1 PUBLISH 0:1 x again"])
        #expect(lives.msgID == first)
        #expect(try lives.say(.pubrec(msgID: first)) == ["1 PUBREL"])
        #expect(try lives.crash() == ["1 PUBREL"])
        #expect(try lives.say(.pubcomp(msgID: first)) == [])
        #expect(try lives.crash() == [])

        #expect(try lives.say(publication(.two, 1, 9, "mine")) == ["1 PUBREC"])
        #expect(try lives.crash() == [])
        #expect(try lives.say(publication(.two, 1, 9, "mine")) == ["1 PUBREC"])
        let released = try lives.say(.pubrel(msgID: 9))
        #expect(released.sorted() == ["1 PUBCOMP", "1 REGISTER 1 a"])
    }

    @Test("A new address of a sleeper, and a node behind a forwarder, are still theirs [D-13] [D-48]")
    func addresses() throws {
        var lives = try Lives {
            $0.gateway.unlisted.forwarders = [.init(address: PeerAddress(ipv4: 0x7F00_0001, port: 0), prefixBits: 32)]
        }
        try lives.device()
        _ = try lives.say(sleep(100))
        #expect(try lives.say(wake(), port: 2) == ["2 PINGRESP"])
        _ = try lives.say(wrapped("n", connect("node")), port: 7)
        _ = try lives.crash()
        #expect(try lives.say(.pingreq(clientID: .empty), port: 1) == ["1 DISCONNECT"])
        #expect(try lives.say(.pingreq(clientID: .empty), port: 2) == ["2 PINGRESP"])
        #expect(
            try lives.say(wrapped("n", .register(topicID: 0, msgID: 1, topicName: bytes("a"))), port: 7)
                == ["7 node n REGACK 1 0"])
    }

    @Test("The will of a device that stays silent after the restart is published [D-22] [D-100]")
    func will() throws {
        var lives = try Lives()
        try lives.device("watcher", port: 2)
        _ = try lives.say(sleep(10_000), port: 2)
        _ = try lives.say(connect("dev"))
        _ = try lives.say(.willTopicUpd(SNWillTopic(qos: .atLeastOnce, retain: false, topic: bytes("a"))))
        _ = try lives.say(.willMsgUpd(bytes("gone")))
        _ = try lives.crash()
        _ = try lives.pass(89)
        #expect(lives.engine.gateway.state(of: 1) == .active)
        _ = try lives.pass(2)
        #expect(lives.engine.gateway.state(of: 1) == .lost)
        #expect(try lives.say(wake("watcher"), port: 2) == ["2 PUBLISH 0:1 gone"])
    }

    @Test("Ids stay what they are when there are more predefined ones: TopicIdType tells them apart [D-102]")
    func otherBase() throws {
        var lives = try Lives()
        try lives.device()
        _ = try lives.say(sleep(100))
        _ = try lives.publish("x")
        _ = try lives.crash { $0.gateway.unlisted.predefinedTopics = [.init(id: 1, name: "pre")] }
        #expect(try lives.say(wake()) == ["1 PUBLISH 0:1 x"])
        _ = try lives.say(.puback(topicID: 1, msgID: lives.msgID, .accepted))
        _ = try lives.say(connect("dev"))
        #expect(try lives.say(.register(topicID: 0, msgID: 2, topicName: bytes("b"))) == ["1 REGACK 2 0"])
    }

    @Test("A device whose listener is gone is told DISCONNECT, and finds its session when it connects")
    func noListener() throws {
        var lives = try Lives { $0.gateway.listeners = [.init(), .init()] }
        try lives.device()
        _ = try lives.publish("x")
        _ = try lives.crash { $0.gateway.listeners[0].isForDevices = false }
        #expect(lives.engine.gateway.state(of: 0) == .disconnected)
        #expect(try lives.say(.pingreq(clientID: .empty), listener: 1) == ["1 DISCONNECT"])
        #expect(try lives.say(connect("dev"), listener: 1) == ["1 CONNACK 0", "1 REGISTER 1 a"])
    }

    @Test("A slot's next device has nothing of the one before")
    func reusedSlot() throws {
        var lives = try Lives()
        try lives.device()
        #expect(try lives.say(.register(topicID: 0, msgID: 2, topicName: bytes("b"))) == ["1 REGACK 2 0"])
        #expect(try lives.say(connect("dev", clean: true)) == ["1 CONNACK 0"])
        #expect(try lives.say(.disconnect(duration: nil)) == ["1 DISCONNECT"])
        _ = try lives.say(connect("new"), port: 2)
        _ = try lives.crash()
        #expect(lives.engine.gateway.deviceCount == 1)
        #expect(try lives.say(.register(topicID: 0, msgID: 2, topicName: bytes("c")), port: 2) == ["2 REGACK 1 0"])
    }

    @Test("A predefined id that a device subscribed by is still what it receives by, unless it means something else")
    func aliases() throws {
        var lives = try Lives { $0.gateway.unlisted.predefinedTopics = [.init(id: 1, name: "a")] }
        _ = try lives.say(connect("dev"))
        let subscribe = SNSubscribe(dup: false, qos: .atMostOnce, msgID: 1, topic: .predefined(1))
        #expect(try lives.say(.subscribe(subscribe)) == ["1 SUBACK 1 0"])
        _ = try lives.crash()
        _ = try lives.say(connect("other", clean: true), port: 99)
        #expect(
            try lives.say(.register(topicID: 0, msgID: 1, topicName: bytes("a")), port: 99) == ["99 REGACK 2 0"])
        #expect(try lives.say(publication(.zero, 2, 0, "x"), port: 99) == ["1 PUBLISH 1:1 x"])
        _ = try lives.crash { $0.gateway.unlisted.predefinedTopics = [.init(id: 1, name: "b")] }
        _ = try lives.say(connect("other", clean: true), port: 99)
        _ = try lives.say(.register(topicID: 0, msgID: 1, topicName: bytes("a")), port: 99)
        #expect(try lives.say(publication(.zero, 2, 0, "x"), port: 99) == ["1 REGISTER 2 a"])
    }
}
