import Bytes
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct ConnectTests {
    @Test("CONNECT asks the broker, and its consent becomes CONNACK and an open window [SN-6.2]")
    func connect() {
        var world = World()
        let asked = world.receive(.connect(SNConnect("dev")))
        #expect(asked == ["0? attach dev clean"])
        #expect(world.state() == .connecting)
        #expect(world.attach() == ["1 CONNACK 0", "0? open"])
        #expect(world.state() == .active)
        #expect(world.gateway.clientID(of: 0) == "dev")
        #expect(world.gateway.path(of: 0) == World.path(1))
        #expect(world.logs == [.connected("dev", at: DeviceAddress(World.path(1).remote), sessionPresent: false)])
        #expect(world.gateway.counters.devicesActive == 1)
    }

    @Test("Will: topic and message are asked for, then CONNACK [SN-6.2]")
    func will() {
        var world = World()
        #expect(world.receive(.connect(SNConnect("dev", will: true))) == ["1 WILLTOPICREQ"])
        let topic = SNWillTopic(qos: .atLeastOnce, retain: true, topic: view("gone"))
        #expect(world.receive(.willTopic(topic)) == ["1 WILLMSGREQ"])
        #expect(world.receive(.willMsg(view("bye"))) == ["0? attach dev clean will gone=bye q1 retain"])
        #expect(world.attach() == ["1 CONNACK 0", "0? open"])
    }

    @Test("The empty WILLTOPIC deletes the stored will, Will=0 with CleanSession=0 keeps it [SN-6.3]")
    func storedWill() {
        var world = World()
        #expect(world.receive(.connect(SNConnect("dev", will: true, clean: false))) == ["1 WILLTOPICREQ"])
        _ = world.receive(.willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("gone"))))
        #expect(world.receive(.willMsg(view("bye"))) == ["0? attach dev keep will gone=bye q0"])
        _ = world.attach(expiry: .max)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.receive(.connect(SNConnect("dev", clean: false))) == ["0? attach dev keep will gone=bye q0"])
        _ = world.attach(sessionPresent: true, expiry: .max)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.receive(.connect(SNConnect("dev", will: true, clean: false))) == ["1 WILLTOPICREQ"])
        #expect(world.receive(.willTopic(nil)) == ["0? attach dev keep"])
        _ = world.attach(sessionPresent: true, expiry: .max)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.receive(.connect(SNConnect("dev", clean: false))) == ["0? attach dev keep"])
    }

    @Test("CleanSession=1 forgets the stored will [SN-6.3]")
    func cleanWill() {
        var world = World()
        _ = world.receive(.connect(SNConnect("dev", will: true, clean: false)))
        _ = world.receive(.willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("gone"))))
        _ = world.receive(.willMsg(view("bye")))
        _ = world.attach(expiry: .max)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.receive(.connect(SNConnect("dev"))) == ["0? attach dev clean"])
    }

    @Test("A repeated CONNECT with the same bytes gets CONNACK again, and everything stays [D-01]")
    func repeated() {
        var world = World()
        _ = world.connect()
        #expect(world.receive(.connect(SNConnect("dev"))) == ["1 CONNACK 0"])
        #expect(world.state() == .active)
        #expect(world.gateway.deviceCount == 1)
    }

    @Test("With CleanSession=1 the same CONNECT long after is a restarted device: a clean session, as it says [D-01]")
    func restarted() {
        var world = World()
        _ = world.connect(duration: 0)
        _ = world.receive(.pingreq(clientID: .empty))
        _ = world.pass(.seconds(50))
        #expect(world.receive(.connect(SNConnect("dev", duration: 0))) == ["1 CONNACK 0"])
        _ = world.receive(.pingreq(clientID: .empty))
        _ = world.pass(.milliseconds(1))
        #expect(world.receive(.connect(SNConnect("dev", duration: 0))) == ["0? detach", "0? attach dev clean"])
        // Without CleanSession everything stays.
        var keeping = World()
        _ = keeping.connect(clean: false, duration: 0)
        _ = keeping.receive(.pingreq(clientID: .empty))
        _ = keeping.pass(.seconds(500))
        #expect(keeping.receive(.connect(SNConnect("dev", clean: false, duration: 0))) == ["1 CONNACK 0"])
    }

    @Test("A repeated CONNECT while the broker is being asked waits for its CONNACK [D-01]")
    func repeatedEarly() {
        var world = World()
        _ = world.receive(.connect(SNConnect("dev")))
        #expect(world.receive(.connect(SNConnect("dev"))) == [])
        #expect(world.attach() == ["1 CONNACK 0", "0? open"])
    }

    @Test("CONNECT with other flags is a new one; its will is not published [D-01]")
    func changed() {
        var world = World()
        _ = world.connect()
        #expect(
            world.receive(.connect(SNConnect("dev", clean: false, duration: 30))) == [
                "0? detach", "0? attach dev keep",
            ])
        #expect(world.attach(expiry: .max) == ["1 CONNACK 0", "0? open"])
    }

    @Test("CONNECT with another client id from the same address: the old device is gone [D-01]")
    func otherID() {
        var world = World()
        _ = world.connect("old")
        #expect(world.receive(.connect(SNConnect("new"))) == ["0? detach will", "0? attach new clean"])
        #expect(world.logs.contains(.lost("old")))
        #expect(world.attach() == ["1 CONNACK 0", "0? open"])
        #expect(world.gateway.clientID(of: 0) == "new")
    }

    @Test("CONNECT during the will handshake starts over [D-35]")
    func startOver() {
        var world = World()
        _ = world.receive(.connect(SNConnect("dev", will: true)))
        _ = world.receive(.willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("t"))))
        #expect(world.receive(.connect(SNConnect("dev", will: true))) == ["1 WILLTOPICREQ"])
        #expect(world.receive(.connect(SNConnect("dev"))) == ["0? attach dev clean"])
    }

    @Test("Silence in the will handshake: asked again, then the attempt is dropped [D-35]")
    func silence() {
        var world = World { $0.unlisted.retryCount = 2 }
        _ = world.receive(.connect(SNConnect("dev", will: true)))
        #expect(world.pass(.seconds(29)) == ["1 WILLTOPICREQ", "1 WILLTOPICREQ"])
        #expect(world.pass(.seconds(1)) == [])
        #expect(world.state() == nil)
        #expect(world.gateway.deviceCount == 0)
        #expect(world.gateway.counters.unanswered == 1)
        #expect(world.gateway.counters.retransmitted == 2)
    }

    @Test("A lost WILLMSGREQ or CONNACK is sent again when the device repeats itself")
    func repeatedWill() {
        var world = World()
        _ = world.receive(.connect(SNConnect("dev", will: true)))
        let topic = SNWillTopic(qos: .atMostOnce, retain: false, topic: view("t"))
        _ = world.receive(.willTopic(topic))
        #expect(world.receive(.willTopic(topic)) == ["1 WILLMSGREQ"])
        _ = world.receive(.willMsg(view("bye")))
        _ = world.attach()
        #expect(world.receive(.willMsg(view("bye"))) == ["1 CONNACK 0"])
        #expect(world.receive(.willTopic(nil)) == ["1 CONNACK 0"])
    }

    @Test("WILLMSG before WILLTOPIC, and both without CONNECT, mean nothing [attack 125]")
    func willOutOfOrder() {
        var world = World()
        #expect(world.receive(.willMsg(view("x"))) == ["1 DISCONNECT"])
        _ = world.receive(.connect(SNConnect("dev", will: true)))
        #expect(world.receive(.willMsg(view("x"))) == [])
        #expect(world.state() == .connecting)
    }

    @Test("A will topic that no topic can have refuses the CONNECT")
    func badWillTopic() {
        var world = World()
        _ = world.receive(.connect(SNConnect("dev", will: true)))
        let topic = SNWillTopic(qos: .atMostOnce, retain: false, topic: view("a/#"))
        #expect(world.receive(.willTopic(topic)) == ["1 CONNACK 3"])
        #expect(world.state() == nil)
    }

    @Test("ProtocolId other than 0x01 is not supported [D-39]")
    func protocolID() {
        var world = World()
        #expect(world.receive(.connect(SNConnect("dev", protocolID: 2))) == ["1 CONNACK 3"])
        #expect(world.gateway.deviceCount == 0)
        #expect(world.gateway.counters.connectsRefused == 1)
    }

    @Test("Client ids of 1 to 64 bytes of UTF-8 are taken, others refused [D-40]")
    func clientIDs() {
        var world = World()
        #expect(world.receive(.connect(SNConnect(""))) == ["1 CONNACK 3"])
        #expect(world.receive(.connect(SNConnect(String(repeating: "x", count: 65)))) == ["1 CONNACK 3"])
        let nul = SNConnect(will: false, cleanSession: true, duration: 1, clientID: view([0x61, 0x00]))
        #expect(world.receive(.connect(nul)) == ["1 CONNACK 3"])
        let broken = SNConnect(will: false, cleanSession: true, duration: 1, clientID: view([0xC3]))
        #expect(world.receive(.connect(broken)) == ["1 CONNACK 3"])
        #expect(world.gateway.deviceCount == 0)
        #expect(world.connect(String(repeating: "x", count: 64)).count == 3)
    }

    @Test(
        "A refusal of the broker becomes CONNACK with the code for it, and nothing stays",
        arguments: [(Refusal.quotaExceeded, 1), (.serverUnavailable, 1), (.notAuthorized, 3)])
    func refused(refusal: Refusal, code: Int) {
        var world = World()
        _ = world.receive(.connect(SNConnect("dev")))
        #expect(world.answer(.refused(refusal)) == ["1 CONNACK \(code)"])
        #expect(world.state() == nil)
        #expect(world.gateway.counters.devicesConnecting == 0)
    }

    @Test("With as many records as there may be, a new device hears congestion")
    func full() {
        var world = World { $0.devicesMax = 2 }
        _ = world.connect("a", port: 1, slot: 0)
        _ = world.connect("b", port: 2, slot: 1)
        #expect(world.receive(.connect(SNConnect("c")), from: 3) == ["3 CONNACK 1"])
        _ = world.receive(.disconnect(duration: nil), from: 2)
        #expect(world.receive(.connect(SNConnect("c")), from: 3) == ["1? attach c clean"])
    }

    @Test("A listener's prefix is part of the client id [D-45]")
    func prefix() {
        var world = World(listener: { $0.clientIDPrefix = "hall-1/" })
        #expect(world.receive(.connect(SNConnect("dev"))) == ["0? attach hall-1/dev clean"])
        _ = world.attach()
        #expect(world.receive(.pingreq(clientID: view("dev"))) == ["1 PINGRESP"])
        #expect(world.gateway.clientID(of: 0) == "hall-1/dev")
    }

    @Test("Composed and decomposed client ids are two devices [attack 105]")
    func unicode() {
        var world = World()
        _ = world.connect("caf\u{E9}", port: 1, slot: 0)
        _ = world.connect("cafe\u{301}", port: 2, slot: 1)
        #expect(world.gateway.counters.devicesActive == 2)
    }

    @Test("The broker ends the link: the device hears DISCONNECT")
    func closed() {
        var world = World()
        _ = world.connect()
        #expect(world.answer(.close(.sessionTakenOver)) == ["1 DISCONNECT"])
        #expect(world.state() == nil)
        #expect(world.logs.last == .disconnected("dev", .sessionTakenOver))
    }

    @Test("Shutdown tells every device that listens and publishes no will")
    func shutDown() {
        var world = World()
        _ = world.connect("a", port: 1, slot: 0)
        _ = world.connect("b", port: 2, slot: 1)
        _ = world.receive(.disconnect(duration: 60), from: 2)
        _ = world.receive(.connect(SNConnect("c", will: true)), from: 3)
        #expect(world.handle(.shutDown) == ["1 DISCONNECT", "0? detach", "1? detach", "3 DISCONNECT"])
        #expect(world.gateway.deviceCount == 0)
    }

    @Test("A gateway that ends lets nobody in any more [D-98]")
    func stopping() {
        var world = World { $0.unlisted.allowsAnonymousPublish = true }
        _ = world.handle(.shutDown)
        #expect(world.receive(.connect(SNConnect("late"))) == ["1 CONNACK 1"])
        #expect(world.receive(.pingreq(clientID: view("late"))) == ["1 DISCONNECT"])
        let wordless = SNPublish(
            dup: false, qos: .minusOne, retain: false, topicIDType: .short, topicID: 0x6162, msgID: 0, data: view("x"))
        #expect(world.receive(.publish(wordless)) == [])
        #expect(world.gateway.deviceCount == 0)
    }
}
