internal import DequeModule
package import Messaging

/// Sessions of devices whose queues have changed since they were last taken, each once.
struct ChangedQueues {
    private var slots: [Int] = []
    /// By slot. A slot that another session has meanwhile stays noted, so that there are never more than slots.
    private var isNoted: [Bool] = []

    mutating func note(_ slot: Int) {
        while isNoted.count <= slot { isNoted.append(false) }
        guard !isNoted[slot] else { return }
        isNoted[slot] = true
        slots.append(slot)
    }

    mutating func take() -> [Int] {
        guard !slots.isEmpty else { return [] }
        defer { slots = [] }
        for slot in slots { isNoted[slot] = false }
        return slots
    }
}

/// What waits for devices, for those who show it to others.
extension Broker {
    /// The device sessions whose queues have grown since the last call, and those that were named to
    /// `noteDeviceQueue`. Nothing grows unless `BrokerLimits.notesDeviceQueues`.
    package mutating func takeDeviceQueues() -> [ClientID] {
        changedQueues.take().compactMap { sessions[$0].isLive ? sessions[$0].clientID : nil }
    }

    /// Has the session among those that `takeDeviceQueues` answers next.
    package mutating func noteDeviceQueue(of clientID: ClientID) {
        if let slot = session(named: clientID) { changedQueues.note(slot) }
    }

    /// What waits for a session, and its properties and payloads in bytes; nothing where there is no such session.
    package func queue(of clientID: ClientID) -> (messages: Int, bytes: Int) {
        guard let slot = session(named: clientID) else { return (0, 0) }
        return (sessions[slot].queue.count, sessions[slot].queuedBytes)
    }
}
