import Bytes
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct ListenerTests {
    /// Two listeners, each with settings of its own; a third is not listed.
    private func world() -> World {
        World { configuration in
            var first = Gateway.Configuration.Listener()
            first.gatewayID = 1
            first.predefinedTopics = [.init(id: 1, name: "first")]
            first.retryInterval = .seconds(2)
            first.retryCount = 1
            var second = Gateway.Configuration.Listener()
            second.gatewayID = 2
            second.predefinedTopics = [.init(id: 1, name: "second"), .init(id: 7, name: "seventh")]
            second.retryInterval = .seconds(20)
            configuration.listeners = [first, second]
            configuration.unlisted.gatewayID = 9
        }
    }

    @Test("Each listener has its own GwId (§5.3.6)", arguments: [(0, 1), (1, 2), (5, 9)])
    func gatewayID(listener: UInt16, gwID: Int) {
        var world = world()
        #expect(world.receive(.searchGW(radius: 1), listener: listener) == ["1 GWINFO \(gwID) 0"])
    }

    @Test("A predefined id means what its listener says [SN-6.7]", arguments: [(0, "first"), (1, "second")])
    func predefined(listener: UInt16, topic: String) {
        var world = world()
        _ = world.receive(.connect(SNConnect("dev")), listener: listener)
        _ = world.attach()
        let lines = world.receive(.publish(SNPublish(.zero, .predefined, 1)), listener: listener)
        #expect(lines == ["0? publish \(topic)=x q0 m0"])
    }

    @Test("T_WAIT is the listener's [D-46]")
    func waitInterval() {
        var world = World(listener: { $0.waitInterval = .seconds(7) })
        _ = world.connect()
        _ = world.register("a/b", topic: 5)
        _ = world.deliver(topic: 5, id: 3)
        #expect(world.receive(.puback(topicID: 1, msgID: 3, .congestion)) == [])
        #expect(world.pass(.milliseconds(6_999)) == [])
        #expect(world.pass(.milliseconds(1)) == ["1 PUBLISH q1 dup normal:1 m3 #7"])
    }

    @Test("Normal ids begin above the highest predefined one of any listener [D-29]")
    func base() {
        var world = world()
        _ = world.connect()
        #expect(world.register("a/b", topic: 5).last == "1 REGACK 8 m1 0")
    }

    @Test(
        "A device is asked again at its listener's pace, and as often as that says [SN-6.13]",
        arguments: [(0, 1), (1, 0)])
    func retries(listener: UInt16, count: Int) {
        var world = world()
        _ = world.receive(.connect(SNConnect("dev", will: true)), listener: listener)
        #expect(world.pass(.seconds(10)) == [String](repeating: "1 WILLTOPICREQ", count: count))
    }

    @Test("A listener that lets nobody in who has not said who he is refuses every device")
    func anonymous() {
        var world = World(listener: { $0.allowsAnonymous = false })
        #expect(world.receive(.connect(SNConnect("dev"))) == ["1 CONNACK 3"])
    }

    @Test("N_retry beyond what is counted is cut, and does not trap")
    func manyRetries() {
        var world = World {
            $0.unlisted.retryCount = .max
            $0.unlisted.retryInterval = .seconds(1)
        }
        _ = world.connect(duration: .max)
        #expect(world.pass(.seconds(80_000)).filter { $0 == "1 PINGREQ" }.count == 255)
        #expect(world.state() == nil)
    }

    // MARK: - From one listener to another

    /// Two listeners that let devices move, of whose ids 11 alone is the same.
    private func roaming(topicsMax: Int = 100) -> World {
        World { configuration in
            var first = Gateway.Configuration.Listener()
            first.rebind = .address
            first.predefinedTopics = [.init(id: 10, name: "first/%c"), .init(id: 11, name: "same")]
            var second = first
            second.predefinedTopics = [.init(id: 10, name: "second"), .init(id: 11, name: "same")]
            configuration.listeners = [first, second]
            configuration.topicsMax = topicsMax
        }
    }

    /// A device with a session that subscribed to ids 10 and 11 on the first listener.
    private func subscribed(clean: Bool) -> World {
        var world = roaming()
        _ = world.receive(.connect(SNConnect("dev", clean: clean, duration: 60)))
        _ = world.attach(expiry: clean ? 0 : .max)
        for (msgID, id) in [(UInt16(1), UInt16(10)), (2, 11)] {
            _ = world.receive(.subscribe(SNSubscribe(qos: .atLeastOnce, msgID: msgID, topic: .predefined(id))))
            let outcome = SubscriptionOutcome.granted(.atLeastOnce, TopicID(index: UInt32(id)))
            _ = world.answer(.subscribed(packetIdentifier: msgID, [outcome]))
        }
        return world
    }

    @Test("A session that goes on elsewhere keeps the ids that mean the same there; the others become normal ones")
    func sessionMoves() {
        var world = subscribed(clean: false)
        _ = world.receive(.disconnect(duration: nil))
        let back = SNPacket.connect(SNConnect("dev", clean: false))
        #expect(world.receive(back, from: 2, listener: 1) == ["0? forget 10", "0? attach dev keep"])
        _ = world.attach(sessionPresent: true, expiry: .max)
        #expect(world.deliver(topic: 11, name: "same") == ["2 PUBLISH q1 predefined:11 m1 #7"])
        _ = world.receive(.puback(topicID: 11, msgID: 1, .accepted), from: 2, listener: 1)
        #expect(world.deliver(topic: 10, name: "first/dev", id: 2) == ["0? keep 10", "2 REGISTER 12 #7"])
    }

    @Test("A delivery that sleep interrupted goes on under a normal id where its predefined one is another's")
    func deliveryMoves() {
        var world = subscribed(clean: true)
        #expect(world.deliver(topic: 10, name: "first/dev") == ["1 PUBLISH q1 predefined:10 m1 #7"])
        _ = world.receive(.disconnect(duration: 600))
        let wake = SNPacket.pingreq(clientID: view("dev"))
        #expect(
            world.receive(wake, from: 2, listener: 1) == [
                "0? keep 10", "0? forget 10", "0? open", "2 REGISTER 12 #7",
            ])
        let regack = SNPacket.regack(topicID: 12, msgID: world.registerID, .accepted)
        #expect(world.receive(regack, from: 2, listener: 1) == ["2 PUBLISH q1 dup normal:12 m1 #7"])
    }

    @Test("It is dropped where the device has no normal id left")
    func deliveryHasNoID() {
        var world = roaming(topicsMax: 0)
        _ = world.connect()
        _ = world.receive(.subscribe(SNSubscribe(qos: .atLeastOnce, msgID: 1, topic: .predefined(10))))
        _ = world.answer(.subscribed(packetIdentifier: 1, [.granted(.atLeastOnce, TopicID(index: 10))]))
        _ = world.deliver(topic: 10)
        _ = world.receive(.disconnect(duration: 600))
        let moved = world.receive(.pingreq(clientID: view("dev")), from: 2, listener: 1)
        #expect(moved == ["0? abandon 1", "0? forget 10", "0? open"])
    }

    // MARK: - Payloads

    @Test("A payload longer than any may be: 0x03 at QoS 0 to 2, silence at QoS -1, and no such will")
    func payloadTooLong() {
        var world = World {
            $0.payloadBytesMax = 4
            $0.unlisted.predefinedTopics = [.init(id: 10, name: "p")]
            $0.unlisted.allowsInlineNames = true
        }
        _ = world.connect()
        for (qos, isAnswered) in [(SNQoS.zero, true), (.one, true), (.two, true), (.minusOne, false)] {
            let msgID: UInt16 = qos == .one || qos == .two ? 2 : 0
            func publish(_ data: String) -> [String] {
                world.receive(.publish(SNPublish(qos, .predefined, 10, msgID: msgID, data)))
            }
            #expect(publish("12345") == (isAnswered ? ["1 PUBACK 10 m\(msgID) 3"] : []))
            #expect(publish("1234").count == 1)
        }
        // The name in front does not count.
        #expect(world.receive(.publish(SNPublish(.minusOne, 4, "a/bc1234"))) == ["0? publish a/bc=1234 q0 m0"])
        #expect(world.receive(.publish(SNPublish(.minusOne, 4, "a/bc12345"))) == [])
        _ = world.receive(.connect(SNConnect("will", will: true)), from: 2)
        _ = world.receive(.willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("w"))), from: 2)
        #expect(world.receive(.willMsg(view("12345")), from: 2) == ["2 CONNACK 3"])
    }
}
