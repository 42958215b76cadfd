import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

/// Devices that do anything at any time, against a broker that keeps books.
@Suite struct RandomWalkTests {
    private struct Walk {
        var gateway: Gateway
        var broker = FakeBroker()
        var random: SeededGenerator
        var now = Now(instant: Instant(nanoseconds: 0), unixSeconds: 0)
        /// A hash of everything that was sent and asked.
        var trace: UInt64 = 14_695_981_039_346_656_037
        var registerIDs: [Int: (topicID: UInt16, msgID: UInt16)] = [:]
        var lastIDs: [Int: UInt16] = [:]
        /// What the device at each port should say next.
        var replies: [Int: SNPacket] = [:]
        /// Whether what is one port otherwise is two nodes behind every third port.
        let usesForwarder: Bool

        init(seed: UInt64) {
            var configuration = Gateway.Configuration()
            configuration.topicsPerDeviceMax = 6
            configuration.devicesMax = 12
            configuration.sessionExpiryInterval = 500
            var listener = Gateway.Configuration.Listener()
            listener.messagesPerWakeMax = seed % 2 == 0 ? 0 : 3
            listener.retryCount = 2
            listener.predefinedTopics = [.init(id: 1, name: "p"), .init(id: 2, name: "q/%c")]
            listener.isStrict = seed % 5 == 0
            listener.rebind = [.port, .never, .address][Int(seed % 3)]
            usesForwarder = seed % 4 == 3
            if usesForwarder { listener.forwarders = [.init(address: World.path(0).remote, prefixBits: 30)] }
            configuration.listeners = [listener]
            gateway = Gateway(configuration: configuration, seed: seed)
            random = SeededGenerator(seed: seed)
        }

        mutating func below(_ bound: Int) -> Int { Int(random.below(UInt64(bound))) }

        mutating func settle(_ first: [Gateway.Effect]) {
            var effects = first
            var next = 0
            while next < effects.count {
                let effect = effects[next]
                next += 1
                record(effect)
                guard case .request(let link, let request) = effect else { continue }
                for answer in broker.handle(link, request) { effects += take(answer, link.slot) }
            }
        }

        mutating func take(_ answer: LinkAnswer, _ slot: Int) -> [Gateway.Effect] {
            var shown: MessageView?
            if case .deliver(let delivery) = answer {
                shown = MessageView(
                    serial: 0, topic: delivery.topic, topicName: view("t"), properties: .empty, payload: view("x"),
                    messageExpiryInterval: nil)
            }
            var effects: [Gateway.Effect] = []
            gateway.handle(.answered(slot: slot, answer, shown), now: now, into: &effects)
            return effects
        }

        /// The number of a device's place, for which the walk says "port": behind a forwarder, port and node.
        private func place(_ path: DatagramPath) -> Int {
            Int(path.remote.port) + Int(gateway.node(of: path)?.withView { $0[0] } ?? 0)
        }

        private mutating func record(_ effect: Gateway.Effect) {
            switch effect {
            case .sendRegister(let topicID, let msgID, _, let path):
                registerIDs[place(path)] = (topicID, msgID)
                replies[place(path)] = .regack(topicID: topicID, msgID: msgID, .accepted)
            case .sendPublish(let header, _, let path):
                lastIDs[place(path)] = header.msgID
                replies[place(path)] =
                    switch header.qos {
                    case .atMostOnce: nil
                    case .atLeastOnce: .puback(topicID: header.topicID, msgID: header.msgID, .accepted)
                    case .exactlyOnce: .pubrec(msgID: header.msgID)
                    }
            case .send(.pubrel(let msgID), let path): replies[place(path)] = .pubcomp(msgID: msgID)
            case .send(.willTopicReq, let path):
                replies[place(path)] =
                    .willTopic(SNWillTopic(qos: .atMostOnce, retain: false, topic: view("w")))
            case .send(.willMsgReq, let path): replies[place(path)] = .willMsg(view("m"))
            case .send, .multicast, .request, .anonymousPublish, .log: break
            }
            for byte in text(effect).utf8 { trace = (trace ^ UInt64(byte)) &* 1_099_511_628_211 }
        }

        mutating func step() {
            var effects: [Gateway.Effect] = []
            switch below(10) {
            case 0:
                now.instant = now.instant + .milliseconds(below(below(4) == 0 ? 200_000 : 4_000))
                gateway.advance(to: now, into: &effects)
            case 1, 2:
                let slot = below(12)
                let qos = QoS(rawValue: UInt8(below(3))) ?? .atMostOnce
                for answer in broker.publish(topic: UInt32(below(9)), qos: qos, to: slot) {
                    effects += take(answer, slot)
                }
            default:
                let port = below(9)
                let path = World.path(port, host: below(8) == 0 ? 2 : 1)
                gateway.handle(received(packet(port), port, path), now: now, into: &effects)
            }
            settle(effects)
        }

        /// Whether the gateway still knows how the forwarder calls each device.
        var allNodesAreKnown: Bool {
            (0..<12).allSatisfy { slot in
                guard let path = gateway.path(of: slot), path.node != 0 else { return true }
                return gateway.node(of: path) != nil
            }
        }

        /// The packet as it comes, and now and then something else: wrapped twice, cut, longer.
        private mutating func received(_ packet: SNPacket, _ port: Int, _ path: DatagramPath) -> Gateway.Event {
            guard usesForwarder, port % 3 != 0 else { return .received(packet, from: path) }
            var bytes = encoded(packet)
            switch below(40) {
            case 0: bytes = encoded(.encapsulated(radius: 0, wirelessNodeID: view("n"), message: view(bytes)))
            case 1: bytes.removeLast()
            case 2: bytes.append(0)
            default: break
            }
            var forwarder = path
            forwarder.remote.port = path.remote.port - UInt16(port % 3)
            let node = [UInt8](repeating: UInt8(port % 3), count: below(200) == 0 ? 33 : 1 + port / 3)
            return .received(
                .encapsulated(radius: 1, wirelessNodeID: view(node), message: view(bytes)), from: forwarder)
        }

        private mutating func packet(_ port: Int) -> SNPacket {
            if below(3) > 0, let reply = replies[port] { return reply }
            let msgID = UInt16(below(12))
            let register = registerIDs[port] ?? (0, 0)
            let code = SNReturnCode(rawValue: [0, 0, 0, 0, 1, 2, 3][below(7)])
            let id = "d\(below(4) == 0 ? below(9) : port)"
            switch below(22) {
            case 0, 1:
                return .connect(
                    SNConnect(id, will: below(3) == 0, clean: below(2) == 0, duration: UInt16(below(3) * 30)))
            case 2:
                return .willTopic(below(3) == 0 ? nil : SNWillTopic(qos: .atMostOnce, retain: false, topic: view("w")))
            case 3: return .willMsg(view("m"))
            case 4: return .register(topicID: 0, msgID: msgID, topicName: view("t\(below(9))"))
            case 5, 6, 7: return .regack(topicID: register.topicID, msgID: register.msgID, code)
            case 8, 9: return .puback(topicID: register.topicID, msgID: lastIDs[port] ?? 0, code)
            case 10: return .pubrec(msgID: lastIDs[port] ?? 0)
            case 11: return .pubcomp(msgID: lastIDs[port] ?? 0)
            case 12: return .pubrel(msgID: msgID)
            case 13: return .publish(SNPublish(.zero, UInt16(below(8)), msgID: 0))
            case 14: return .publish(SNPublish(.one, UInt16(below(8)), msgID: msgID))
            case 15: return .publish(SNPublish(.two, .predefined, UInt16(below(4)), msgID: msgID))
            case 16: return .subscribe(SNSubscribe(msgID: msgID, topic: subscribed()))
            case 17: return .unsubscribe(SNSubscribe(msgID: msgID, topic: subscribed()))
            case 18 where below(2) == 0: return .disconnect(duration: below(3) == 0 ? nil : UInt16(below(100)))
            case 19: return .pingreq(clientID: .empty)
            case 18, 20: return .pingreq(clientID: view(id))
            default:
                return .willTopicUpd(
                    below(2) == 0 ? nil : SNWillTopic(qos: .atMostOnce, retain: true, topic: view("v")))
            }
        }

        private mutating func subscribed() -> SNSubscribe.Topic {
            switch below(4) {
            case 0: .name(view("t\(below(9))"))
            case 1: .name(view("t/#"))
            case 2: .predefined(UInt16(below(4)))
            default: .short(short(["aa", "bb", "t1"][below(3)]))
            }
        }
    }

    @Test(
        "Nothing is attached twice, completed twice or kept for ever, whatever devices do",
        arguments: 1...30 as ClosedRange<UInt64>)
    func walk(seed: UInt64) {
        var walk = Walk(seed: seed)
        for _ in 0..<4_000 {
            walk.step()
            guard walk.broker.complaints.isEmpty, walk.allNodesAreKnown else { break }
        }
        #expect(walk.allNodesAreKnown, "seed \(seed)")
        #expect(walk.broker.complaints == [], "seed \(seed)")
        #expect(walk.gateway.counters.deliveriesOutOfTurn == 0, "seed \(seed)")
        #expect(walk.gateway.deviceCount <= 12)
        let connected = walk.gateway.counters.devicesConnected
        #expect(walk.broker.attachedLinks >= connected, "seed \(seed)")
        // When everybody has gone and every session has ended, nothing is left.
        var effects: [Gateway.Effect] = []
        walk.gateway.handle(.shutDown, now: walk.now, into: &effects)
        walk.settle(effects)
        effects = []
        walk.now.instant = walk.now.instant + .seconds(1_000)
        walk.gateway.advance(to: walk.now, into: &effects)
        walk.settle(effects)
        #expect(walk.broker.complaints == [], "seed \(seed)")
        #expect(walk.gateway.deviceCount == 0, "seed \(seed)")
        #expect(walk.broker.attachedLinks == 0, "seed \(seed)")
        #expect(walk.broker.kept == [:], "seed \(seed)")
        #expect(walk.gateway.nextDeadline == nil, "seed \(seed)")
        walk.gateway.advance(to: walk.now, into: &effects)
        #expect(walk.gateway.nodeCount == 0, "seed \(seed)")
        #expect(walk.usesForwarder == (walk.gateway.counters.forwarded > 1_000), "seed \(seed)")
    }

    @Test("One seed gives one course of events")
    func deterministic() {
        func trace(_ seed: UInt64) -> UInt64 {
            var walk = Walk(seed: seed)
            for _ in 0..<2_000 { walk.step() }
            return walk.trace
        }
        #expect(trace(7) == trace(7))
        #expect(trace(7) != trace(8))
    }

    @Test("The walks reach deliveries of all kinds")
    func coverage() {
        var completed = 0
        var abandoned = 0
        for seed in 1...10 as ClosedRange<UInt64> {
            var walk = Walk(seed: seed)
            for _ in 0..<2_000 { walk.step() }
            completed += walk.broker.completed
            abandoned += walk.broker.abandoned
        }
        #expect(completed > 200)
        #expect(abandoned > 10)
    }
}
