import Bytes
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct PublishTests {
    /// A connected device with topic 5 under id 1.
    private func world(_ edit: (inout Gateway.Configuration.Listener) -> Void = { _ in }) -> World {
        var world = World { configuration in
            var listener = Gateway.Configuration.Listener()
            listener.predefinedTopics = [
                .init(id: 10, name: "hall/temperature"), .init(id: 11, name: "hall/%c/state/%c"),
            ]
            edit(&listener)
            configuration.listeners = [listener]
            configuration.topicsPerDeviceMax = 0xFFFE
        }
        _ = world.connect()
        _ = world.register("a/b", topic: 5)
        return world
    }

    @Test("QoS 0 by normal id: one request, no answer [SN-6.6]")
    func qos0() {
        var world = world()
        #expect(
            world.receive(.publish(SNPublish(.zero, 1, "21.5", retain: true))) == [
                "0? publish #5=21.5 q0 retain m0"
            ])
    }

    @Test("QoS 1: the broker's PUBACK goes out with topic id and MsgId of the PUBLISH [SN-5.4.13]")
    func qos1() {
        var world = world()
        #expect(world.receive(.publish(SNPublish(.one, 1, msgID: 7))) == ["0? publish #5=x q1 m7"])
        #expect(world.acknowledge(.puback, 7) == ["1 PUBACK 1 m7 0"])
        #expect(world.receive(.publish(SNPublish(.one, 1, msgID: 7, dup: true))) == ["0? publish #5=x q1 dup m7"])
        #expect(world.acknowledge(.puback, 7, .noMatchingSubscribers) == ["1 PUBACK 1 m7 0"])
    }

    @Test("QoS 2: PUBREC, PUBREL, PUBCOMP [SN-6.6]")
    func qos2() {
        var world = world()
        #expect(world.receive(.publish(SNPublish(.two, 1, msgID: 7))) == ["0? publish #5=x q2 m7"])
        #expect(world.acknowledge(.pubrec, 7) == ["1 PUBREC m7"])
        #expect(world.receive(.pubrel(msgID: 7)) == ["0? release 7"])
        #expect(world.acknowledge(.pubcomp, 7) == ["1 PUBCOMP m7"])
        #expect(world.receive(.pubrel(msgID: 7)) == ["0? release 7"])
        #expect(world.acknowledge(.pubcomp, 7, .packetIdentifierNotFound) == ["1 PUBCOMP m7"])
    }

    @Test("Predefined ids, with %c for the client id, and short names [SN-6.7]")
    func otherTypes() {
        var world = world()
        #expect(
            world.receive(.publish(SNPublish(.zero, .predefined, 10))) == [
                "0? publish hall/temperature=x q0 m0"
            ])
        #expect(
            world.receive(.publish(SNPublish(.one, .predefined, 11, msgID: 2))) == [
                "0? publish hall/dev/state/dev=x q1 m2"
            ])
        #expect(world.acknowledge(.puback, 2) == ["1 PUBACK 11 m2 0"])
        #expect(world.receive(.publish(SNPublish(.zero, .short, short("ab")))) == ["0? publish ab=x q0 m0"])
    }

    @Test("A client id with wildcards or slashes gets no topic with %c [attack 84]", arguments: ["a/b", "#", "+"])
    func placeholder(id: String) {
        var world = World { $0.unlisted.predefinedTopics = [.init(id: 11, name: "hall/%c")] }
        _ = world.connect(id)
        #expect(world.receive(.publish(SNPublish(.one, .predefined, 11, msgID: 2))) == ["1 PUBACK 11 m2 2"])
    }

    @Test(
        "An unknown id gets PUBACK 0x02 at QoS 1 and 2 alike [D-09]",
        arguments: [SNTopicIDType.normal, .predefined], [SNQoS.one, .two])
    func unknownID(type: SNTopicIDType, qos: SNQoS) {
        var world = world()
        #expect(world.receive(.publish(SNPublish(qos, type, 99, msgID: 3))) == ["1 PUBACK 99 m3 2"])
        #expect(world.receive(.publish(SNPublish(qos, type, 0, msgID: 3))) == ["1 PUBACK 0 m3 2"])
        #expect(world.receive(.publish(SNPublish(qos, type, 0xFFFF, msgID: 3))) == ["1 PUBACK 65535 m3 2"])
        #expect(world.gateway.counters.unknownTopicID == 3)
    }

    @Test("An unknown id at QoS 0 gets PUBACK with MsgId 0, once a second at most [D-08]")
    func unknownAtQoS0() {
        var world = world()
        #expect(world.receive(.publish(SNPublish(.zero, 99))) == ["1 PUBACK 99 m0 2"])
        #expect(world.receive(.publish(SNPublish(.zero, 99))) == [])
        #expect(world.gateway.counters.rateLimited == 1)
        _ = world.pass(.seconds(1))
        #expect(world.receive(.publish(SNPublish(.zero, 99))) == ["1 PUBACK 99 m0 2"])
    }

    @Test("What the broker refuses at QoS 0 is told with the topic id as sent [D-08]")
    func refusedAtQoS0() {
        var world = world()
        _ = world.receive(.publish(SNPublish(.zero, .predefined, 10)))
        #expect(world.acknowledge(.puback, 0, .notAuthorized) == ["1 PUBACK 10 m0 3"])
    }

    @Test(
        "A refusal at QoS 1 and 2 is PUBACK with its code",
        arguments: [(PublishOutcome.notAuthorized, 3), (.quotaExceeded, 1), (.receiveMaximumExceeded, 1)])
    func refused(outcome: PublishOutcome, code: Int) {
        var world = world()
        _ = world.receive(.publish(SNPublish(.one, 1, msgID: 7)))
        #expect(world.acknowledge(.puback, 7, outcome) == ["1 PUBACK 1 m7 \(code)"])
        _ = world.receive(.publish(SNPublish(.two, 1, msgID: 8)))
        #expect(world.acknowledge(.pubrec, 8, outcome) == ["1 PUBACK 1 m8 \(code)"])
    }

    @Test("MsgId 0 at QoS 1 is acknowledged with 0; a strict listener refuses it [D-10]")
    func msgIDZero() {
        var lenient = world()
        #expect(lenient.receive(.publish(SNPublish(.one, 1))) == ["0? publish #5=x q1 m0"])
        #expect(lenient.acknowledge(.puback, 0) == ["1 PUBACK 1 m0 0"])
        var strict = world { $0.isStrict = true }
        #expect(strict.receive(.publish(SNPublish(.one, 1))) == ["1 PUBACK 1 m0 3"])
    }

    @Test("TopicIdType 0b11 gets PUBACK 0x03 [D-31]")
    func reserved() {
        var world = world()
        #expect(world.receive(.publish(SNPublish(.one, .reserved, 1, msgID: 7))) == ["1 PUBACK 1 m7 3"])
    }

    @Test("A short name that no topic can have means nothing", arguments: ["a#", "+/"])
    func badShort(name: String) {
        var world = world()
        let id = short(name)
        #expect(world.receive(.publish(SNPublish(.one, .short, id, msgID: 7))) == ["1 PUBACK \(id) m7 2"])
    }

    @Test("Eight may be open, the ninth hears congestion; a retransmission counts once [D-38]")
    func open() {
        var world = world()
        for id in 1...8 as ClosedRange<UInt16> {
            #expect(world.receive(.publish(SNPublish(.one, 1, msgID: id))).count == 1)
        }
        #expect(world.receive(.publish(SNPublish(.one, 1, msgID: 8, dup: true))) == ["0? publish #5=x q1 dup m8"])
        #expect(world.receive(.publish(SNPublish(.one, 1, msgID: 9))) == ["1 PUBACK 1 m9 1"])
        #expect(world.gateway.counters.tooManyOpen == 1)
        #expect(world.acknowledge(.puback, 3) == ["1 PUBACK 1 m3 0"])
        #expect(world.receive(.publish(SNPublish(.one, 1, msgID: 9))) == ["0? publish #5=x q1 m9"])
        for id in [1, 2, 4, 5, 6, 7, 8, 9] as [UInt16] {
            #expect(world.acknowledge(.puback, id) == ["1 PUBACK 1 m\(id) 0"])
        }
    }

    @Test("QoS -1 from a connected device has its identity and gets no answer, whatever happens [D-33]")
    func minusOneConnected() {
        var world = world()
        #expect(
            world.receive(.publish(SNPublish(.minusOne, .predefined, 11))) == [
                "0? publish hall/dev/state/dev=x q0 m0"
            ])
        #expect(world.acknowledge(.puback, 0, .notAuthorized) == [])
        #expect(world.receive(.publish(SNPublish(.minusOne, .predefined, 99))) == [])
        #expect(world.receive(.publish(SNPublish(.minusOne, .normal, 1))) == [])
        #expect(world.gateway.counters.unknownTopicID == 2)
    }

    @Test("QoS -1 from strangers only where it is allowed [D-33]")
    func minusOneStranger() {
        var closed = world()
        #expect(closed.receive(.publish(SNPublish(.minusOne, .predefined, 10)), from: 9) == [])
        #expect(closed.gateway.counters.anonymousRejected == 1)
        var open = world { $0.allowsAnonymousPublish = true }
        #expect(
            open.receive(.publish(SNPublish(.minusOne, .predefined, 10)), from: 9) == [
                "anonymous hall/temperature=x q0 m0 @0"
            ])
        #expect(
            open.receive(.publish(SNPublish(.minusOne, .short, short("ab"))), from: 9) == [
                "anonymous ab=x q0 m0 @0"
            ])
        // Nobody has no client id for %c; normal ids belong to somebody.
        #expect(open.receive(.publish(SNPublish(.minusOne, .predefined, 11)), from: 9) == [])
        #expect(open.receive(.publish(SNPublish(.minusOne, .normal, 1)), from: 9) == [])
        #expect(open.gateway.counters.anonymousRejected == 2)
    }

    @Test("QoS -1 from strangers is limited to so many a second [attack 115]")
    func minusOneFlood() {
        var world = World { configuration in
            var listener = Gateway.Configuration.Listener()
            listener.allowsAnonymousPublish = true
            configuration.listeners = [listener]
            configuration.anonymousPublishesPerSecond = 3
        }
        var taken = 0
        for _ in 0..<30 {
            taken += world.receive(.publish(SNPublish(.minusOne, .short, short("ab")))).count
        }
        #expect(taken == 3)
        _ = world.pass(.seconds(1))
        #expect(world.receive(.publish(SNPublish(.minusOne, .short, short("ab")))).count == 1)
    }

    @Test("QoS -1 with the name in the data where the listener allows it [attack 116] [D-32]")
    func inlineName() {
        var world = world {
            $0.allowsAnonymousPublish = true
            $0.allowsInlineNames = true
        }
        #expect(
            world.receive(.publish(SNPublish(.minusOne, .normal, 3, "a/b21")), from: 9) == [
                "anonymous a/b=21 q0 m0 @0"
            ])
        #expect(world.receive(.publish(SNPublish(.minusOne, .normal, 5, "a/b21"))) == ["0? publish a/b21= q0 m0"])
        for (count, data) in [(6, "a/b21"), (65535, "a/b21"), (0, "a/b21"), (3, "a/#21")] as [(UInt16, String)] {
            #expect(world.receive(.publish(SNPublish(.minusOne, .normal, count, data)), from: 9) == [])
        }
    }

    @Test("Ids of the server's own topics can be received, not published to [attack 54]")
    func serversTopics() {
        var world = world()
        _ = world.receive(.subscribe(SNSubscribe(msgID: 3, topic: .name(view("$SYS/uptime")))))
        _ = world.answer(.subscribed(packetIdentifier: 3, [.granted(.atLeastOnce, TopicID(index: 8))]))
        #expect(world.deliver(topic: 8, name: "$SYS/uptime", qos: .atMostOnce).first == "1 PUBLISH q0 normal:2 m0 #7")
        #expect(world.receive(.publish(SNPublish(.one, 2, msgID: 4))) == ["1 PUBACK 2 m4 2"])
        _ = world.deliver(topic: 9, name: "$SYS/version", qos: .atMostOnce)
        #expect(world.receive(.publish(SNPublish(.one, 3, msgID: 4))) == ["1 PUBACK 3 m4 2"])
    }

    @Test("Answers that come after the device is gone are not sent")
    func late() {
        var world = world()
        _ = world.receive(.publish(SNPublish(.one, 1, msgID: 7)))
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.acknowledge(.puback, 7) == [])
    }
}
