internal import Bytes
internal import MQTTWire
internal import Messaging

/// What unfinished packets keep, of all connections together: each is bounded by itself, and ten thousand that come at
/// a crawl would still fill the memory of a small machine.
extension Connections {
    /// Notes what a connection keeps now that its input is used up. Above the limit the connection that keeps most is
    /// ended, until the rest fits [M-70].
    mutating func countUnfinished(_ slot: Int, into effects: inout [ConnectionEffect]) {
        let bytes = connections[slot].partial.count + connections[slot].held.count
        guard bytes != connections[slot].unfinishedBytes else { return }
        unfinishedBytes += bytes - connections[slot].unfinishedBytes
        connections[slot].unfinishedBytes = bytes
        while unfinishedBytes > limits.unfinishedBytesMax { endLargestUnfinished(into: &effects) }
    }

    /// Gives back what a connection keeps: it will not be read further.
    mutating func forgetUnfinished(_ slot: Int) {
        unfinishedBytes -= connections[slot].unfinishedBytes
        connections[slot].unfinishedBytes = 0
    }

    /// Looks at every connection: an attacker pays for each look with as many bytes as an average connection keeps.
    private mutating func endLargestUnfinished(into effects: inout [ConnectionEffect]) {
        var largest = 0
        for slot in connections.indices
        where connections[slot].unfinishedBytes > connections[largest].unfinishedBytes {
            largest = slot
        }
        counters.unfinishedDropped += 1
        fail(
            largest, .quotaExceeded, .closed(.quotaExceeded),
            ReasonText("the server has no room for more packets that come so slowly"), into: &effects)
        connections[largest].partial.deallocate()
        connections[largest].partialIsSpent = false
        connections[largest].held.deallocate()
        connections[largest].heldBytesSpent = 0
        forgetUnfinished(largest)
    }
}
