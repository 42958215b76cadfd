internal import Bytes
internal import Clockwork
internal import DeviceCore
internal import Engine
internal import GatewayCore
internal import MQTTSNWire
internal import Messaging

/// How datagrams fare.
package struct Network {
    /// Lost, percent.
    package var loss: UInt64 = 0
    /// Doubled, percent.
    package var duplication: UInt64 = 0
    /// The longest time under way.
    package var delay: Duration = .milliseconds(1)
    /// Whether the copy of a doubled datagram takes a time of its own.
    package var hasLateCopies = false

    package init() {}
}

extension World {
    // MARK: - Up

    /// What a device wants done: its datagrams leave, the rest is its application's to know.
    mutating func take(_ effects: [Device.Effect], of device: Int) {
        for effect in effects {
            guard case .send(let bytes) = effect else {
                trace.note("\(effect)", name(ofDevice: device), now)
                happenings.append(.device(device, effect))
                continue
            }
            let sender = devices[device].address
            traffic.noteUp(bytes)
            for arrival in arrivals(device) { queue.add(.datagramUp(bytes, from: sender), at: arrival) }
        }
    }

    /// When the copies of a datagram arrive; empty if it is lost.
    private mutating func arrivals(_ device: Int?) -> [Instant] {
        let network = device.flatMap { devices[$0].network } ?? network
        guard !random.chance(network.loss) else { return [] }
        let first = now + random.duration(upTo: network.delay)
        guard random.chance(network.duplication) else { return [first] }
        return [first, network.hasLateCopies ? now + random.duration(upTo: network.delay) : first]
    }

    mutating func datagramArrived(_ bytes: ByteString, from sender: PeerAddress) {
        bytes.withView { view in
            guard let device = addresses[sender] else {
                return engine.datagramReceived(view, from: DatagramPath(remote: sender), now: time)
            }
            trace.note(.datagramUp, name(ofDevice: device), view, now)
            if let packet = try? SNPacket.decode(view) { noteUp(packet, device) }
            let wasAsleep = state(of: device) == .asleep
            engine.datagramReceived(view, from: DatagramPath(remote: sender), now: time)
            if wasAsleep { wokeUp(view, device, at: sender) }
        }
    }

    // MARK: - Down

    mutating func sendDatagrams() {
        for entry in engine.outbox.entries {
            let bytes = ByteString(engine.outbox.bytes(of: entry))
            let receiver = entry.path.remote
            let device = addresses[receiver]
            if let device {
                traffic.noteDown(bytes)
                bytes.withView { view in
                    trace.note(.datagramDown, name(ofDevice: device), view, now)
                    guard let packet = try? SNPacket.decode(view) else {
                        faults.append("the gateway sent a malformed datagram: \(view.escaped)")
                        return
                    }
                    noteDown(packet, device, at: receiver)
                }
            }
            for arrival in arrivals(device) { queue.add(.datagramDown(bytes, to: receiver), at: arrival) }
        }
        engine.clearOutbox()
    }

    /// A datagram reaches the device that is there; at an address that was given up it is lost.
    mutating func datagramArrived(_ bytes: ByteString, at receiver: PeerAddress) {
        guard let device = addresses[receiver], devices[device].address == receiver else { return }
        var effects: [Device.Effect] = []
        bytes.withView { devices[device].device.received($0, now: now, into: &effects) }
        noteMistake(bytes, device, effects)
        alarms.set(device, among: devices)
        take(effects, of: device)
    }

    mutating func advance(device: Int) {
        var effects: [Device.Effect] = []
        devices[device].device.advance(to: now, into: &effects)
        alarms.set(device, among: devices)
        take(effects, of: device)
    }
}

/// The topic ids that a device was told on its present connection, as the gateway can know it.
struct ToldTopics {
    private var ids: [UInt16] = []
    /// Whether the device goes on from sleep, in the gateway's eyes: then it keeps what it was told [D-04].
    var isResuming = false
    var forgetsAtConnack = false

    mutating func forgetAll() { ids = [] }

    mutating func insert(_ id: UInt16) {
        if !ids.contains(id) { ids.append(id) }
    }

    func contains(_ id: UInt16) -> Bool { ids.contains(id) }
}

extension World {
    /// What the gateway hears of a device's knowledge.
    private mutating func noteUp(_ packet: SNPacket, _ device: Int) {
        switch packet {
        case .connect(let connect):
            devices[device].clientID = ByteString(connect.clientID)
            if [.asleep, .awake].contains(state(of: device)) { devices[device].told.isResuming = true }
            // What waited for the disk when CONNECT came leaves before CONNACK.
            if disk != nil {
                devices[device].told.forgetsAtConnack = !devices[device].told.isResuming
            } else if !devices[device].told.isResuming {
                devices[device].told.forgetAll()
            }
        case .willTopic, .willMsg: break
        case .regack(let topicID, _, .accepted):
            devices[device].told.isResuming = false
            devices[device].told.insert(topicID)
        default: devices[device].told.isResuming = false
        }
    }

    /// The gateway never publishes under an id that it did not tell the device [SN-6.10].
    private mutating func noteDown(_ packet: SNPacket, _ device: Int, at receiver: PeerAddress) {
        wakes.noteDown(packet.type, device, now)
        switch packet {
        case .connack where devices[device].told.forgetsAtConnack:
            devices[device].told.forgetsAtConnack = false
            devices[device].told.forgetAll()
        case .regack(let topicID, _, .accepted), .suback(_, let topicID, _, .accepted):
            devices[device].told.insert(topicID)
        case .publish(let publish) where publish.topicIDType == .normal:
            // What waited for the disk may leave for an address that the device has left.
            let isHere = disk == nil || devices[device].address == receiver
            if isHere, !devices[device].told.contains(publish.topicID) {
                faults.append("d\(device) was never told topic id \(publish.topicID)")
            }
        default: break
        }
    }
}
