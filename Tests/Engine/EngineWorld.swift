import BrokerCore
import Bytes
import DeviceCore
import Engine
import GatewayCore
import MQTTSNWire
import MQTTWire
import Messaging
import SimulationKit
import Testing

/// A world without trouble, for scripts: clients and devices that are connected, and what they got.
struct EngineWorld {
    var world: World
    /// What each client and device experienced since it was last asked about.
    private var clientEvents: [[MQTTClient.Event]] = []
    private var deviceEffects: [[Device.Effect]] = []

    init(_ configure: (inout EngineSettings) -> Void = { _ in }) {
        var settings = EngineSettings()
        settings.sysInterval = nil
        settings.gateway.unlisted.predefinedTopics = [.init(id: 1, name: "pre/one")]
        configure(&settings)
        world = World(settings: settings, seed: 1)
    }

    /// A client that is connected and subscribed.
    mutating func client(
        _ name: ByteString, _ version: ProtocolVersion = .v3_1_1, cleanStart: Bool = true, will: Will? = nil,
        subscribedTo filters: [(ByteString, QoS)] = []
    ) -> Int {
        let client = world.addClient(MQTTClient.Profile(name, version, cleanStart: cleanStart, will: will))
        world.connect(client: client)
        settle()
        if !filters.isEmpty {
            _ = world.use(client) { $0.subscribe(filters) }
            settle()
        }
        return client
    }

    /// A device that is connected and subscribed.
    mutating func device(
        _ name: ByteString, keepAlive: UInt16 = 60, cleanSession: Bool = true, will: Will? = nil,
        subscribedTo topics: [(Device.Topic, QoS)] = []
    ) -> Int {
        let device = world.addDevice()
        world.perform(
            .connect(.init(clientID: name, keepAlive: keepAlive, cleanSession: cleanSession, will: will)),
            device: device)
        settle()
        for (token, topic) in topics.enumerated() {
            world.perform(.subscribe(token: token, topic.0, topic.1), device: device)
        }
        settle()
        return device
    }

    mutating func publish(
        client: Int, _ topic: ByteString, _ payload: ByteString, _ qos: QoS, retain: Bool = false
    ) {
        world.use(client) { $0.publish(token: 0, topic: topic, payload: payload, qos: qos, retain: retain) }
        settle()
    }

    mutating func publish(
        device: Int, _ topic: Device.Topic, _ payload: ByteString, _ qos: SNQoS, retain: Bool = false
    ) {
        let publication = Device.Publication(topic: topic, qos: qos, retain: retain, payload: payload)
        world.perform(.publish(token: 100, publication), device: device)
        settle()
    }

    /// Lets everything happen that follows at once.
    mutating func settle() { run(for: .seconds(1)) }

    mutating func run(for duration: Duration) {
        world.run(for: duration)
        #expect(world.engine.broker.ledgerImbalance == 0)
        for happening in world.happenings {
            switch happening {
            case .client(let index, let event):
                while clientEvents.count <= index { clientEvents.append([]) }
                clientEvents[index].append(event)
            case .device(let index, let effect):
                while deviceEffects.count <= index { deviceEffects.append([]) }
                deviceEffects[index].append(effect)
            case .turn, .healed: break
            }
        }
        world.happenings = []
    }

    // MARK: - What they got

    mutating func events(ofClient client: Int) -> [MQTTClient.Event] {
        guard client < clientEvents.count else { return [] }
        defer { clientEvents[client] = [] }
        return clientEvents[client]
    }

    mutating func effects(ofDevice device: Int) -> [Device.Effect] {
        guard device < deviceEffects.count else { return [] }
        defer { deviceEffects[device] = [] }
        return deviceEffects[device]
    }

    /// The messages that a client got, as `topic payload qos`, with `retained` behind.
    mutating func messages(ofClient client: Int) -> [String] {
        events(ofClient: client).compactMap { event in
            guard case .received(let message) = event else { return nil }
            let mark = message.retain ? " retained" : ""
            return "\(message.topic) \(message.payload) \(message.qos.rawValue)\(mark)"
        }
    }

    /// The same for a device.
    mutating func messages(ofDevice device: Int) -> [String] {
        effects(ofDevice: device).compactMap { effect in
            guard case .received(let message) = effect else { return nil }
            let mark = message.retain ? " retained" : ""
            return "\(message.topic.text) \(message.payload) \(message.qos.rawValue)\(mark)"
        }
    }
}

extension Device.Topic {
    var text: String {
        switch self {
        case .name(let name): name.description
        case .predefined(let id): "#\(id)"
        case .short(let id): ByteString([UInt8(id >> 8), UInt8(truncatingIfNeeded: id)]).description
        }
    }
}
