import Bytes
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct SubscribeTests {
    private func world() -> World {
        var world = World {
            $0.unlisted.predefinedTopics = [.init(id: 10, name: "hall/%c")]
            $0.topicsPerDeviceMax = 3
        }
        _ = world.connect()
        return world
    }

    private func granted(_ id: UInt16, _ topic: UInt32?, _ qos: QoS = .atLeastOnce) -> LinkAnswer {
        .subscribed(packetIdentifier: id, [.granted(qos, topic.map { TopicID(index: $0) })])
    }

    private func subscribe(_ topic: SNSubscribe.Topic, _ qos: QoS = .atLeastOnce, msgID: UInt16 = 3) -> SNPacket {
        .subscribe(SNSubscribe(qos: qos, msgID: msgID, topic: topic))
    }

    @Test("A plain name: SUBACK carries the id that PUBLISH will have [D-27] [SN-6.9]")
    func plain() {
        var world = world()
        #expect(world.receive(subscribe(.name(view("a/b")))) == ["0? subscribe 3 a/b q1"])
        #expect(world.answer(granted(3, 5)) == ["0? keep 5", "1 SUBACK q1 11 m3 0"])
        #expect(world.deliver(topic: 5) == ["1 PUBLISH q1 normal:11 m1 #7"])
        // Repeated because SUBACK was lost: the same id, the topic kept once.
        #expect(world.receive(subscribe(.name(view("a/b")))) == ["0? subscribe 3 a/b q1"])
        #expect(world.answer(granted(3, 5)) == ["1 SUBACK q1 11 m3 0"])
    }

    @Test("A filter with wildcards: SUBACK carries 0x0000, and REGISTER precedes the first PUBLISH [D-27] [SN-6.10]")
    func wildcard() {
        var world = world()
        #expect(world.receive(subscribe(.name(view("a/#")), .exactlyOnce)) == ["0? subscribe 3 a/# q2"])
        #expect(world.answer(granted(3, nil, .exactlyOnce)) == ["1 SUBACK q2 0 m3 0"])
        #expect(world.deliver(topic: 5) == ["0? keep 5", "1 REGISTER 11 #7"])
    }

    @Test("A predefined id: SUBACK and PUBLISH carry it [SN-6.7]")
    func predefined() {
        var world = world()
        #expect(world.receive(subscribe(.predefined(10))) == ["0? subscribe 3 hall/dev q1"])
        #expect(world.answer(granted(3, 5)) == ["0? keep 5", "1 SUBACK q1 10 m3 0"])
        #expect(world.deliver(topic: 5, retain: true) == ["1 PUBLISH q1 retain predefined:10 m1 #7"])
    }

    @Test("A short name: SUBACK carries 0x0000, PUBLISH the name [D-27] [D-30]")
    func shortName() {
        var world = world()
        #expect(world.receive(subscribe(.short(short("ab")))) == ["0? subscribe 3 ab q1"])
        #expect(world.answer(granted(3, 5)) == ["0? keep 5", "1 SUBACK q1 0 m3 0"])
        #expect(world.deliver(topic: 5) == ["1 PUBLISH q1 short:\(short("ab")) m1 #7"])
    }

    @Test("Two characters subscribed to by name come by normal id [D-30]")
    func shortByName() {
        var world = world()
        _ = world.receive(subscribe(.name(view("ab"))))
        #expect(world.answer(granted(3, 5)) == ["0? keep 5", "1 SUBACK q1 11 m3 0"])
        #expect(world.deliver(topic: 5) == ["1 PUBLISH q1 normal:11 m1 #7"])
    }

    @Test("The last subscription to a topic says how it comes")
    func lastWins() {
        var world = world()
        _ = world.receive(subscribe(.predefined(10)))
        _ = world.answer(granted(3, 5))
        _ = world.receive(subscribe(.name(view("hall/dev"))))
        #expect(world.answer(granted(3, 5)) == ["0? forget 5", "0? keep 5", "1 SUBACK q1 11 m3 0"])
        _ = world.receive(subscribe(.predefined(10)))
        #expect(world.answer(granted(3, 5)) == ["0? keep 5", "1 SUBACK q1 10 m3 0"])
        #expect(world.deliver(topic: 5) == ["1 PUBLISH q1 predefined:10 m1 #7"])
    }

    @Test("What cannot be subscribed to: unknown predefined id 0x02, anything else 0x03 [D-31]")
    func refusedHere() {
        var world = world()
        #expect(world.receive(subscribe(.predefined(99))) == ["1 SUBACK q0 0 m3 2"])
        #expect(world.receive(subscribe(.reserved)) == ["1 SUBACK q0 0 m3 3"])
        #expect(world.receive(subscribe(.short(short("a#")))) == ["1 SUBACK q0 0 m3 3"])
        #expect(world.receive(subscribe(.name(view("a#")))) == ["1 SUBACK q0 0 m3 3"])
        #expect(world.receive(subscribe(.name(view("")))) == ["1 SUBACK q0 0 m3 3"])
        #expect(world.receive(subscribe(.name(view([0xC3])))) == ["1 SUBACK q0 0 m3 3"])
    }

    @Test(
        "A refusal of the broker is SUBACK with its code",
        arguments: [(Refusal.quotaExceeded, 1), (.notAuthorized, 3), (.sharedSubscriptionsNotSupported, 3)])
    func refusedByBroker(refusal: Refusal, code: Int) {
        var world = world()
        _ = world.receive(subscribe(.name(view("a/b"))))
        #expect(world.answer(.subscribed(packetIdentifier: 3, [.refused(refusal)])) == ["1 SUBACK q0 0 m3 \(code)"])
    }

    @Test("With a full topic table a plain subscription is taken back and refused as congestion [attack 112]")
    func tableFull() {
        var world = world()
        for topic in 1...3 as ClosedRange<UInt32> { _ = world.register("t\(topic)", topic: topic) }
        _ = world.receive(subscribe(.name(view("a/b"))))
        #expect(world.answer(granted(3, 5)) == ["0? unsubscribe 3 a/b", "1 SUBACK q0 0 m3 1"])
        #expect(world.answer(.unsubscribed(packetIdentifier: 3, [.removed])) == [])
        _ = world.receive(subscribe(.name(view("t2"))))
        #expect(world.answer(granted(3, 2)) == ["1 SUBACK q1 12 m3 0"])
    }

    @Test("As many short names as ids fit; one more is congestion")
    func aliasesFull() {
        var world = world()
        for (topic, name) in [(1, "aa"), (2, "bb"), (3, "cc")] as [(UInt32, String)] {
            _ = world.receive(subscribe(.short(short(name))))
            #expect(world.answer(granted(3, topic)).last == "1 SUBACK q1 0 m3 0")
        }
        _ = world.receive(subscribe(.short(short("dd"))))
        #expect(world.answer(granted(3, 4)) == ["0? unsubscribe 3 dd", "1 SUBACK q0 0 m3 1"])
    }

    @Test("Eight may be open at once, the ninth hears congestion")
    func open() {
        var world = world()
        for id in 1...8 as ClosedRange<UInt16> {
            #expect(world.receive(subscribe(.name(view("a")), msgID: id)).first == "0? subscribe \(id) a q1")
        }
        #expect(world.receive(subscribe(.name(view("a")), msgID: 9)) == ["1 SUBACK q0 0 m9 1"])
        #expect(world.answer(granted(4, 5)).last == "1 SUBACK q1 11 m4 0")
        #expect(world.receive(subscribe(.name(view("a")), msgID: 9)) == ["0? subscribe 9 a q1"])
    }

    @Test("UNSUBSCRIBE by name, predefined id and short name; the topic's ids stay, its aliases go [SN-6.9]")
    func unsubscribe() {
        var world = world()
        _ = world.receive(subscribe(.predefined(10)))
        _ = world.answer(granted(3, 5))
        func unsubscribe(_ topic: SNSubscribe.Topic) -> SNPacket { .unsubscribe(SNSubscribe(msgID: 4, topic: topic)) }
        #expect(world.receive(unsubscribe(.predefined(10))) == ["0? forget 5", "0? unsubscribe 4 hall/dev"])
        #expect(world.answer(.unsubscribed(packetIdentifier: 4, [.removed])) == ["1 UNSUBACK m4"])
        #expect(world.receive(unsubscribe(.short(short("ab")))) == ["0? unsubscribe 4 ab"])
        #expect(world.answer(.unsubscribed(packetIdentifier: 4, [.noSubscriptionExisted])) == ["1 UNSUBACK m4"])
        #expect(world.receive(unsubscribe(.name(view("a/#")))) == ["0? unsubscribe 4 a/#"])
        #expect(world.answer(.unsubscribed(packetIdentifier: 4, [.removed])) == ["1 UNSUBACK m4"])
        // What names nothing was never subscribed to.
        #expect(world.receive(unsubscribe(.predefined(99))) == ["1 UNSUBACK m4"])
        #expect(world.receive(unsubscribe(.reserved)) == ["1 UNSUBACK m4"])
        #expect(world.receive(unsubscribe(.name(view("a#")))) == ["1 UNSUBACK m4"])
    }

    @Test("SUBACK goes out before what is retained [D-44]")
    func retained() {
        var world = world()
        _ = world.receive(subscribe(.name(view("a/b"))))
        let lines = world.answer(granted(3, 5)) + world.deliver(topic: 5, retain: true)
        #expect(lines == ["0? keep 5", "1 SUBACK q1 11 m3 0", "1 PUBLISH q1 retain normal:11 m1 #7"])
    }
}
