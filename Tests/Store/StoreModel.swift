import Bytes
import Clockwork
import Journal
import Messaging

/// What the tables should hold, in dictionaries.
struct StoreModel {
    private var sessions: [UInt32: String] = [:]
    private var subscriptions: [Key: String] = [:]
    private var messages: [UInt64: String] = [:]
    private var deliveries: [Place: Delivery] = [:]
    private var received: [UInt32: [UInt16: Received]] = [:]
    private var retained: [ByteString: UInt64] = [:]
    private var wills: [UInt32: String] = [:]
    private var devices: [UInt32: String] = [:]
    private var deviceTopics: [UInt32: [UInt32: String]] = [:]

    private struct Key: Hashable {
        var session: UInt32
        var filter: ByteString
    }

    private struct Place: Hashable {
        var session: UInt32
        var sequence: UInt64
    }

    private struct Delivery {
        var serial: UInt64
        var packetIdentifier: UInt16
        var isReleased: Bool
        var rest: String
    }

    private struct Received {
        var serial: UInt64
        var retain: Bool
    }

    mutating func apply(_ record: JournalRecord) {
        switch record {
        case .session(let record): sessions[record.session] = Self.words(.session(record))
        case .sessionGone(let session):
            sessions[session] = nil
            wills[session] = nil
            received[session] = nil
            subscriptions = subscriptions.filter { $0.key.session != session }
            deliveries = deliveries.filter { $0.key.session != session }
        case .subscription(let record):
            let key = Key(session: record.session, filter: ByteString(record.filter))
            subscriptions[key] = Self.words(.subscription(record))
        case .subscriptionGone(let session, let filter):
            subscriptions[Key(session: session, filter: ByteString(filter))] = nil
        case .message(let record): messages[record.serial] = Self.words(.message(record))
        case .messageGone(let serial): messages[serial] = nil
        case .delivery(let record):
            deliveries[Place(session: record.session, sequence: record.sequence)] = Delivery(
                serial: record.serial, packetIdentifier: record.packetIdentifier, isReleased: false,
                rest: Self.rest(record))
        case .started(let session, let sequence, let packetIdentifier):
            deliveries[Place(session: session, sequence: sequence)]?.packetIdentifier = packetIdentifier
        case .released(let session, let sequence):
            deliveries[Place(session: session, sequence: sequence)]?.isReleased = true
        case .deliveryGone(let session, let sequence):
            deliveries[Place(session: session, sequence: sequence)] = nil
        case .received(let session, let packetIdentifier, let serial, let retain):
            received[session, default: [:]][packetIdentifier] = Received(serial: serial, retain: retain)
        case .receivedGone(let session, let packetIdentifier): received[session]?[packetIdentifier] = nil
        case .retained(let serial, let topic): retained[ByteString(topic)] = serial
        case .retainedGone(let topic): retained[ByteString(topic)] = nil
        case .will(let record): wills[record.session] = Self.words(.will(record))
        case .willGone(let session): wills[session] = nil
        case .device(let record): devices[record.device] = Self.words(.device(record))
        case .deviceGone(let device):
            devices[device] = nil
            deviceTopics[device] = nil
        case .deviceTopic(let record):
            let key = UInt32(record.type) << 16 | UInt32(record.id)
            deviceTopics[record.device, default: [:]][key] = Self.words(.deviceTopic(record))
        case .deviceTopicsGone(let device): deviceTopics[device] = nil
        }
    }

    /// Everything, in no order that matters.
    var contents: Set<String> {
        var all = Set(sessions.values).union(subscriptions.values).union(messages.values).union(wills.values)
        for (place, delivery) in deliveries {
            all.insert(
                "delivery \(place.session) \(place.sequence) \(delivery.serial) \(delivery.packetIdentifier)"
                    + " \(delivery.rest)")
            if delivery.isReleased { all.insert("released \(place.session) \(place.sequence)") }
        }
        for (session, list) in received {
            for (packetIdentifier, held) in list {
                all.insert("received \(session) \(packetIdentifier) \(held.serial) \(held.retain)")
            }
        }
        all.formUnion(devices.values)
        for topics in deviceTopics.values { all.formUnion(topics.values) }
        for (topic, serial) in retained { all.insert("retained \(serial) \(topic)") }
        return all
    }

    private static func rest(_ record: DeliveryRecord) -> String {
        "\(record.qos) \(record.retain) \(ByteString(record.group)) \(ByteString(record.identifiers))"
    }

    /// A record that a reader may give, as it is compared.
    static func words(_ record: JournalRecord) -> String {
        switch record {
        case .session(let record):
            let owner = record.userName.map { ByteString($0).description } ?? "nobody"
            let away = record.awaySince.map(String.init) ?? "here"
            return "session \(record.session) \(ByteString(record.clientID)) \(owner) \(record.expiryInterval) \(away)"
                + " \(record.isDevice)"
        case .subscription(let record):
            return "subscription \(record.session) \(ByteString(record.filter)) \(record.options) \(record.identifier)"
        case .message(let record):
            return "message \(record.serial) \(ByteString(record.topic)) \(ByteString(record.properties))"
                + " \(ByteString(record.payload)) \(record.expiresAt) \(record.takenAt) \(record.qos) \(record.retain)"
        case .delivery(let record):
            return "delivery \(record.session) \(record.sequence) \(record.serial) \(record.packetIdentifier)"
                + " \(rest(record))"
        case .released(let session, let sequence): return "released \(session) \(sequence)"
        case .received(let session, let packetIdentifier, let serial, let retain):
            return "received \(session) \(packetIdentifier) \(serial) \(retain)"
        case .retained(let serial, let topic): return "retained \(serial) \(ByteString(topic))"
        case .will(let record):
            let expiry = record.messageExpiryInterval.map(String.init) ?? "never"
            return "will \(record.session) \(record.due) \(ByteString(record.topic)) \(ByteString(record.properties))"
                + " \(ByteString(record.payload)) \(record.qos) \(record.retain) \(expiry)"
        case .device(let record):
            let will = record.will.map { "\(ByteString($0.topic)) \(ByteString($0.payload)) \($0.qos) \($0.retain)" }
            return "device \(record.device) \(ByteString(record.clientID)) \(record.state) \(ByteString(record.path))"
                + " \(ByteString(record.nodeID)) \(record.isBound) \(record.hadWill) \(record.cleanSession)"
                + " \(record.keepAlive) \(record.sleepDuration) \(record.sessionExpiryInterval)"
                + " \(record.awaySince.map(String.init) ?? "here") \(will ?? "no will")"
        case .deviceTopic(let record):
            return "topic \(record.device) \(record.type) \(record.id) \(ByteString(record.topic)) \(record.knowledge)"
                + " \(record.isServers)"
        case .sessionGone, .subscriptionGone, .messageGone, .started, .deliveryGone, .receivedGone,
            .retainedGone, .willGone, .deviceGone, .deviceTopicsGone:
            return "\(record) is nothing that lasts"
        }
    }

    // MARK: - Made by chance

    /// Records of all kinds over few sessions, messages and topics, so that they meet.
    static func withRecords(seed: UInt64, count: Int, _ body: ([JournalRecord]) throws -> Void) rethrows {
        let generator = SeededGenerator(seed: seed)
        let names: [ByteString] = ["", "a", "a/b", "$share/g/a/#", ByteString([UInt8](repeating: 0x41, count: 5_000))]
        let arena = names.map { name -> UnsafeRawBufferPointer in
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, name.count), alignment: 1)
            memory.copyBytes(from: name.bytes)
            return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[..<name.count])
        }
        defer { for memory in arena { memory.baseAddress?.deallocate() } }
        var chance = Chance(generator: generator, names: arena.map { ByteView($0) })
        let records = (0..<count).map { _ in chance.record() }
        try body(records)
    }

    private struct Chance {
        var generator: SeededGenerator
        let names: [ByteView]

        mutating func below(_ bound: UInt64) -> UInt64 { generator.below(bound) }
        mutating func session() -> UInt32 { [0, 1, 2, .max][Int(below(4))] }
        mutating func serial() -> UInt64 { [1, 2, 3, .max, 1 << 63][Int(below(5))] }
        mutating func sequence() -> UInt64 { [0, 1, 2, 1 << 40][Int(below(4))] }
        mutating func identifier() -> UInt16 { [0, 1, .max][Int(below(3))] }
        mutating func time() -> Int64 { [0, -1, .max, .min, 1_800_000_000][Int(below(5))] }
        mutating func name() -> ByteView { names[Int(below(UInt64(names.count)))] }
        mutating func qos() -> QoS { QoS(rawValue: UInt8(below(3))) ?? .atMostOnce }
        mutating func flag() -> Bool { below(2) == 1 }

        mutating func record() -> JournalRecord {
            switch below(26) {
            case 0, 1:
                return .session(
                    SessionRecord(
                        session: session(), clientID: name(), userName: flag() ? name() : nil,
                        expiryInterval: flag() ? .max : 0, awaySince: flag() ? time() : nil, isDevice: flag()))
            case 2: return .sessionGone(session: session())
            case 3, 4:
                return .subscription(
                    SubscriptionRecord(
                        session: session(), filter: name(), options: UInt8(below(256)), identifier: UInt32(below(9))))
            case 5: return .subscriptionGone(session: session(), filter: name())
            case 6, 7:
                return .message(
                    MessageRecord(
                        serial: serial(), topic: name(), properties: name(), payload: name(), expiresAt: time(),
                        takenAt: flag() ? .max : 0, qos: qos(), retain: flag()))
            case 8: return .messageGone(serial: serial())
            case 9, 10, 11:
                return .delivery(
                    DeliveryRecord(
                        session: session(), sequence: sequence(), serial: serial(), packetIdentifier: identifier(),
                        qos: qos(), retain: flag(), group: name(), identifiers: name()))
            case 12: return .started(session: session(), sequence: sequence(), packetIdentifier: identifier())
            case 13: return .released(session: session(), sequence: sequence())
            case 15: return .deliveryGone(session: session(), sequence: sequence())
            case 16:
                return .received(
                    session: session(), packetIdentifier: identifier(), serial: serial(), retain: flag())
            case 17: return flag() ? .receivedGone(session: session(), packetIdentifier: identifier()) : willGone()
            case 18: return flag() ? .retained(serial: serial(), topic: name()) : .retainedGone(topic: name())
            case 20, 21, 22: return .device(device())
            case 23, 24:
                return .deviceTopic(
                    DeviceTopicRecord(
                        device: session(), type: UInt8(below(3)), id: identifier(), topic: name(),
                        knowledge: UInt8(below(3)), isServers: flag()))
            case 25: return flag() ? .deviceGone(device: session()) : .deviceTopicsGone(device: session())
            default:
                return .will(
                    WillRecord(
                        session: session(), due: time(), topic: name(), properties: name(), payload: name(),
                        qos: qos(), retain: flag(), messageExpiryInterval: flag() ? .max : nil))
            }
        }

        private mutating func device() -> DeviceRecord {
            let states: [DeviceRecord.State] = [.active, .asleep, .disconnected, .lost]
            let will = DeviceRecord.StoredWill(topic: name(), payload: name(), qos: qos(), retain: flag())
            return DeviceRecord(
                device: session(), clientID: name(), state: states[Int(below(4))], path: name(), nodeID: name(),
                isBound: flag(), hadWill: flag(), cleanSession: flag(), keepAlive: identifier(),
                sleepDuration: identifier(), sessionExpiryInterval: flag() ? .max : 0,
                awaySince: flag() ? time() : nil, will: flag() ? will : nil)
        }

        private mutating func willGone() -> JournalRecord { .willGone(session: session()) }
    }
}
