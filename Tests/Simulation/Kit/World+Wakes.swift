internal import Bytes
internal import Clockwork
internal import DeviceCore
internal import Engine
internal import GatewayCore
internal import HeapModule
internal import MQTTSNWire
internal import Messaging

/// When devices wake up, the soonest first, the lower number among equals.
struct DeviceAlarms {
    private struct Alarm: Comparable {
        let due: Instant
        let device: Int

        static func < (left: Alarm, right: Alarm) -> Bool { (left.due, left.device) < (right.due, right.device) }
    }

    /// What is no longer true lies among them until it comes up.
    private var heap = Heap<Alarm>()
    private var current: [Instant?] = []

    /// Sees to it that the device is woken when it wants to be.
    mutating func set(_ device: Int, among devices: [WorldDevice]) {
        if current.count < devices.count {
            current += [Instant?](repeating: nil, count: devices.count - current.count)
        }
        let due = devices[device].device.nextDeadline
        guard current[device] != due else { return }
        current[device] = due
        if let due { heap.insert(Alarm(due: due, device: device)) }
    }

    /// The soonest of all.
    mutating func next(among devices: [WorldDevice]) -> (due: Instant, device: Int)? {
        while let first = heap.min {
            if current[first.device] == first.due { return (first.due, first.device) }
            _ = heap.popMin()
        }
        return nil
    }
}

/// Wakes of sleeping devices that the gateway has begun and not ended (§6.14).
struct OpenWakes {
    struct Wake {
        let device: Int
        /// When the device was last sent anything.
        var spoke: Instant
        /// Whether it was told that the wake is over, or goes on sleeping for another reason.
        var hasEnded = false
    }

    var open: [Wake] = []
    /// The gateway's count of devices that did not answer, when it was last looked at.
    var unanswered = 0
    /// Wakes that began, and those that ended without PINGRESP since the device did not answer.
    var begun = 0
    var silent = 0

    mutating func noteDown(_ type: SNMessageType, _ device: Int, _ now: Instant) {
        guard let place = open.firstIndex(where: { $0.device == device }) else { return }
        open[place].spoke = now
        // A late copy of its DISCONNECT may have put it to sleep again [D-24].
        if type == .pingresp || type == .disconnect { open[place].hasEnded = true }
    }
}

extension World {
    /// The state in which the gateway sees a device; nil if it does not know it.
    func state(of device: Int) -> DeviceState? {
        gatewaySlot(of: device).flatMap { engine.gateway.state(of: $0) }
    }

    func gatewaySlot(of device: Int) -> Int? {
        let clientID = devices[device].clientID
        guard !clientID.isEmpty else { return nil }
        if engine.gateway.clientID(of: devices[device].slot) == clientID { return devices[device].slot }
        // Records are as many as devices at most, so slots are, too.
        return devices.indices.first { engine.gateway.clientID(of: $0) == clientID }
    }

    /// A sleeping device has sent something. PINGREQ begins a wake, or is answered at once.
    mutating func wokeUp(_ datagram: ByteView, _ device: Int, at sender: PeerAddress) {
        if let slot = gatewaySlot(of: device) { devices[device].slot = slot }
        guard case .pingreq? = try? SNPacket.decode(datagram) else { return }
        switch state(of: device) {
        case .awake:
            wakes.begun += 1
            wakes.open.removeAll { $0.device == device }
            wakes.open.append(OpenWakes.Wake(device: device, spoke: now))
        case .asleep:
            wakes.begun += 1
            let isAnswered = engine.outbox.entries.contains { entry in
                entry.path.remote == sender && engine.outbox.bytes(of: entry).memory.elementsEqual([0x02, 0x17])
            }
            // With a disk the answer may wait for it.
            if !isAnswered, disk == nil { faults.append("\(name(ofDevice: device)) woke up, and nothing answered") }
        default: break
        }
    }

    /// Every wake ends with PINGRESP, or with a device that did not answer; and until then something is sent at least
    /// each T_retry [D-17] [D-18].
    mutating func superviseWakes() {
        let unanswered = engine.gateway.counters.unanswered
        defer { wakes.unanswered = unanswered }
        guard !wakes.open.isEmpty else { return }
        if disk?.isBlocked == true || disk?.hasFailed == true { return wakes.open = [] }
        let patience = engine.settings.gateway.unlisted.retryInterval * 1.3 + (disk?.delay ?? .zero) * 2
        var silent = 0
        for wake in wakes.open {
            switch state(of: wake.device) {
            case .awake:
                if now.since(wake.spoke) > patience { faults.append("d\(wake.device) is awake, and nothing is said") }
                continue
            case .asleep where !wake.hasEnded: silent += 1
            default: break
            }
            wakes.open.removeAll { $0.device == wake.device }
        }
        wakes.silent += silent
        // With a disk PINGRESP may wait for it.
        if disk == nil, silent > unanswered - wakes.unanswered { faults.append("a wake ended without PINGRESP") }
    }
}
