import Bytes
import Clockwork
import MQTTSNWire
import Messaging
import Testing

@testable import GatewayCore

/// Nodes behind forwarders: in lines of effects, `1/2 CONNACK 0` goes to the node numbered 2 behind port 1.
@Suite struct ForwarderTests {
    private func world(_ edit: (inout Gateway.Configuration.Listener) -> Void = { _ in }) -> World {
        World { configuration in
            var listener = Gateway.Configuration.Listener()
            listener.forwarders = [.init(address: World.path(0).remote, prefixBits: 24)]
            edit(&listener)
            configuration.listeners = [listener]
        }
    }

    @Test("Each node is a device of its own, and so is the forwarder [D-48] [SN-5.5-4]")
    func devices() {
        var world = world()
        #expect(world.connect("forwarder") == ["0? attach forwarder clean", "1 CONNACK 0", "0? open"])
        #expect(world.connect("one", node: "n1", slot: 1) == ["1? attach one clean", "1/1 CONNACK 0", "1? open"])
        #expect(world.connect("two", node: "n2", slot: 2) == ["2? attach two clean", "1/2 CONNACK 0", "2? open"])
        #expect(world.forward(.pingreq(clientID: .empty), "n2") == ["1/2 PINGRESP"])
        #expect(world.forward(.disconnect(duration: nil), "n1") == ["1/1 DISCONNECT", "1? detach"])
        #expect(world.receive(.pingreq(clientID: .empty)) == ["1 PINGRESP"])
        #expect(world.forward(.pingreq(clientID: .empty), "n1") == ["1/1 DISCONNECT"])
        #expect(world.gateway.counters.forwarded == 5)
    }

    @Test("The same id behind another forwarder, or another listener, is another node [D-60]")
    func sameID() {
        var world = World { configuration in
            var listener = Gateway.Configuration.Listener()
            listener.forwarders = [.init(address: World.path(0).remote, prefixBits: 24)]
            configuration.listeners = [listener, listener]
        }
        _ = world.connect("one", node: "n")
        #expect(world.forward(.pingreq(clientID: .empty), "n", from: 2) == ["2/1 DISCONNECT"])
        #expect(world.forward(.pingreq(clientID: .empty), "n", host: 2) == ["2:1/1 DISCONNECT"])
        #expect(world.forward(.pingreq(clientID: .empty), "n", listener: 1) == ["1/1 DISCONNECT"])
        #expect(world.forward(.pingreq(clientID: .empty), "n") == ["1/1 PINGRESP"])
        #expect(world.gateway.nodeCount == 1)
    }

    // MARK: - What is not taken

    @Test("Nothing encapsulated is taken from who is no forwarder: counted, logged once a second [D-48] [attack 118]")
    func notAllowed() {
        var world = World()
        for _ in 0..<10 { #expect(world.forward(.connect(SNConnect("one")), "n") == []) }
        #expect(world.gateway.counters.forwardersRefused == 10)
        #expect(world.gateway.counters.forwarded == 0)
        #expect(world.logs == [.forwarderRefused(DeviceAddress(World.path(1).remote))])
        _ = world.pass(.seconds(1))
        _ = world.forward(.searchGW(radius: 0), "n")
        #expect(world.logs.count == 2)
        #expect(world.gateway.deviceCount == 0)
        #expect(world.gateway.nodeCount == 0)
    }

    @Test(
        "A forwarder is allowed by address, prefix and port [D-48]",
        arguments: [
            ("10.0.0.7", 32, nil, "10.0.0.7:1", true), ("10.0.0.7", 32, nil, "10.0.0.6:1", false),
            ("10.0.0.7", 32, 5, "10.0.0.7:5", true), ("10.0.0.7", 32, 5, "10.0.0.7:4", false),
            ("10.0.0.0", 24, nil, "10.0.0.255:1", true), ("10.0.0.0", 24, nil, "10.0.1.0:1", false),
            ("10.0.0.0", 31, nil, "10.0.0.1:1", true), ("10.0.0.0", 31, nil, "10.0.0.2:1", false),
            ("0.0.0.0", 0, nil, "255.1.2.3:9", true), ("0.0.0.0", 0, nil, "[::1]:9", false),
            ("::", 0, nil, "[fe80::1%3]:9", true), ("::", 0, nil, "10.0.0.1:9", false),
            ("fd00::7", 128, nil, "[fd00::7]:1", true), ("fd00::7", 128, nil, "[fd00::6]:1", false),
            ("fd00::", 64, nil, "[fd00::ffff:0:0:1]:1", true), ("fd00::", 64, nil, "[fd00:0:0:1::]:1", false),
            ("fd00::", 65, nil, "[fd00::7fff:0:0:1]:1", true), ("fd00::", 65, nil, "[fd00::8000:0:0:1]:1", false),
            ("fd00::", 8, nil, "[fdff::]:1", true), ("fd00::", 8, nil, "[fe00::]:1", false),
            ("fe80::1", 128, nil, "[fe80::1%2]:1", true),
        ] as [(String, Int, UInt16?, String, Bool)])
    func matches(host: String, bits: Int, port: UInt16?, remote: String, isAllowed: Bool) throws {
        let address = try #require(PeerAddress(host: host, port: 0))
        let forwarder = Gateway.Configuration.Forwarder(address: address, prefixBits: bits, port: port)
        #expect(forwarder.matches(try #require(PeerAddress(remote))) == isAllowed)
    }

    @Test("A node id of 32 bytes is taken, a longer one counted and logged [D-60] [attack 118]", arguments: [33, 252])
    func nodeIDLength(tooLong: Int) {
        var world = world()
        let longest = String(repeating: "n", count: 32)
        #expect(world.forward(.searchGW(radius: 0), longest) == ["1/1 GWINFO 1 0"])
        let longer = String(repeating: "n", count: tooLong)
        for _ in 0..<3 { #expect(world.forward(.searchGW(radius: 0), longer) == []) }
        #expect(world.gateway.counters.nodeIDsTooLong == 3)
        #expect(world.logs == [.nodeIDTooLong(DeviceAddress(World.path(1).remote), bytes: tooLong)])
    }

    @Test(
        "What is no message inside is dropped, counted and not answered [D-63] [D-36] [attack 118]",
        arguments: [
            [0x02], [0x03, 0x16], [0x01, 0x16], [0x00, 0x16], [0x02, 0x16, 0x00], [0x02, 0x03],
            [0x01, 0x00, 0x02, 0x16], [0x02, 0xFE], [0x03, 0xFE, 0x00], [0x04, 0xFE, 0x00, 0x6E],
            [0x04, 0xFE, 0x00, 0x6E, 0x02, 0x16], [0x04, 0xFE, 0x00, 0x6E, 0x04, 0xFE, 0x00, 0x6E, 0x02, 0x16],
        ] as [[UInt8]])
    func broken(message: [UInt8]) {
        var world = world()
        #expect(world.forward(message, "n") == [])
        #expect(world.gateway.counters.malformed == 1)
        #expect(world.gateway.counters.forwarded == 0)
        #expect(world.gateway.nodeCount == 0)
    }

    @Test("A hundred encapsulations within each other are dropped like two [D-63] [attack 118]")
    func nested() {
        var world = world()
        let wraps = [[UInt8]](repeating: [0x04, 0xFE, 0x00, 0x61], count: 99).flatMap { $0 }
        #expect(world.forward(wraps + [0x02, 0x16], "n") == [])
        #expect(world.gateway.counters.malformed == 1)
    }

    @Test(
        "What only gateways say is not answered behind a forwarder either [attack 103]",
        arguments: samples(
            SNPacket.advertise(gwID: 1, duration: 900), .gwInfo(gwID: 1, gwAdd: .empty), .connack(.accepted),
            .willTopicReq, .willMsgReq, .regack(topicID: 1, msgID: 1, .accepted), .unsuback(msgID: 1),
            .publish(SNPublish(.minusOne, .predefined, 1))))
    func silent(sample: Sample) {
        var world = world()
        #expect(world.forward(sample.packet, "n") == [])
        _ = world.handle(.undecodable(from: World.path(1)))
        #expect(world.gateway.nodeCount == 0)
    }

    // MARK: - Strangers and claims

    @Test("A stranger behind a forwarder hears DISCONNECT, at half the rate of all strangers, then goes [D-16] [D-90]")
    func strangers() {
        var world = world()
        var answered = 0
        for number in 0..<100 { answered += world.forward(.pubrel(msgID: 1), "n\(number)").count }
        #expect(answered == 5)
        #expect(world.gateway.counters.rateLimited == 95)
        #expect(world.gateway.nodeCount == 1)
        _ = world.receive(.pingresp)
        #expect(world.gateway.nodeCount == 0)
    }

    @Test("QoS -1 comes through a forwarder as it comes without one [D-33] [SN-6.8]")
    func withoutConnection() {
        var world = world {
            $0.allowsAnonymousPublish = true
            $0.predefinedTopics = [.init(id: 3, name: "a/b")]
        }
        let publish = SNPacket.publish(SNPublish(.minusOne, .predefined, 3))
        #expect(world.forward(publish, "n") == ["anonymous a/b=x q0 m0 @0"])
    }

    @Test("PINGREQ of a sleeping node wakes it from another port of the forwarder, not from another node [D-62]")
    func wakeFromElsewhere() {
        var world = world()
        _ = world.connect("dev", node: "a")
        _ = world.forward(.disconnect(duration: 60), "a")
        let ping = SNPacket.pingreq(clientID: view("dev"))
        #expect(world.forward(ping, "b") == ["1/2 DISCONNECT"])
        #expect(world.receive(ping) == ["1 DISCONNECT"])
        #expect(world.forward(ping, "a", host: 2) == ["2:1/1 DISCONNECT"])
        #expect(world.forward(ping, "a", from: 9) == ["0? open"])
        #expect(world.answer(.drained) == ["0? close", "9/1 PINGRESP"])
        #expect(world.logs.last == .moved("dev", to: DeviceAddress(World.path(9).remote, nodeID: "a")))
    }

    @Test("Policy address: a device moves between nodes, forwarders and no forwarder without a question [D-62] [D-13]")
    func roams() {
        var world = world { $0.rebind = .address }
        _ = world.connect("dev", node: "a")
        _ = world.forward(.disconnect(duration: 60), "a")
        #expect(world.forward(.pingreq(clientID: view("dev")), "b", host: 2) == ["0? open"])
        #expect(world.answer(.drained) == ["0? close", "2:1/2 PINGRESP"])
        #expect(world.receive(.pingreq(clientID: view("dev"))) == ["0? open"])
        #expect(world.gateway.nodeCount == 1)
        #expect(world.answer(.drained) == ["0? close", "1 PINGRESP"])
        #expect(world.gateway.nodeCount == 0)
    }

    @Test("CONNECT with the id of a device at another node: its owner is asked there [D-15] [D-62] [attack 106]")
    func claimAnswered() {
        var world = world()
        _ = world.connect("dev", node: "a")
        #expect(world.forward(.connect(SNConnect("dev")), "b") == ["1/1 PINGREQ"])
        #expect(world.forward(.connect(SNConnect("dev")), "b") == [])
        #expect(world.gateway.nodeCount == 2)
        #expect(world.forward(.pingresp, "a") == ["1/2 CONNACK 1"])
        #expect(world.logs.contains(.claimRejected("dev", at: DeviceAddress(World.path(1).remote, nodeID: "b"))))
        _ = world.forward(.pingresp, "a")
        #expect(world.gateway.nodeCount == 1)
    }

    @Test("A claim from another node takes the session of an owner that is silent, and its node is kept [D-15]")
    func claimSilent() {
        var world = world()
        _ = world.connect("dev", clean: false, node: "a")
        _ = world.forward(.connect(SNConnect("dev", clean: false)), "b")
        #expect(world.pass(.seconds(3)) == ["1/1 PINGREQ", "1/1 PINGREQ", "0? detach", "0? attach dev keep"])
        #expect(world.attach(sessionPresent: true, expiry: .max) == ["1/2 CONNACK 0", "0? open"])
        #expect(world.gateway.nodeCount == 1)
        #expect(world.forward(.pingreq(clientID: .empty), "b") == ["1/2 PINGRESP"])
    }

    @Test("A claim is let in when its owner goes, at its own node [D-15]")
    func ownerGoes() {
        var world = world()
        _ = world.connect("dev", node: "a")
        _ = world.forward(.connect(SNConnect("dev")), "b")
        #expect(world.answer(.close(.administrativeAction)) == ["1/1 DISCONNECT", "0? attach dev clean"])
        #expect(world.attach() == ["1/2 CONNACK 0", "0? open"])
        #expect(world.forward(.pingreq(clientID: .empty), "b") == ["1/2 PINGRESP"])
        #expect(world.gateway.nodeCount == 1)
    }

    @Test("An encapsulated message is no sign of life of a device at the forwarder's own address [D-64]")
    func signOfLife() {
        var world = world()
        _ = world.connect("dev", duration: 100)
        _ = world.receive(.connect(SNConnect("dev")), host: 2)
        // The claim is still under examination, and the keep-alive runs.
        #expect(world.forward(.pingresp, "n") == ["1/1 DISCONNECT"])
        #expect(world.pass(.seconds(3)).suffix(1) == ["0? attach dev clean"])
    }

    // MARK: - Deliveries

    @Test("REGISTER, PUBLISH and PUBREL go to the node, again too [SN-5.5-4] [SN-6.10]")
    func deliveries() {
        var world = world()
        _ = world.connect("dev", node: "n")
        #expect(world.deliver(topic: 5, qos: .exactlyOnce) == ["0? keep 5", "1/1 REGISTER 1 #7"])
        #expect(world.pass(.seconds(10)) == ["1/1 REGISTER 1 #7"])
        let registered = world.forward(.regack(topicID: 1, msgID: world.registerID, .accepted), "n")
        #expect(registered == ["1/1 PUBLISH q2 normal:1 m1 #7"])
        #expect(world.forward(.pubrec(msgID: 1), "n") == ["0? pubrec 1"])
        #expect(world.acknowledge(.pubrel, 1) == ["1/1 PUBREL m1"])
        #expect(world.pass(.seconds(10)) == ["1/1 PUBREL m1"])
        #expect(world.forward(.pubcomp(msgID: 1), "n") == ["0? pubcomp 1"])
    }

    @Test("The longest message to a device has the encapsulation in it: at the limit, one more [D-64] [D-43]")
    func longest() {
        // 3 and the node id, 7 and the payload.
        var world = world { $0.messageBytesMax = 3 + 2 + 7 + 20 }
        _ = world.connect("dev", node: "nn")
        _ = world.forward(.register(topicID: 0, msgID: 1, topicName: view("t")), "nn")
        _ = world.answer(.resolved(token: 1, TopicID(index: 5), nil))
        func deliver(_ bytes: Int) -> [String] {
            world.deliver(topic: 5, qos: .atLeastOnce, payload: String(repeating: "x", count: bytes))
        }
        #expect(deliver(21) == ["0? abandon 1"])
        #expect(world.logs.last == .tooLong("dev", bytes: 33))
        #expect(deliver(20) == ["1/1 PUBLISH q1 normal:1 m1 #7"])
    }

    @Test("So has REGISTER, at the limit and one more [D-64]", arguments: [(21, true), (22, false)])
    func longestName(bytes: Int, isSent: Bool) {
        // 3 and the node id, 6 and the name.
        var world = world { $0.messageBytesMax = 3 + 2 + 6 + 21 }
        _ = world.connect("dev", node: "nn")
        let lines = world.deliver(topic: 5, name: String(repeating: "t", count: bytes), payload: "")
        #expect(lines.last == (isSent ? "1/1 REGISTER 1 #7" : "0? abandon 1"))
    }

    @Test("A will is asked for at the node, and a sleeping node is supervised there [SN-6.2] [SN-6.14]")
    func willAndSleep() {
        var world = world()
        #expect(world.forward(.connect(SNConnect("dev", will: true)), "n") == ["1/1 WILLTOPICREQ"])
        #expect(world.pass(.seconds(10)) == ["1/1 WILLTOPICREQ"])
        #expect(
            world.forward(.willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("w"))), "n")
                == ["1/1 WILLMSGREQ"])
        #expect(world.forward(.willMsg(view("gone")), "n") == ["0? attach dev clean will w=gone q0"])
        #expect(world.attach() == ["1/1 CONNACK 0", "0? open"])
        #expect(world.forward(.disconnect(duration: 60), "n") == ["0? close", "1/1 DISCONNECT"])
        #expect(world.pass(.seconds(90)) == ["0? detach will"])
        _ = world.receive(.pingresp)
        #expect(world.gateway.nodeCount == 0)
    }

    // MARK: - Memory

    @Test("A million node ids leave no more behind than there may be devices [attack 118]", arguments: [1_000, 20_000])
    func bounded(count: Int) {
        var world = World { configuration in
            configuration.devicesMax = 10
            configuration.unlisted.forwarders = [.init(address: World.path(0).remote, prefixBits: 32)]
        }
        for number in 0..<count {
            _ = world.forward(.connect(SNConnect("d\(number)", clean: false)), "n\(number)")
            #expect(world.gateway.nodeCount <= 11)
        }
        #expect(world.gateway.deviceCount == 10)
        #expect(world.gateway.counters.connectsRefused == count - 10)
    }

    @Test("A node is remembered as long as its device's record, sessions that outlive the connection included")
    func lifetime() {
        var world = World { configuration in
            configuration.sessionExpiryInterval = 100
            configuration.unlisted.forwarders = [.init(address: World.path(0).remote, prefixBits: 32)]
        }
        _ = world.connect("dev", clean: false, node: "n", expiry: 100)
        _ = world.forward(.disconnect(duration: nil), "n")
        for _ in 0..<3 { _ = world.forward(.pingresp, "other") }
        #expect(world.gateway.path(of: 0).flatMap { world.gateway.node(of: $0) } == WirelessNodeID(view("n")))
        #expect(world.gateway.nodeCount == 2)
        _ = world.pass(.seconds(101))
        _ = world.receive(.pingresp)
        #expect(world.gateway.deviceCount == 0)
        #expect(world.gateway.nodeCount == 0)
    }

    @Test("Addresses for people to read")
    func addresses() {
        let remote = World.path(9).remote
        #expect(DeviceAddress(remote).description == "10.0.0.1:9")
        let node = DeviceAddress(remote, nodeID: ByteString([0x00, 0x0A, 0xF1]))
        #expect(node.description == "node 000af1 behind 10.0.0.1:9")
    }
}

/// The bytes of a message that can be encoded.
func encoded(_ packet: SNPacket) -> [UInt8] {
    var output = OutputBuffer()
    defer { output.deallocate() }
    packet.encode(into: &output)
    return Array(output.pending.memory)
}

extension World {
    /// A message of a node, as a forwarder sends it.
    mutating func forward(
        _ packet: SNPacket, _ node: String, from port: Int = 1, host: Int = 1, listener: UInt16 = 0
    ) -> [String] {
        forward(encoded(packet), node, from: port, host: host, listener: listener)
    }

    mutating func forward(
        _ message: [UInt8], _ node: String, from port: Int = 1, host: Int = 1, listener: UInt16 = 0
    ) -> [String] {
        receive(
            .encapsulated(radius: 1, wirelessNodeID: view(node), message: view(message)), from: port, host: host,
            listener: listener)
    }

    /// CONNECT of a node and the broker's consent.
    mutating func connect(
        _ id: String, clean: Bool = true, node: String, slot: Int = 0, expiry: UInt32? = nil
    ) -> [String] {
        let asked = forward(.connect(SNConnect(id, clean: clean)), node)
        return asked + attach(slot: slot, expiry: expiry ?? (clean ? 0 : .max))
    }
}
