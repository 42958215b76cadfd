internal import BrokerCore
internal import Bytes
internal import Clockwork
internal import GatewayCore
internal import Messaging

/// The devices that are shown as retained topics below `$SYS/broker/sn/devices` [D-85].
struct DeviceTopics {
    /// How many may have a topic.
    let countMax: Int
    /// How many have one.
    private(set) var count = 0
    /// By the device's slot: a hash of what its topic says; 0 where it has none.
    private var said: [UInt64] = []

    init(countMax: Int) {
        self.countMax = countMax
    }

    /// Whether this is news about the device in `slot`, and there is a place for it.
    fileprivate mutating func say(_ value: ByteString, of slot: Int) -> Bool {
        while said.count <= slot { said.append(0) }
        let hash = value.fingerprint
        if said[slot] == hash { return false }
        if said[slot] == 0 {
            guard count < countMax else { return false }
            count += 1
        }
        said[slot] = hash
        return true
    }

    /// Whether the device that was in `slot` had a topic; it has none from now on.
    fileprivate mutating func forget(_ slot: Int) -> Bool {
        guard slot < said.count, said[slot] != 0 else { return false }
        said[slot] = 0
        count -= 1
        return true
    }
}

extension Engine {
    /// What is shown of devices in one go; the rest follows at once, after others had their turn.
    private static let devicesPerTurn = 256

    /// At once while a device has changed: the adapter asks at the end of each turn, and a device that changed several
    /// times in it is shown once.
    var deviceTopicsDeadline: Deadline? {
        gateway.hasChanges ? Instant(nanoseconds: 0) : nil
    }

    /// Publishes what devices have become [D-85].
    mutating func publishDevices(_ now: Now) {
        for _ in 0..<Self.devicesPerTurn {
            guard let change = gateway.takeChange() else { return }
            switch change {
            case .changed(let slot): publishDevice(slot, now)
            case .removed(let slot, let clientID):
                guard deviceTopics.forget(slot) else { continue }
                publishOwn(clientID.deviceTopic, ByteString(), now)
            }
        }
    }

    private mutating func publishDevice(_ slot: Int, _ now: Now) {
        guard let portrait = gateway.portrait(of: slot, now: now) else { return }
        let queue = broker.queue(of: portrait.clientID)
        // Who takes what waits does not change its state with it: it is looked at again.
        let isTaking = portrait.state == .active || portrait.state == .awake
        if isTaking, queue.messages > 0 { broker.noteDeviceQueue(of: portrait.clientID) }
        let topic = portrait.clientID.deviceTopic
        guard topic.count <= Int(UInt16.max) else { return }
        let value = portrait.json(messages: queue.messages, bytes: queue.bytes, unixSeconds: now.unixSeconds)
        guard deviceTopics.say(value, of: slot) else { return }
        publishOwn(topic, value, now)
    }

    /// Looks again at the devices whose queues have changed without a change of their state.
    mutating func noteDeviceQueues() {
        guard deviceTopics.countMax > 0 else { return }
        for clientID in broker.takeDeviceQueues() { gateway.noteQueueChange(of: clientID) }
    }
}

extension Gateway.Portrait {
    /// The device as a JSON object, its keys in this order [D-85].
    fileprivate func json(messages: Int, bytes: Int, unixSeconds: Int64) -> ByteString {
        var text = "{\"state\":\"\(state.word)\",\"address\":\"\(address)\""
        if let secondsToWake { text += ",\"asleep_until\":\(unixSeconds + secondsToWake)" }
        text += ",\"queued_messages\":\(messages),\"queued_bytes\":\(bytes)}"
        return ByteString(text)
    }
}

extension DeviceState {
    /// The word of MQTT-SN 1.2 §6.14.
    fileprivate var word: String {
        switch self {
        case .connecting: "connecting"
        case .active: "active"
        case .asleep: "asleep"
        case .awake: "awake"
        case .disconnected: "disconnected"
        case .lost: "lost"
        }
    }
}

extension ByteString {
    /// The topic that shows the device of this name: what no level of a topic may have, or many a client does not
    /// like, is written as %XX, and so is % itself [D-87].
    fileprivate var deviceTopic: ByteString {
        var topic = Array("$SYS/broker/sn/devices/".utf8)
        for byte in bytes {
            switch byte {
            case 0...0x1F, 0x7F, UInt8(ascii: "#"), UInt8(ascii: "%"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                topic.append(UInt8(ascii: "%"))
                topic += "\(hexDigit(byte >> 4))\(hexDigit(byte))".uppercased().utf8
            default: topic.append(byte)
            }
        }
        return ByteString(topic)
    }

    /// A hash that is never 0 (FNV-1a): what is said is our own, so that nobody can aim at it.
    fileprivate var fingerprint: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return hash == 0 ? 1 : hash
    }
}
