import Bytes
import DeviceCore
import Engine
import MQTTSNWire
import MQTTWire
import Messaging
import SimulationKit
import Testing

@Suite struct EngineTests {
    @Test(
        "What a device publishes reaches MQTT subscribers at the lower QoS of both",
        arguments: [SNQoS.zero, .one, .two], [ProtocolVersion.v3_1, .v3_1_1, .v5])
    func fromDeviceToClients(qos: SNQoS, version: ProtocolVersion) {
        var world = EngineWorld()
        let clients = [QoS.atMostOnce, .atLeastOnce, .exactlyOnce].map { granted in
            world.client(ByteString("c\(granted.rawValue)"), version, subscribedTo: [("a/+", granted)])
        }
        let device = world.device("d")
        world.publish(device: device, .name("a/b"), "x", qos)
        for (granted, client) in clients.enumerated() {
            #expect(world.messages(ofClient: client) == ["a/b x \(min(granted, Int(qos.rawValue)))"])
        }
        #expect(world.effects(ofDevice: device).contains(.published(token: 100)))
        #expect(world.world.faults == [])
    }

    @Test("Topics by name, by short name and by predefined id are one topic space")
    func oneTopicSpace() {
        var world = EngineWorld()
        let client = world.client("c", subscribedTo: [("ab", .atLeastOnce), ("pre/one", .atLeastOnce)])
        let device = world.device("d", subscribedTo: [(.predefined(1), .atLeastOnce), (.short(0x6162), .atLeastOnce)])
        world.publish(device: device, .short(0x6162), "1", .one)
        world.publish(device: device, .name("ab"), "2", .one)
        world.publish(device: device, .predefined(1), "3", .one)
        world.publish(client: client, "pre/one", "4", .atLeastOnce)
        #expect(world.messages(ofClient: client) == ["ab 1 1", "ab 2 1", "pre/one 3 1", "pre/one 4 1"])
        #expect(world.messages(ofDevice: device) == ["ab 1 1", "ab 2 1", "#1 3 1", "#1 4 1"])
    }

    @Test("A device gets REGISTER before the first message on a topic of its wildcard, then none [D-05]")
    func registersBeforePublish() {
        var world = EngineWorld()
        let client = world.client("c")
        let device = world.device("d", subscribedTo: [(.name("a/#"), .atLeastOnce)])
        #expect(world.world.devices[device].device.name(of: 2) == nil)
        let before = world.world.engine.datagramCounters.sent
        world.publish(client: client, "a/b", "x", .atLeastOnce)
        // REGISTER, PUBLISH.
        #expect(world.world.engine.datagramCounters.sent == before + 2)
        world.publish(client: client, "a/b", "y", .exactlyOnce)
        #expect(world.world.engine.datagramCounters.sent == before + 3)
        #expect(world.messages(ofDevice: device) == ["a/b x 1", "a/b y 1"])
        #expect(world.world.faults == [])
    }

    @Test("A retained message greets later subscribers of both protocols, and an empty one removes it")
    func retained() {
        var world = EngineWorld()
        let publisher = world.device("p")
        world.publish(device: publisher, .name("state"), "on", .one, retain: true)
        let client = world.client("c", .v5, subscribedTo: [("state", .atLeastOnce)])
        let device = world.device("d", subscribedTo: [(.name("+"), .atLeastOnce)])
        #expect(world.messages(ofClient: client) == ["state on 1 retained"])
        #expect(world.messages(ofDevice: device) == ["state on 1 retained"])
        world.publish(device: publisher, .name("state"), "", .one, retain: true)
        let late = world.client("late", subscribedTo: [("state", .atLeastOnce)])
        #expect(world.messages(ofClient: late) == [])
    }

    @Test("A lost device's will reaches clients, a lost client's will reaches devices [SN-6.3] [MQTT-3.1.2-8]")
    func wills() {
        var world = EngineWorld()
        func will(_ topic: ByteString) -> Will {
            Will(topic: topic, payload: "gone", qos: .atLeastOnce, retain: false)
        }
        let watcher = world.client("w", subscribedTo: [("will/#", .exactlyOnce)])
        let sensor = world.device("s", keepAlive: 0, subscribedTo: [(.name("will/c"), .exactlyOnce)])
        let client = world.client("c", will: will("will/c"))
        let device = world.device("d", keepAlive: 10, will: will("will/d"))
        world.world.cut(client: client, keepsBytes: false, noticedAfter: .zero)
        // The device falls silent.
        world.world.perform(.restart, device: device)
        world.run(for: .seconds(20))
        #expect(world.messages(ofClient: watcher) == ["will/c gone 1", "will/d gone 1"])
        #expect(world.messages(ofDevice: sensor) == ["will/c gone 1"])
    }

    @Test("An orderly DISCONNECT leaves no will [MQTT-3.14.4-3]")
    func noWillAfterDisconnect() {
        var world = EngineWorld()
        let will = Will(topic: "will", payload: "gone", qos: .atLeastOnce, retain: false)
        let watcher = world.client("w", subscribedTo: [("will", .exactlyOnce)])
        let client = world.client("c", will: will)
        let device = world.device("d", keepAlive: 10, will: will)
        world.world.disconnect(client: client)
        world.world.perform(.disconnect, device: device)
        world.run(for: .seconds(60))
        #expect(world.messages(ofClient: watcher) == [])
    }

    @Test("$SYS tells clients and devices of the broker")
    func statistics() {
        var world = EngineWorld { $0.sysInterval = .seconds(10) }
        let client = world.client("c", subscribedTo: [("$SYS/broker/version", .atMostOnce)])
        let device = world.device("d", subscribedTo: [(.name("$SYS/broker/clients/connected"), .atMostOnce)])
        world.run(for: .seconds(11))
        #expect(world.messages(ofClient: client) == ["$SYS/broker/version dormouse 0 retained"])
        #expect(world.messages(ofDevice: device).last == "$SYS/broker/clients/connected 2 0")
    }

    @Test("A device takes the session of an MQTT client over, and back [D-45]")
    func takeover() {
        var world = EngineWorld()
        let publisher = world.client("p")
        let client = world.client("x", .v5, cleanStart: false, subscribedTo: [("a/b", .atLeastOnce)])
        let device = world.device("x", cleanSession: false)
        #expect(world.events(ofClient: client).contains(.disconnected(.sessionTakenOver)))
        // The subscriptions are the session's, whoever holds it.
        world.publish(client: publisher, "a/b", "1", .atLeastOnce)
        #expect(world.messages(ofDevice: device) == ["a/b 1 1"])
        world.world.connect(client: client)
        world.settle()
        #expect(world.effects(ofDevice: device).contains(.disconnected))
        #expect(world.events(ofClient: client).contains(.connected(sessionPresent: true)))
        world.publish(client: publisher, "a/b", "2", .atLeastOnce)
        #expect(world.messages(ofClient: client) == ["a/b 2 1"])
    }

    @Test("The end is told: 0x8B to MQTT 5, DISCONNECT to devices")
    func shutDown() {
        var world = EngineWorld()
        let old = world.client("c4")
        let new = world.client("c5", .v5)
        let device = world.device("d")
        world.world.shutDown()
        world.settle()
        #expect(world.events(ofClient: new).contains(.disconnected(.serverShuttingDown)))
        #expect(world.effects(ofDevice: device).contains(.disconnected))
        #expect([old, new].allSatisfy { world.world.clients[$0].client.isOffline })
    }

    @Test("Messages wait for a sleeping device and come when it wakes, each QoS in order [SN-6.14]")
    func sleeps() {
        var world = EngineWorld()
        let client = world.client("c")
        let device = world.device("d", subscribedTo: [(.name("a/b"), .exactlyOnce)])
        world.world.perform(.sleep(seconds: 100), device: device)
        world.settle()
        for (payload, qos) in [("0", QoS.atMostOnce), ("1", .atLeastOnce), ("2", .exactlyOnce)] {
            world.publish(client: client, "a/b", ByteString(payload), qos)
        }
        #expect(world.messages(ofDevice: device) == [])
        world.world.perform(.wake, device: device)
        world.settle()
        let effects = world.effects(ofDevice: device)
        #expect(effects.last == .fellAsleep)
        #expect(effects.count == 4)
        #expect(world.world.devices[device].device.state == .asleep)
    }

    @Test("A restarted device's new message at QoS 2 is not taken for its old one under the same MsgId")
    func newMessageUnderOldIdentifier() {
        var world = EngineWorld()
        let client = world.client("c", subscribedTo: [("pre/one", .exactlyOnce)])
        let first = world.device("d", cleanSession: false)
        // The handshake begins and never ends: PUBREC finds nobody.
        let old = Device.Publication(topic: .predefined(1), qos: .two, payload: "old")
        world.world.perform(.publish(token: 1, old), device: first)
        world.world.rebind(device: first)
        world.settle()
        // The same device without a memory counts its MsgIds from 1 again.
        let second = world.device("d", cleanSession: false)
        _ = second
        world.run(for: .seconds(10))
        world.publish(device: second, .predefined(1), "new", .two)
        #expect(world.messages(ofClient: client) == ["pre/one new 2"])
    }
}
