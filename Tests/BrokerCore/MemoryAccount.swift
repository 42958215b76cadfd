import Messaging

@testable import BrokerCore

extension Broker {
    /// What is wrong in the account of the memory that queues have, counted anew: nothing, or the broker is.
    var memoryFaults: [String] {
        var faults: [String] = []
        var counts: [MessageHandle: (waiting: UInt32, inParts: UInt32)] = [:]
        for slot in sessions.indices {
            var bytes = 0
            var beyond: UInt32 = 0
            for entry in sessions[slot].queue where entry.phase == .message {
                counts[entry.message, default: (0, 0)].waiting += 1
                if entry.isInPart {
                    counts[entry.message, default: (0, 0)].inParts += 1
                    bytes += messages.size(of: entry.message)
                } else {
                    beyond += 1
                }
            }
            let part = queuedMemory[slot]
            if part.bytes != bytes || part.beyond != beyond { faults.append("the part of session \(slot)") }
        }
        var inMemory = 0
        for (message, count) in counts {
            if queuedMemory.counts(message) != count { faults.append("the places of message \(message.index)") }
            let slot = messages[message]
            guard slot.holders == count.waiting, slot.flags.contains(.isCommitted), !slot.isEvicted else { continue }
            inMemory += messages.size(of: message)
            if count.inParts == 0, slot.memory != nil, !queuedMemory.arrived.contains(message) {
                faults.append("message \(message.index) is in memory for nobody")
            }
        }
        let arrived = queuedMemory.arrived.reduce(0) { $0 + messages.size(of: $1) }
        if inMemory > limits.queuedMemoryMax + arrived {
            faults.append("\(inMemory) bytes wait in memory, \(arrived) of them just read")
        }
        return faults
    }
}
