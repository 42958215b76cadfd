import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

/// Every state meets every event: nothing traps, and the books are right afterwards.
@Suite struct StateMatrixTests {
    enum Situation: CaseIterable {
        case unknown, askedForTopic, askedForMessage, attaching, active, registering, publishing, publishingQoS2
        case recording, releasing, resting, challenged, asleep, asleepWithMessage, awake, awakeWithMessage
        case resuming, disconnected, lost
    }

    static let packets: [Sample] = samples(
        .advertise(gwID: 1, duration: 1), .searchGW(radius: 0), .gwInfo(gwID: 1, gwAdd: .empty),
        .connect(SNConnect("dev", clean: false)), .connect(SNConnect("dev")), .connect(SNConnect("dev", will: true)),
        .connect(SNConnect("other")), .connect(SNConnect("")), .connack(.accepted), .willTopicReq,
        .willTopic(nil), .willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("t"))),
        .willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("#"))), .willMsgReq, .willMsg(view("m")),
        .register(topicID: 0, msgID: 1, topicName: view("t")), .register(topicID: 0, msgID: 1, topicName: .empty),
        .regack(topicID: 2, msgID: 1, .accepted), .regack(topicID: 2, msgID: 1, .congestion),
        .regack(topicID: 2, msgID: 1, .invalidTopicID), .regack(topicID: 0xFFFF, msgID: 1, .invalidTopicID),
        .publish(SNPublish(.minusOne, .predefined, 10)), .publish(SNPublish(.minusOne, 1)),
        .publish(SNPublish(.zero, 1)), .publish(SNPublish(.one, 1, msgID: 1)), .publish(SNPublish(.two, 1, msgID: 1)),
        .publish(SNPublish(.one, 0xFFFF, msgID: 1)), .publish(SNPublish(.one, 0, msgID: 1)),
        .publish(SNPublish(.one, .reserved, 1, msgID: 1)), .publish(SNPublish(.one, .short, 0, msgID: 1)),
        .puback(topicID: 1, msgID: 1, .accepted), .puback(topicID: 1, msgID: 1, .congestion),
        .puback(topicID: 1, msgID: 1, .invalidTopicID), .puback(topicID: 1, msgID: 1, .notSupported),
        .puback(topicID: 0, msgID: 0, .invalidTopicID), .puback(topicID: 0xFFFF, msgID: 0, .invalidTopicID),
        .pubrec(msgID: 1), .pubrel(msgID: 1), .pubcomp(msgID: 1),
        .subscribe(SNSubscribe(msgID: 1, topic: .name(view("t")))),
        .subscribe(SNSubscribe(msgID: 1, topic: .predefined(10))), .subscribe(SNSubscribe(msgID: 1, topic: .short(0))),
        .subscribe(SNSubscribe(msgID: 1, topic: .reserved)),
        .suback(qos: .atMostOnce, topicID: 1, msgID: 1, .accepted),
        .unsubscribe(SNSubscribe(msgID: 1, topic: .name(view("t")))),
        .unsubscribe(SNSubscribe(msgID: 1, topic: .reserved)), .unsuback(msgID: 1),
        .pingreq(clientID: .empty), .pingreq(clientID: view("dev")), .pingreq(clientID: view("other")), .pingresp,
        .disconnect(duration: nil), .disconnect(duration: 0), .disconnect(duration: 1),
        .disconnect(duration: 0xFFFF), .willTopicUpd(nil),
        .willTopicUpd(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("t"))), .willTopicResp(.accepted),
        .willMsgUpd(view("m")), .willMsgResp(.accepted),
        .encapsulated(radius: 0, wirelessNodeID: view("n"), message: view("m"))
    )

    static let answers: [LinkAnswer] = [
        .attached(Attached(sessionPresent: false, sessionExpiryInterval: 0)),
        .attached(Attached(sessionPresent: true, sessionExpiryInterval: 10)), .refused(.notAuthorized),
        .close(.sessionTakenOver), .acknowledge(Acknowledgement(.puback, 1)), .acknowledge(Acknowledgement(.puback, 0)),
        .acknowledge(Acknowledgement(.puback, 0, .notAuthorized)), .acknowledge(Acknowledgement(.pubrec, 1)),
        .acknowledge(Acknowledgement(.pubrec, 1, .quotaExceeded)), .acknowledge(Acknowledgement(.pubrel, 1)),
        .acknowledge(Acknowledgement(.pubrel, 2)), .acknowledge(Acknowledgement(.pubcomp, 1)),
        .subscribed(packetIdentifier: 1, [.granted(.atMostOnce, TopicID(index: 3))]),
        .subscribed(packetIdentifier: 1, [.granted(.atMostOnce, nil)]),
        .subscribed(packetIdentifier: 1, [.refused(.notAuthorized)]), .subscribed(packetIdentifier: 1, []),
        .unsubscribed(packetIdentifier: 1, []), .resolved(token: 1, TopicID(index: 3), nil),
        .resolved(token: 1, nil, .notAuthorized), .resolved(token: 1, nil, nil), .drained,
    ]

    /// A world whose slot 0, or nobody, is in the situation.
    private func world(_ situation: Situation) -> World {
        var world = World {
            $0.unlisted.predefinedTopics = [.init(id: 10, name: "p/%c")]
            $0.topicsPerDeviceMax = 0xFFFE
        }
        let connect = SNPacket.connect(SNConnect("dev", will: true, clean: false))
        let topic = SNPacket.willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("t")))
        switch situation {
        case .unknown: return world
        case .askedForTopic: _ = world.receive(connect)
        case .askedForMessage: _ = world.receive(connect) + world.receive(topic)
        case .attaching: _ = world.receive(.connect(SNConnect("dev", clean: false)))
        default:
            _ = world.connect(clean: false)
            _ = world.register("a/b", topic: 5)
        }
        switch situation {
        case .registering: _ = world.deliver(topic: 6)
        case .publishing: _ = world.deliver(topic: 5)
        case .publishingQoS2: _ = world.deliver(topic: 5, qos: .exactlyOnce)
        case .recording: _ = world.deliver(topic: 5, qos: .exactlyOnce) + world.receive(.pubrec(msgID: 1))
        case .releasing: _ = world.acknowledge(.pubrel, 1)
        case .resting: _ = world.deliver(topic: 5) + world.receive(.puback(topicID: 1, msgID: 1, .congestion))
        case .challenged: _ = world.receive(.connect(SNConnect("dev")), host: 2)
        case .asleep: _ = world.receive(.disconnect(duration: 60))
        case .asleepWithMessage: _ = world.receive(.disconnect(duration: 60)) + world.deliver(topic: 5)
        case .awake: _ = world.receive(.disconnect(duration: 60)) + world.receive(.pingreq(clientID: .empty))
        case .awakeWithMessage:
            _ = world.receive(.disconnect(duration: 60)) + world.receive(.pingreq(clientID: .empty))
            _ = world.deliver(topic: 6)
        case .resuming: _ = world.receive(.disconnect(duration: 60)) + world.receive(connect)
        case .disconnected: _ = world.receive(.disconnect(duration: nil))
        case .lost: _ = world.pass(.seconds(90))
        case .unknown, .askedForTopic, .askedForMessage, .attaching, .active: break
        }
        return world
    }

    private func checkBooks(_ world: World, _ comment: String) {
        let states = (0..<4).compactMap { world.gateway.state(of: $0) }
        #expect(states.count == world.gateway.deviceCount, "\(comment)")
        for state in DeviceState.allCases {
            #expect(world.gateway.counters[state] == states.filter { $0 == state }.count, "\(comment): \(state)")
        }
    }

    @Test(
        "Every message in every situation, from the device, another port, another host and another listener",
        arguments: Situation.allCases)
    func messages(situation: Situation) {
        for packet in Self.packets.map(\.packet) {
            for (port, host, listener) in [(1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 1)] as [(Int, Int, UInt16)] {
                var world = world(situation)
                _ = world.receive(packet, from: port, host: host, listener: listener)
                checkBooks(world, "\(situation) \(packet) \(port)")
                _ = world.receive(packet, from: port, host: host, listener: listener)
                checkBooks(world, "\(situation) twice \(packet) \(port)")
                _ = world.pass(.seconds(200_000))
                checkBooks(world, "\(situation) after \(packet) \(port)")
            }
        }
    }

    @Test(
        "Every answer of the broker in every situation, for slots that are used, free and unheard of",
        arguments: Situation.allCases)
    func answers(situation: Situation) {
        for answer in Self.answers {
            for slot in [0, 1, 1_000_000] {
                var world = world(situation)
                _ = world.answer(answer, slot: slot)
                checkBooks(world, "\(situation) \(answer) \(slot)")
                _ = world.pass(.seconds(200_000))
                checkBooks(world, "\(situation) after \(answer) \(slot)")
            }
        }
        for slot in [0, 1, 1_000_000] {
            var world = world(situation)
            _ = world.deliver(topic: 5, slot: slot)
            _ = world.deliver(topic: 6, qos: .atMostOnce, slot: slot)
            let withoutMessage = Delivery(
                message: MessageHandle(index: 1), topic: TopicID(index: 1), packetIdentifier: 1, qos: .atLeastOnce,
                retain: false)
            _ = world.answer(.deliver(withoutMessage), slot: slot)
            checkBooks(world, "\(situation) deliver \(slot)")
        }
    }

    @Test("Time and shutdown in every situation", arguments: Situation.allCases)
    func timeAndShutdown(situation: Situation) {
        var timed = world(situation)
        _ = timed.pass(.seconds(1_000_000))
        checkBooks(timed, "\(situation) later")
        var ended = world(situation)
        _ = ended.handle(.shutDown)
        checkBooks(ended, "\(situation) shut down")
        #expect(ended.gateway.counters.devicesConnected == 0)
        #expect(ended.gateway.counters.devicesConnecting == 0)
        _ = ended.handle(.undecodable(from: World.path(1)))
    }
}
