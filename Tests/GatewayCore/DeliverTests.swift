import Bytes
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct DeliverTests {
    /// A connected device with topic 5 under id 1.
    private func world(_ edit: (inout Gateway.Configuration) -> Void = { _ in }) -> World {
        var world = World(edit)
        _ = world.connect()
        _ = world.register("a/b", topic: 5)
        return world
    }

    private func regack(_ world: World, _ code: SNReturnCode = .accepted, id: UInt16 = 2) -> SNPacket {
        .regack(topicID: id, msgID: world.registerID, code)
    }

    @Test("QoS 0 under a known id: sent, and the broker may go on [SN-6.10]")
    func qos0() {
        var world = world()
        #expect(world.deliver(topic: 5, qos: .atMostOnce) == ["1 PUBLISH q0 normal:1 m0 #7", "0? delivered"])
    }

    @Test("QoS 1: the device's PUBACK goes to the broker")
    func qos1() {
        var world = world()
        #expect(world.deliver(topic: 5, id: 9) == ["1 PUBLISH q1 normal:1 m9 #7"])
        #expect(world.receive(.puback(topicID: 1, msgID: 8, .accepted)) == [])
        #expect(world.receive(.puback(topicID: 1, msgID: 9, .accepted)) == ["0? puback 9"])
        #expect(world.receive(.puback(topicID: 1, msgID: 9, .accepted)) == [])
    }

    @Test("QoS 2: PUBREC to the broker, its PUBREL to the device, PUBCOMP to the broker")
    func qos2() {
        var world = world()
        #expect(world.deliver(topic: 5, id: 9, qos: .exactlyOnce) == ["1 PUBLISH q2 normal:1 m9 #7"])
        #expect(world.receive(.puback(topicID: 1, msgID: 9, .accepted)) == [])
        #expect(world.receive(.pubcomp(msgID: 9)) == [])
        #expect(world.receive(.pubrec(msgID: 9)) == ["0? pubrec 9"])
        #expect(world.receive(.pubrec(msgID: 9)) == [])
        #expect(world.acknowledge(.pubrel, 9) == ["1 PUBREL m9"])
        #expect(world.receive(.pubrec(msgID: 9)) == ["1 PUBREL m9"])
        #expect(world.receive(.pubcomp(msgID: 9)) == ["0? pubcomp 9"])
        #expect(world.receive(.pubcomp(msgID: 9)) == [])
    }

    @Test("PUBREC of an exchange that is over gets PUBREL, so that the device can forget it")
    func stalePubrec() {
        var world = world()
        #expect(world.receive(.pubrec(msgID: 77)) == ["1 PUBREL m77"])
        #expect(world.receive(.pubcomp(msgID: 77)) == [])
    }

    @Test("PUBREL of an exchange that an earlier connection began is sent and acknowledged")
    func earlierPubrel() {
        var world = world()
        #expect(world.acknowledge(.pubrel, 9) == ["1 PUBREL m9"])
        #expect(world.pass(.seconds(10)) == ["1 PUBREL m9"])
        #expect(world.receive(.pubcomp(msgID: 9)) == ["0? pubcomp 9"])
    }

    @Test("A redelivery carries DUP, but at QoS 0 never")
    func duplicate() {
        var world = world()
        #expect(world.deliver(topic: 5, qos: .atMostOnce, duplicate: true).first == "1 PUBLISH q0 normal:1 m0 #7")
        #expect(world.deliver(topic: 5, id: 9, duplicate: true) == ["1 PUBLISH q1 dup normal:1 m9 #7"])
    }

    @Test(
        "An unknown topic: REGISTER, wait for REGACK, PUBLISH; the next time at once [D-05]",
        arguments: [
            QoS.atMostOnce, .atLeastOnce, .exactlyOnce,
        ])
    func register(qos: QoS) {
        var world = world()
        #expect(world.deliver(topic: 6, id: 9, qos: qos) == ["0? keep 6", "1 REGISTER 2 #7"])
        #expect(world.receive(.regack(topicID: 2, msgID: world.registerID &+ 1, .accepted)) == [])
        #expect(world.receive(.regack(topicID: 1, msgID: world.registerID, .accepted)) == [])
        let sent = world.receive(regack(world))
        #expect(sent.first == "1 PUBLISH q\(qos.rawValue) normal:2 m\(qos == .atMostOnce ? 0 : 9) #7")
        #expect(world.receive(regack(world)) == [])
        guard qos == .atMostOnce else { return }
        #expect(sent.last == "0? delivered")
        #expect(world.deliver(topic: 6, qos: qos).first == "1 PUBLISH q0 normal:2 m0 #7")
    }

    @Test("After a reconnect the id is registered again before the first PUBLISH [D-03]")
    func registerAfterReconnect() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.register("a/b", topic: 5)
        _ = world.receive(.disconnect(duration: nil))
        _ = world.connect(clean: false, sessionPresent: true)
        #expect(world.deliver(topic: 5) == ["1 REGISTER 1 #7"])
        #expect(world.receive(regack(world, id: 1)) == ["1 PUBLISH q1 normal:1 m1 #7"])
    }

    @Test(
        "A CONNECT repeated by a device that had its CONNACK makes ids doubtful, a lost CONNACK does not [D-01] [D-03]")
    func registerAfterRestart() {
        var world = World()
        _ = world.connect()
        _ = world.receive(.connect(SNConnect("dev")))
        _ = world.register("a/b", topic: 5)
        #expect(world.deliver(topic: 5, qos: .atMostOnce).first == "1 PUBLISH q0 normal:1 m0 #7")
        _ = world.receive(.connect(SNConnect("dev")))
        #expect(world.deliver(topic: 5) == ["1 REGISTER 1 #7"])
    }

    @Test("A device restarted in the middle of a delivery is told its id before the message comes again [D-01] [D-03]")
    func restartDuringDelivery() {
        var world = World()
        _ = world.connect()
        _ = world.register("a/b", topic: 5)
        _ = world.deliver(topic: 5, id: 9)
        #expect(world.receive(.connect(SNConnect("dev"))) == ["1 CONNACK 0", "1 REGISTER 1 #7"])
        #expect(world.receive(regack(world, id: 1)) == ["1 PUBLISH q1 dup normal:1 m9 #7"])
    }

    @Test(
        "An acknowledgement that crosses a REGISTER or a pause still counts",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func crossedAcknowledgement(qos: QoS) {
        for isPause in [false, true] {
            var world = world()
            _ = world.deliver(topic: 5, id: 9, qos: qos)
            if isPause {
                _ = world.receive(.puback(topicID: 1, msgID: 9, .congestion))
            } else {
                _ = world.receive(.puback(topicID: 1, msgID: 9, .invalidTopicID))
                // The refusal again, by another way: one REGISTER is enough.
                #expect(world.receive(.puback(topicID: 1, msgID: 9, .invalidTopicID)) == [])
            }
            let answer = qos == .atLeastOnce ? SNPacket.puback(topicID: 1, msgID: 9, .accepted) : .pubrec(msgID: 9)
            #expect(world.receive(answer) == [qos == .atLeastOnce ? "0? puback 9" : "0? pubrec 9"])
        }
    }

    @Test("REGACK with a refusal: the topic is dropped for this session, the next message follows [D-06]")
    func regackRefused() {
        var world = world()
        _ = world.deliver(topic: 6, id: 9)
        #expect(world.receive(regack(world, .invalidTopicID)) == ["0? abandon 9"])
        #expect(world.logs.last == .topicRefused("dev", topicID: 2, .invalidTopicID))
        #expect(world.deliver(topic: 6, id: 10) == ["0? abandon 10"])
        #expect(world.deliver(topic: 5, id: 11) == ["1 PUBLISH q1 normal:1 m11 #7"])
        #expect(world.gateway.counters.droppedTopicRefused == 2)
        // The device's own REGISTER says that it wants the topic after all.
        _ = world.receive(.puback(topicID: 1, msgID: 11, .accepted))
        _ = world.register("c", topic: 6)
        #expect(world.deliver(topic: 6, id: 12) == ["1 PUBLISH q1 normal:2 m12 #7"])
    }

    @Test("REGACK with congestion: REGISTER again after T_WAIT [D-06] [D-46]")
    func regackCongestion() {
        var world = world()
        _ = world.deliver(topic: 6, id: 9)
        #expect(world.receive(regack(world, .congestion)) == [])
        #expect(world.pass(.seconds(59)) == [])
        #expect(world.pass(.seconds(1)) == ["1 REGISTER 2 #7"])
        #expect(world.receive(regack(world)) == ["1 PUBLISH q1 normal:2 m9 #7"])
    }

    @Test("PUBACK with congestion: the same message again after T_WAIT [D-46]")
    func pubackCongestion() {
        var world = world()
        _ = world.deliver(topic: 5, id: 9)
        #expect(world.receive(.puback(topicID: 1, msgID: 9, .congestion)) == [])
        #expect(world.pass(.seconds(59)) == [])
        #expect(world.pass(.seconds(1)) == ["1 PUBLISH q1 dup normal:1 m9 #7"])
        #expect(world.receive(.puback(topicID: 1, msgID: 9, .accepted)) == ["0? puback 9"])
    }

    @Test("PUBACK with invalid topic id: REGISTER, then the same message once more; a second time drops it [D-07]")
    func pubackInvalid() {
        var world = world()
        _ = world.deliver(topic: 5, id: 9)
        #expect(world.receive(.puback(topicID: 1, msgID: 9, .invalidTopicID)) == ["1 REGISTER 1 #7"])
        #expect(world.receive(regack(world, id: 1)) == ["1 PUBLISH q1 dup normal:1 m9 #7"])
        #expect(world.receive(.puback(topicID: 1, msgID: 9, .invalidTopicID)) == ["0? abandon 9"])
        #expect(world.logs.last == .topicRefused("dev", topicID: 1, .invalidTopicID))
    }

    @Test("A refused predefined id cannot be cured: dropped, logged once [D-07]")
    func predefinedRefused() {
        var world = world { $0.unlisted.predefinedTopics = [.init(id: 10, name: "p")] }
        _ = world.receive(.subscribe(SNSubscribe(qos: .atLeastOnce, msgID: 3, topic: .predefined(10))))
        _ = world.answer(.subscribed(packetIdentifier: 3, [.granted(.atLeastOnce, TopicID(index: 8))]))
        for id in 1...3 as ClosedRange<UInt16> {
            #expect(world.deliver(topic: 8, id: id) == ["1 PUBLISH q1 predefined:10 m\(id) #7"])
            #expect(world.receive(.puback(topicID: 10, msgID: id, .invalidTopicID)) == ["0? abandon \(id)"])
        }
        #expect(world.logs.filter { $0 == .predefinedTopicRefused("dev", topicID: 10, .invalidTopicID) }.count == 1)
    }

    @Test("A device that does not know the id of a message at QoS 0 is told before the next [D-07]")
    func invalidAtQoS0() {
        var world = world()
        _ = world.deliver(topic: 5, qos: .atMostOnce)
        #expect(world.receive(.puback(topicID: 1, msgID: 0, .invalidTopicID)) == [])
        #expect(world.deliver(topic: 5, qos: .atMostOnce) == ["1 REGISTER 1 #7"])
    }

    @Test("PUBACK with another code drops the message", arguments: [0x03, 0x04, 0xFF] as [UInt8])
    func pubackOther(code: UInt8) {
        var world = world()
        _ = world.deliver(topic: 5, id: 9, qos: .exactlyOnce)
        let answer = SNPacket.puback(topicID: 1, msgID: 9, SNReturnCode(rawValue: code))
        #expect(world.receive(answer) == ["0? abandon 9"])
    }

    @Test("Answers to nothing are ignored [attack 123]")
    func outOfState() {
        var world = world()
        #expect(world.receive(.regack(topicID: 1, msgID: 1, .invalidTopicID)) == [])
        #expect(world.receive(.puback(topicID: 1, msgID: 5, .invalidTopicID)) == [])
        #expect(world.receive(.pubcomp(msgID: 5)) == [])
        #expect(world.deliver(topic: 5) == ["1 PUBLISH q1 normal:1 m1 #7"])
    }

    @Test("A message as long as the listener allows is sent, one byte more is dropped and counted [D-43]")
    func tooLong() {
        var world = World(listener: { $0.messageBytesMax = 300 })
        _ = world.connect()
        _ = world.register("a/b", topic: 5)
        // Four bytes of header with a three-octet length, five of fields.
        let most = String(repeating: "x", count: 291)
        #expect(world.deliver(topic: 5, qos: .atMostOnce, payload: most).count == 2)
        #expect(world.deliver(topic: 5, id: 9, payload: most + "x") == ["0? abandon 9"])
        #expect(world.deliver(topic: 5, qos: .atMostOnce, payload: most + "x") == ["0? abandon 0"])
        #expect(world.gateway.counters.droppedTooLong == 2)
        #expect(world.logs.last == .tooLong("dev", bytes: 301))
        let name = String(repeating: "n", count: 292)
        #expect(world.deliver(topic: 6, name: name, id: 9) == ["0? keep 6", "1 REGISTER 2 #7"])
        _ = world.receive(regack(world, .notSupported))
        #expect(world.deliver(topic: 8, name: name + "n", id: 10) == ["0? keep 8", "0? abandon 10"])
    }

    @Test("Clients whose ids fit a pattern have a longest message of their own, the first of several [D-43] [D-81]")
    func tooLongForClient() {
        for (client, most) in [("dev", 300), ("pump-1", 60), ("pump-7", 60), ("door-7", 100)] {
            var world = World(listener: {
                $0.messageBytesMax = 300
                $0.messageBytesMaxOfClients = [(GlobPattern("pump-*"), 60), (GlobPattern("*-7"), 100)]
            })
            _ = world.receive(.connect(SNConnect(client)))
            _ = world.attach()
            _ = world.register("a/b", topic: 5)
            let payload = String(repeating: "x", count: most - (most > 255 ? 9 : 7))
            #expect(world.deliver(topic: 5, qos: .atMostOnce, payload: payload).count == 2)
            #expect(world.deliver(topic: 5, id: 9, payload: payload + "x") == ["0? abandon 9"])
            #expect(world.logs.last == .tooLong(ByteString(client), bytes: most + 1))
            #expect(world.gateway.counters.droppedTooLong == 1)
        }
    }

    @Test("A full topic table drops deliveries of new topics and says so once [attack 112]")
    func tableFull() {
        var world = world { $0.topicsPerDeviceMax = 1 }
        #expect(world.deliver(topic: 6, id: 9) == ["0? abandon 9"])
        #expect(world.deliver(topic: 8, id: 10) == ["0? abandon 10"])
        #expect(world.gateway.counters.topicTableFull == 2)
        #expect(world.logs.filter { $0 == .topicTableFull("dev") }.count == 1)
    }

    @Test("A delivery while another is under way is left with the broker")
    func outOfTurn() {
        var world = world()
        _ = world.deliver(topic: 5, id: 9)
        #expect(world.deliver(8, topic: 5, id: 10) == [])
        #expect(world.acknowledge(.pubrel, 10) == [])
        #expect(world.gateway.counters.deliveriesOutOfTurn == 2)
        #expect(world.receive(.puback(topicID: 1, msgID: 9, .accepted)) == ["0? puback 9"])
    }

    @Test("PUBLISH waits for nothing once the device has gone; what comes too late is ignored")
    func late() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.deliver(topic: 5) == [])
        #expect(world.acknowledge(.pubrel, 5) == [])
        #expect(world.answer(.drained) == [])
    }
}
