internal import Bytes
package import Clockwork
internal import MQTTWire
package import Messaging

/// What a client sends before it has its CONNACK: it may, and is answered behind it (MQTT 5.0 §3.1.4). If CONNECT is
/// refused, nothing of it is looked at [MQTT-3.1.4-6].
extension Connections {
    /// Bytes that may wait so. An adapter that reads on fills a read buffer at most before the answer comes.
    private var heldBytesMax: Int { 4 * limits.packetBeforeConnectBytesMax }

    /// Keeps the input; a client that sends more than may wait is ended [M-31].
    mutating func hold(_ slot: Int, _ input: inout ByteView, into effects: inout [ConnectionEffect]) {
        defer { input = .empty }
        guard connections[slot].held.count + input.count <= heldBytesMax else {
            return fail(slot, .quotaExceeded, .violated(.quotaExceeded), into: &effects)
        }
        connections[slot].held.append(input)
    }

    /// The next packet that was held. Where none is whole the rest becomes the beginning of what comes next.
    mutating func heldFrame(_ slot: Int) throws(Violation) -> MQTTFrame? {
        let held = connections[slot].held.pending
        let bytesMax = packetBytesMax(slot)
        let frame = try decoding { () throws(MQTTDecodeError) in
            try MQTTFrame.next(in: held, maximumPacketSize: bytesMax)
        }
        guard let frame else {
            connections[slot].partial.append(held)
            connections[slot].held.deallocate()
            return nil
        }
        connections[slot].heldBytesSpent = frame.byteCount
        return frame
    }

    /// Forgets the packet that was handled last.
    mutating func dropSpentHeld(_ slot: Int) {
        guard connections[slot].heldBytesSpent > 0 else { return }
        connections[slot].held.consume(connections[slot].heldBytesSpent, keptBytesMax: 0)
        connections[slot].heldBytesSpent = 0
    }

    /// Whether `nextHeld` has something to look at.
    package var hasHeld: Bool { !resumed.isEmpty }

    /// The next request out of what was held for a CONNACK that has meanwhile been sent; nil when there is none.
    /// Views in it are valid until the next call for this connection.
    package mutating func nextHeld(
        now: Now, into effects: inout [ConnectionEffect]
    ) -> (slot: Int, request: LinkRequest)? {
        while let slot = resumed.last {
            var none = ByteView.empty
            if let request = next(slot, &none, now: now, into: &effects) { return (slot, request) }
            resumed.removeLast()
        }
        return nil
    }
}
