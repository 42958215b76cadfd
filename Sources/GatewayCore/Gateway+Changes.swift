internal import Bytes
package import Clockwork
internal import DequeModule
package import Messaging

extension Gateway {
    /// What became of a device, for those who show it to others.
    package enum Change {
        /// The record in this slot is new, or says something else than before.
        case changed(slot: Int)
        /// The record is gone; the slot may be another device's by now.
        case removed(slot: Int, ClientID)
    }

    /// What there is to show of a device.
    package struct Portrait: Equatable, Sendable {
        package var clientID: ClientID
        package var state: DeviceState
        package var address: DeviceAddress
        /// Seconds until it is expected to wake, rounded up; 0 when it should have, nil unless it is asleep.
        package var secondsToWake: Int64?
    }
}

/// Devices that changed and were not looked at since, each once. Silent ones cost nothing.
struct Changes {
    /// Records that are gone: they come first, since their slots may be others' by now.
    var removed: Deque<(slot: Int, clientID: ClientID)> = []
    var changed: Deque<Int> = []
}

extension Gateway {
    /// Whether `takeChange` has something to say.
    package var hasChanges: Bool { !changes.removed.isEmpty || !changes.changed.isEmpty }

    /// The next change since the last call; nil when all were taken.
    package mutating func takeChange() -> Change? {
        if let (slot, clientID) = changes.removed.popFirst() { return .removed(slot: slot, clientID) }
        while let slot = changes.changed.popFirst() {
            guard table.contains(slot), table[slot].isChangeNoted else { continue }
            table[slot].isChangeNoted = false
            return .changed(slot: slot)
        }
        return nil
    }

    /// Sees to it that the device is looked at. Does nothing unless somebody looks.
    mutating func noteChange(_ slot: Int) {
        guard configuration.notesChanges, !table[slot].isChangeNoted else { return }
        table[slot].isChangeNoted = true
        changes.changed.append(slot)
    }

    /// The record is about to go.
    mutating func noteRemoval(_ slot: Int) {
        guard configuration.notesChanges else { return }
        changes.removed.append((slot, table[slot].clientID))
    }

    /// What waits for the device of this name has changed.
    package mutating func noteQueueChange(of clientID: ClientID) {
        if let slot = clientID.withView({ table.slot(named: $0) }) { noteChange(slot) }
    }

    /// What there is to show of the device in `slot`; nil if there is none, or it is about to connect.
    package func portrait(of slot: Int, now: Now) -> Portrait? {
        guard table.contains(slot) else { return nil }
        let device = table[slot]
        var portrait = Portrait(clientID: device.clientID, state: device.state.kind, address: address(of: device.path))
        switch device.state {
        case .connecting: return nil
        case .asleep(let asleep):
            let wakesAt = device.heard + .seconds(Int64(asleep.duration))
            portrait.secondsToWake = Int64((wakesAt.since(now.instant).wholeNanoseconds + 999_999_999) / 1_000_000_000)
        case .active, .awake, .disconnected, .lost: break
        }
        return portrait
    }
}
