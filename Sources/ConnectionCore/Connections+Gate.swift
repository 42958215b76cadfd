internal import Bytes
internal import MQTTWire
internal import Messaging

/// Answers that wait for the disk (DESIGN §5).
extension Connections {
    /// How many bytes wait for the socket or the disk: where the next answer will stand.
    package func outputCount(of slot: Int) -> Int { connections[slot].output.count }

    /// What stands in the output from `position` on is not written before this batch is safe.
    package mutating func hold(_ slot: Int, from position: Int, until batch: UInt64) {
        guard position < connections[slot].output.count else { return }
        connections[slot].gate.close(at: position, until: batch)
        guard !connections[slot].isGated else { return }
        connections[slot].isGated = true
        gated.append(slot)
    }

    /// Everything up to this batch is safe: those who waited for it have output to write.
    package mutating func open(upTo batch: UInt64) {
        guard !gated.isEmpty else { return }
        let before = gated
        gated.removeAll(keepingCapacity: true)
        for slot in before where connections[slot].isGated {
            connections[slot].gate.open(upTo: batch)
            if connections[slot].gate.isOpen {
                connections[slot].isGated = false
            } else {
                gated.append(slot)
            }
            markDirty(slot)
        }
    }

    /// Nothing is made safe for now: an answer that waits was never given, and its client is to ask again later. MQTT 5
    /// clients hear 0x97.
    package mutating func abandonGated(into effects: inout [ConnectionEffect]) {
        let before = gated
        gated.removeAll(keepingCapacity: true)
        for slot in before where connections[slot].isGated {
            connections[slot].isGated = false
            connections[slot].output.truncate(to: connections[slot].gate.position)
            connections[slot].gate = OutputGate()
            guard case .connected = connections[slot].state else { continue }
            fail(slot, .quotaExceeded, .closed(.quotaExceeded), into: &effects)
        }
    }
}
