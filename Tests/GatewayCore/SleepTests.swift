import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct SleepTests {
    /// A sleeping device with topic 5 under id 1.
    private func world(
        clean: Bool = true, seconds: UInt16 = 600, _ edit: (inout Gateway.Configuration) -> Void = { _ in }
    ) -> World {
        var world = World(edit)
        _ = world.connect(clean: clean)
        _ = world.register("a/b", topic: 5)
        _ = world.receive(.disconnect(duration: seconds))
        return world
    }

    private var wakeUp: SNPacket { .pingreq(clientID: view("dev")) }

    @Test("DISCONNECT with a duration: the window closes, DISCONNECT answers, the device is asleep [SN-6.14]")
    func fallAsleep() {
        var world = World()
        _ = world.connect()
        #expect(world.receive(.disconnect(duration: 600)) == ["0? close", "1 DISCONNECT"])
        #expect(world.state() == .asleep)
        #expect(world.logs.last == .fellAsleep("dev", seconds: 600))
        #expect(world.gateway.counters.devicesAsleep == 1)
    }

    @Test("PINGREQ wakes; without messages PINGRESP comes at once [SN-6.14]")
    func nothingWaits() {
        var world = world()
        #expect(world.receive(wakeUp) == ["0? open"])
        #expect(world.state() == .awake)
        #expect(world.answer(.drained) == ["0? close", "1 PINGRESP"])
        #expect(world.state() == .asleep)
    }

    @Test("PINGREQ without a client id from the same address wakes too [D-12]")
    func withoutID() {
        var world = world()
        #expect(world.receive(.pingreq(clientID: .empty)) == ["0? open"])
        #expect(world.state() == .awake)
    }

    @Test("Messages come one at a time, PINGRESP after the last was acknowledged or sent [D-17]")
    func messages() {
        var world = world()
        _ = world.receive(wakeUp)
        #expect(world.deliver(topic: 5, id: 1) == ["1 PUBLISH q1 normal:1 m1 #7"])
        #expect(world.receive(.puback(topicID: 1, msgID: 1, .accepted)) == ["0? puback 1"])
        #expect(world.deliver(topic: 5, qos: .atMostOnce) == ["1 PUBLISH q0 normal:1 m0 #7", "0? delivered"])
        #expect(world.deliver(topic: 5, id: 2, qos: .exactlyOnce) == ["1 PUBLISH q2 normal:1 m2 #7"])
        #expect(world.receive(.pubrec(msgID: 2)) == ["0? pubrec 2"])
        #expect(world.acknowledge(.pubrel, 2) == ["1 PUBREL m2"])
        #expect(world.receive(.pubcomp(msgID: 2)) == ["0? pubcomp 2"])
        #expect(world.answer(.drained) == ["0? close", "1 PINGRESP"])
    }

    @Test("Topic ids are kept across sleep: no REGISTER [D-04]")
    func idsKept() {
        var world = world()
        _ = world.receive(wakeUp)
        #expect(world.deliver(topic: 5) == ["1 PUBLISH q1 normal:1 m1 #7"])
    }

    @Test("A new topic is registered while awake [SN-6.10]")
    func registerAwake() {
        var world = world()
        _ = world.receive(wakeUp)
        #expect(world.deliver(topic: 6) == ["0? keep 6", "1 REGISTER 2 #7"])
        #expect(
            world.receive(.regack(topicID: 2, msgID: world.registerID, .accepted)) == [
                "1 PUBLISH q1 normal:2 m1 #7"
            ])
    }

    @Test("After as many messages as a wake may have, the window closes first, then PINGRESP [D-17]")
    func wakeLimit() {
        var world = world { $0.unlisted.messagesPerWakeMax = 2 }
        _ = world.receive(wakeUp)
        _ = world.deliver(topic: 5, qos: .atMostOnce)
        #expect(world.deliver(topic: 5, id: 2) == ["1 PUBLISH q1 normal:1 m2 #7"])
        #expect(world.receive(.puback(topicID: 1, msgID: 2, .accepted)) == ["0? close", "0? puback 2", "1 PINGRESP"])
        #expect(world.state() == .asleep)
        // The next wake starts to count anew.
        _ = world.receive(wakeUp)
        #expect(world.deliver(topic: 5, qos: .atMostOnce).count == 2)
        #expect(world.state() == .awake)
    }

    @Test("How many messages a wake may have is the listener's to say [D-17]")
    func wakeLimitOfListener() {
        for (most, ends) in [(0, false), (1, true), (2, false)] {
            var world = World(listener: { $0.messagesPerWakeMax = most })
            _ = world.connect()
            _ = world.register("a/b", topic: 5)
            _ = world.receive(.disconnect(duration: 600))
            _ = world.receive(wakeUp)
            let told = world.deliver(topic: 5, qos: .atMostOnce)
            #expect(told.contains("1 PINGRESP") == ends)
        }
    }

    @Test("The tolerance of the sleep timer is the listener's to say, for short and for long sleeps [D-20] [SN-6.14]")
    func toleranceOfListener() {
        for (seconds, loss) in [(60, 60), (100, 150)] {
            var world = World(listener: {
                $0.tolerance.shortPercent = 0
                $0.tolerance.longPercent = 50
            })
            _ = world.connect(clean: false)
            _ = world.receive(.disconnect(duration: UInt16(seconds)))
            #expect(world.pass(.seconds(loss - 1)) == [])
            #expect(world.pass(.seconds(1)) == ["0? detach will"])
        }
    }

    @Test("PINGREQ repeated while a message is under way: that message again, no second drain [D-19]")
    func repeatedPing() {
        var world = world()
        _ = world.receive(wakeUp)
        #expect(world.receive(wakeUp) == [])
        _ = world.deliver(topic: 5)
        #expect(world.receive(wakeUp) == ["1 PUBLISH q1 dup normal:1 m1 #7"])
        _ = world.receive(.puback(topicID: 1, msgID: 1, .accepted))
        #expect(world.answer(.drained) == ["0? close", "1 PINGRESP"])
        // PINGRESP was lost: a new wake, which finds nothing.
        #expect(world.receive(wakeUp) == ["0? open"])
        #expect(world.answer(.drained) == ["0? close", "1 PINGRESP"])
    }

    @Test("A storm of PINGREQ while awake gets the message under way once a second [D-19] [attack 120]")
    func pingStorm() {
        var world = world()
        _ = world.receive(wakeUp)
        _ = world.deliver(topic: 5)
        var again = 0
        for _ in 0..<100 { again += world.receive(.pingreq(clientID: .empty)).count }
        #expect(again == 1)
        _ = world.pass(.seconds(1))
        #expect(world.receive(.pingreq(clientID: .empty)) == ["1 PUBLISH q1 dup normal:1 m1 #7"])
        #expect(world.receive(.pingreq(clientID: .empty)) == [])
    }

    @Test("Silence while awake: retries, then back to sleep with the message kept [D-18] [attack 121]")
    func silentAwake() {
        var world = world { $0.unlisted.retryCount = 2 }
        _ = world.receive(wakeUp)
        _ = world.deliver(topic: 5)
        let again = "1 PUBLISH q1 dup normal:1 m1 #7"
        #expect(world.pass(.seconds(30)) == [again, again, "0? close"])
        #expect(world.state() == .asleep)
        #expect(world.pass(.seconds(300)) == [])
        #expect(world.receive(wakeUp) == ["0? open", again])
        #expect(world.receive(.puback(topicID: 1, msgID: 1, .accepted)) == ["0? puback 1"])
    }

    @Test("What was not acknowledged when the device fell asleep comes again, with DUP, when it wakes")
    func interrupted() {
        var world = World()
        _ = world.connect()
        _ = world.register("a/b", topic: 5)
        _ = world.deliver(topic: 5)
        _ = world.receive(.disconnect(duration: 600))
        #expect(world.pass(.seconds(60)) == [])
        #expect(world.receive(wakeUp) == ["0? open", "1 PUBLISH q1 dup normal:1 m1 #7"])
    }

    @Test("An acknowledgement that arrives after DISCONNECT still counts")
    func lateAcknowledgement() {
        var world = World()
        _ = world.connect()
        _ = world.register("a/b", topic: 5)
        _ = world.deliver(topic: 5)
        _ = world.receive(.disconnect(duration: 600))
        #expect(world.receive(.puback(topicID: 1, msgID: 1, .accepted)) == ["0? puback 1"])
        #expect(world.state() == .asleep)
    }

    @Test("A delivery that the broker sent before it heard of the sleep waits for the wake")
    func crossing() {
        var world = world()
        #expect(world.deliver(topic: 5) == [])
        #expect(world.pass(.seconds(60)) == [])
        #expect(world.receive(wakeUp) == ["0? open", "1 PUBLISH q1 normal:1 m1 #7"])
    }

    @Test(
        "The sleep timer: lost with its will after duration and tolerance [D-20] [D-22]",
        arguments: [
            (60, 90), (100, 110), (65535, 72_089),
        ])
    func timer(duration: Int, loss: Int) {
        var world = world(clean: false, seconds: UInt16(duration))
        #expect(world.pass(.seconds(loss - 1)) == [])
        #expect(world.pass(.seconds(1)) == ["0? detach will"])
        #expect(world.state() == .lost)
    }

    @Test("Keep-alive rests during sleep; each wake starts the sleep timer anew [D-21]")
    func timerRestarts() {
        var world = world(clean: false, seconds: 100)
        for _ in 0..<10 {
            #expect(world.pass(.seconds(109)) == [])
            _ = world.receive(wakeUp)
            _ = world.answer(.drained)
        }
        #expect(world.pass(.seconds(109)) == [])
        #expect(world.state() == .asleep)
        #expect(world.pass(.seconds(1)) == ["0? detach will"])
    }

    @Test("DISCONNECT with a duration while asleep or awake: the new duration counts [D-24]")
    func newDuration() {
        var world = world(clean: false, seconds: 100)
        #expect(world.receive(.disconnect(duration: 1000)) == ["0? close", "1 DISCONNECT"])
        #expect(world.pass(.seconds(1099)) == [])
        _ = world.receive(wakeUp)
        _ = world.deliver(topic: 5)
        #expect(world.receive(.disconnect(duration: 200)) == ["0? close", "1 DISCONNECT"])
        #expect(world.state() == .asleep)
        #expect(world.pass(.seconds(219)) == [])
        #expect(world.pass(.seconds(1)) == ["0? detach will"])
    }

    @Test("Plain DISCONNECT from sleep ends the connection [SN-6.14]")
    func disconnect() {
        var world = world(clean: false)
        #expect(world.receive(.disconnect(duration: nil)) == ["1 DISCONNECT", "0? detach"])
        #expect(world.state() == .disconnected)
    }

    @Test("Plain DISCONNECT while awake ends the connection, message under way or not [SN-6.14]")
    func disconnectAwake() {
        var world = world(clean: false)
        _ = world.receive(wakeUp)
        _ = world.deliver(topic: 5)
        #expect(world.receive(.disconnect(duration: nil)) == ["1 DISCONNECT", "0? detach"])
        #expect(world.state() == .disconnected)
    }

    @Test("CONNECT from sleep: CONNACK first, then what waits; CleanSession is ignored [D-02]")
    func resume() {
        var world = world(clean: false)
        _ = world.deliver(topic: 5)
        #expect(
            world.receive(.connect(SNConnect("dev", clean: true, duration: 30))) == [
                "1 CONNACK 0", "0? open", "1 REGISTER 1 #7",
            ])
        #expect(world.state() == .active)
        #expect(
            world.receive(.regack(topicID: 1, msgID: world.registerID, .accepted)) == ["1 PUBLISH q1 normal:1 m1 #7"])
        _ = world.receive(.puback(topicID: 1, msgID: 1, .accepted))
        // The new keep-alive counts.
        #expect(world.pass(.milliseconds(37_499)) == [])
        #expect(world.pass(.milliseconds(1)) == ["1 PINGREQ"])
    }

    @Test("CONNECT while awake: the window closes and opens, CONNACK comes before the message [D-02]")
    func resumeAwake() {
        var world = world()
        _ = world.receive(wakeUp)
        _ = world.deliver(topic: 5)
        #expect(
            world.receive(.connect(SNConnect("dev"))) == [
                "0? close", "1 CONNACK 0", "0? open", "1 REGISTER 1 #7",
            ])
    }

    @Test("CONNECT with Will from sleep: the handshake, then the will is set on the session [D-02]")
    func resumeWithWill() {
        var world = world()
        #expect(world.receive(.connect(SNConnect("dev", will: true))) == ["1 WILLTOPICREQ"])
        _ = world.receive(.willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("gone"))))
        #expect(world.receive(.willMsg(view("bye"))) == ["0? setWill will gone=bye q0", "1 CONNACK 0", "0? open"])
        #expect(world.state() == .active)
    }

    @Test("A will handshake from sleep that comes to nothing leaves the device asleep [D-35]")
    func resumeAbandoned() {
        var world = world { $0.unlisted.retryCount = 1 }
        _ = world.receive(.connect(SNConnect("dev", will: true)))
        #expect(world.pass(.seconds(20)) == ["1 WILLTOPICREQ"])
        #expect(world.state() == .asleep)
        #expect(world.receive(wakeUp) == ["0? open"])
    }

    @Test("A late answer to a delivery does not end the wait of a will handshake from sleep [D-35]")
    func resumeWithLateAnswer() {
        let answers: [SNPacket] = [
            .puback(topicID: 1, msgID: 9, .accepted), .puback(topicID: 1, msgID: 9, .congestion),
            .puback(topicID: 1, msgID: 9, .notSupported),
        ]
        for answer in answers {
            var world = world { $0.unlisted.retryCount = 1 }
            _ = world.receive(wakeUp)
            #expect(world.deliver(topic: 5, id: 9) == ["1 PUBLISH q1 normal:1 m9 #7"])
            _ = world.receive(.connect(SNConnect("dev", will: true)))
            _ = world.receive(answer)
            #expect(world.gateway.contradiction() == nil, "\(answer)")
            #expect(world.pass(.seconds(20)) == ["1 WILLTOPICREQ"], "\(answer)")
            #expect(world.state() == .asleep)
        }
    }

    @Test(
        "A REGACK from before a restart makes no topic id known, with a will and without [D-51]",
        arguments: [false, true])
    func resumeWithLateRegack(will: Bool) {
        var world = world()
        _ = world.receive(wakeUp)
        #expect(world.deliver(topic: 6) == ["0? keep 6", "1 REGISTER 2 #7"])
        let late = SNPacket.regack(topicID: 2, msgID: world.registerID, .accepted)
        _ = world.receive(.connect(SNConnect("dev", will: will)))
        #expect(world.receive(late) == [])
        if will { #expect(world.receive(.willTopic(nil)).last == "1 REGISTER 2 #7") }
        #expect(world.receive(late) == [])
        #expect(
            world.receive(.regack(topicID: 2, msgID: world.registerID, .accepted)) == ["1 PUBLISH q1 normal:2 m1 #7"])
    }

    @Test("DISCONNECT with a duration in a will handshake from sleep goes back to sleep")
    func resumeDisconnected() {
        var world = world()
        _ = world.receive(.connect(SNConnect("dev", will: true)))
        #expect(world.receive(.disconnect(duration: 30)) == ["0? close", "1 DISCONNECT"])
        #expect(world.state() == .asleep)
    }

    @Test("A strict listener begins a new session for CleanSession=1 from sleep [D-02]")
    func resumeStrict() {
        var world = World(listener: { $0.isStrict = true })
        _ = world.connect(clean: false)
        _ = world.receive(.disconnect(duration: 60))
        #expect(world.receive(.connect(SNConnect("dev"))) == ["0? detach", "0? attach dev clean"])
    }

    @Test("PUBLISH at QoS -1, 0 and 1 from sleep is taken without leaving it [D-26]")
    func publishAsleep() {
        var world = world { $0.unlisted.predefinedTopics = [.init(id: 10, name: "p")] }
        // Normal ids begin above 10.
        #expect(world.receive(.publish(SNPublish(.zero, 11))) == ["0? publish #5=x q0 m0"])
        #expect(world.receive(.publish(SNPublish(.one, 11, msgID: 4))) == ["0? publish #5=x q1 m4"])
        #expect(world.acknowledge(.puback, 4) == ["1 PUBACK 11 m4 0"])
        #expect(world.receive(.publish(SNPublish(.minusOne, .predefined, 10))) == ["0? publish p=x q0 m0"])
        #expect(world.state() == .asleep)
    }

    @Test(
        "What a sleeping device may not do gets DISCONNECT, once a second, and it sleeps on [D-26]",
        arguments: samples(
            SNPacket.publish(SNPublish(.two, 1, msgID: 3)), .register(topicID: 0, msgID: 1, topicName: view("t")),
            .subscribe(SNSubscribe(msgID: 1, topic: .name(view("t")))),
            .unsubscribe(SNSubscribe(msgID: 1, topic: .name(view("t")))), .willTopicUpd(nil), .willMsgUpd(view("m"))
        ))
    func forbiddenAsleep(sample: Sample) {
        let packet = sample.packet
        var world = world()
        #expect(world.receive(packet) == ["1 DISCONNECT"])
        #expect(world.receive(packet) == [])
        #expect(world.state() == .asleep)
    }

    @Test("A strict listener takes no PUBLISH from sleep [D-26]")
    func strictAsleep() {
        var world = World(listener: { $0.isStrict = true })
        _ = world.connect()
        _ = world.register("a/b", topic: 5)
        _ = world.receive(.disconnect(duration: 60))
        #expect(world.receive(.publish(SNPublish(.zero, 1))) == ["1 DISCONNECT"])
    }

    @Test(
        "Congestion while awake ends the wake; within T_WAIT another wake brings nothing, after it the message [D-46]")
    func congestion() {
        var world = world()
        _ = world.receive(wakeUp)
        _ = world.deliver(topic: 5)
        #expect(world.receive(.puback(topicID: 1, msgID: 1, .congestion)) == ["0? close", "1 PINGRESP"])
        _ = world.pass(.seconds(30))
        #expect(world.receive(wakeUp) == ["1 PINGRESP"])
        #expect(world.state() == .asleep)
        _ = world.pass(.seconds(30))
        #expect(world.receive(wakeUp) == ["0? open", "1 PUBLISH q1 dup normal:1 m1 #7"])
    }

    @Test("The broker ends a sleeper's link: its radio is off, so it hears when it speaks")
    func closedAsleep() {
        var world = world()
        #expect(world.answer(.close(.sessionTakenOver)) == ["0? forget 5"])
        #expect(world.receive(.pingreq(clientID: view("dev"))) == ["1 DISCONNECT"])
    }
}
