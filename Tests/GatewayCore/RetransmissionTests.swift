import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct RetransmissionTests {
    private func world(_ edit: (inout Gateway.Configuration) -> Void = { _ in }) -> World {
        var world = World {
            $0.unlisted.retryCount = 2
            edit(&$0)
        }
        _ = world.connect(duration: 0)
        _ = world.register("a/b", topic: 5)
        return world
    }

    @Test(
        "PUBLISH at QoS 1 and 2 is sent again with DUP, N_retry times, then the device is lost [SN-7.2]",
        arguments: [
            QoS.atLeastOnce, .exactlyOnce,
        ])
    func publish(qos: QoS) {
        var world = world()
        #expect(world.deliver(topic: 5, id: 9, qos: qos) == ["1 PUBLISH q\(qos.rawValue) normal:1 m9 #7"])
        let again = "1 PUBLISH q\(qos.rawValue) dup normal:1 m9 #7"
        #expect(world.pass(.seconds(9)) == [])
        #expect(world.pass(.seconds(1)) == [again])
        #expect(world.pass(.seconds(10)) == [again])
        #expect(world.pass(.seconds(9)) == [])
        #expect(world.pass(.seconds(1)) == ["0? forget 5", "0? detach will"])
        #expect(world.logs.last == .lost("dev"))
        #expect(world.gateway.counters.retransmitted == 2)
        #expect(world.gateway.counters.unanswered == 1)
    }

    @Test("REGISTER is sent again, then the device is lost")
    func register() {
        var world = world()
        #expect(world.deliver(topic: 6, id: 9) == ["0? keep 6", "1 REGISTER 2 #7"])
        let first = world.registerID
        #expect(world.pass(.seconds(20)) == ["1 REGISTER 2 #7", "1 REGISTER 2 #7"])
        #expect(world.registerID == first)
        #expect(world.pass(.seconds(10)) == ["0? forget 5", "0? forget 6", "0? detach will"])
    }

    @Test("PUBREL is sent again, then the device is lost")
    func pubrel() {
        var world = world()
        _ = world.deliver(topic: 5, id: 9, qos: .exactlyOnce)
        _ = world.receive(.pubrec(msgID: 9))
        #expect(world.pass(.seconds(30)) == [])
        #expect(world.acknowledge(.pubrel, 9) == ["1 PUBREL m9"])
        #expect(world.pass(.seconds(20)) == ["1 PUBREL m9", "1 PUBREL m9"])
        #expect(world.pass(.seconds(10)).last == "0? detach will")
    }

    @Test("WILLTOPICREQ and WILLMSGREQ are sent again, N_retry times, then the attempt is over [SN-6.3] [D-35]")
    func willRequests() {
        var world = World { $0.unlisted.retryCount = 2 }
        #expect(world.receive(.connect(SNConnect("dev", will: true))) == ["1 WILLTOPICREQ"])
        #expect(world.pass(.seconds(20)) == ["1 WILLTOPICREQ", "1 WILLTOPICREQ"])
        let topic = SNPacket.willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("gone")))
        #expect(world.receive(topic) == ["1 WILLMSGREQ"])
        #expect(world.pass(.seconds(20)) == ["1 WILLMSGREQ", "1 WILLMSGREQ"])
        #expect(world.pass(.seconds(60)) == [])
        #expect(world.gateway.counters.retransmitted == 4)
        #expect(world.gateway.counters.unanswered == 1)
    }

    @Test("REGISTER without an answer while awake: again, then back to sleep; the next wake begins with it [D-18]")
    func registerAwake() {
        var world = world()
        _ = world.receive(.disconnect(duration: 600))
        _ = world.receive(.pingreq(clientID: view("dev")))
        _ = world.deliver(topic: 6, id: 9)
        #expect(world.pass(.seconds(30)) == ["1 REGISTER 2 #7", "1 REGISTER 2 #7", "0? close"])
        #expect(world.state() == .asleep)
        #expect(world.receive(.pingreq(clientID: view("dev"))) == ["0? open", "1 REGISTER 2 #7"])
    }

    @Test("PUBREL without an answer while awake: again, then back to sleep; the next wake begins with it [D-18]")
    func pubrelAwake() {
        var world = world()
        _ = world.receive(.disconnect(duration: 600))
        _ = world.receive(.pingreq(clientID: view("dev")))
        _ = world.deliver(topic: 5, id: 9, qos: .exactlyOnce)
        _ = world.receive(.pubrec(msgID: 9))
        _ = world.acknowledge(.pubrel, 9)
        #expect(world.pass(.seconds(30)) == ["1 PUBREL m9", "1 PUBREL m9", "0? close"])
        #expect(world.state() == .asleep)
        #expect(world.receive(.pingreq(clientID: view("dev"))) == ["0? open", "1 PUBREL m9"])
        #expect(world.receive(.pubcomp(msgID: 9)) == ["0? pubcomp 9"])
    }

    @Test("An answer ends the retransmission, and the next step has all its retries")
    func answered() {
        var world = world()
        _ = world.deliver(topic: 6, id: 9)
        #expect(world.pass(.seconds(20)).count == 2)
        _ = world.receive(.regack(topicID: 2, msgID: world.registerID, .accepted))
        #expect(world.pass(.seconds(20)) == ["1 PUBLISH q1 dup normal:2 m9 #7", "1 PUBLISH q1 dup normal:2 m9 #7"])
        #expect(world.receive(.puback(topicID: 2, msgID: 9, .accepted)) == ["0? puback 9"])
        #expect(world.pass(.seconds(600)) == [])
        #expect(world.state() == .active)
    }

    @Test("Messages at QoS 0 are never sent again")
    func qos0() {
        var world = world()
        _ = world.deliver(topic: 5, qos: .atMostOnce)
        #expect(world.pass(.seconds(600)) == [])
    }

    @Test("With CleanSession=0 the lost device's session stays, and its ids with it")
    func sessionStays() {
        var world = World { $0.unlisted.retryCount = 0 }
        _ = world.connect(clean: false, duration: 0)
        _ = world.register("a/b", topic: 5)
        _ = world.deliver(topic: 5)
        #expect(world.pass(.seconds(10)) == ["0? detach will"])
        #expect(world.state() == .lost)
        #expect(world.connect(clean: false, sessionPresent: true) == ["0? attach dev keep", "1 CONNACK 0", "0? open"])
        #expect(world.receive(.publish(SNPublish(.zero, 1))) == ["0? publish #5=x q0 m0"])
    }

    @Test("Jitter spreads the retries over its share of the interval, the same way for the same seed")
    func jitter() {
        func waits() -> [UInt64] {
            var world = world {
                $0.retryJitterPercent = 20
                $0.unlisted.retryCount = 50
            }
            _ = world.deliver(topic: 5)
            var result: [UInt64] = []
            for _ in 0..<50 {
                guard let deadline = world.gateway.nextDeadline else { break }
                result.append(deadline.since(world.now.instant).wholeNanoseconds)
                _ = world.pass(deadline.since(world.now.instant))
            }
            return result
        }
        let first = waits()
        #expect(first == waits())
        #expect(first.count == 50)
        #expect(first.allSatisfy { $0 >= 10_000_000_000 && $0 < 12_000_000_000 })
        #expect(Set(first).count > 40)
    }
}
