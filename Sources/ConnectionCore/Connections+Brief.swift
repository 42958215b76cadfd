package import Bytes
package import Clockwork
internal import MQTTWire
package import Messaging

/// What nearly all packets of a busy client ask for, without anything that would have to be counted or freed.
package enum BriefRequest {
    case publish(IncomingPublish)
    /// PUBACK, PUBREC or PUBCOMP.
    case acknowledge(Acknowledgement)
    /// PUBREL.
    case release(packetIdentifier: UInt16)
}

/// The short way of packets that are whole, and with nothing unusual about them.
extension Connections {
    /// The packet at the front of `input`, if there is nothing about it that takes a closer look; then it is taken off.
    ///
    /// Nil says nothing: `next(_:_:now:into:)` then looks at the same bytes, and says what is wrong with them.
    package mutating func nextBrief(_ slot: Int, _ input: inout ByteView, now: Now) -> BriefRequest? {
        guard case .connected = connections[slot].state, connections[slot].isBetweenPackets, input.count >= 4 else {
            return nil
        }
        if input[0] & 0xF0 == 0x30 {
            return publish(slot, &input, now).map { .publish($0) }
        }
        // Without a reason code that is success, in MQTT 5 as well (§3.4.2.1).
        guard input[1] == 2 else { return nil }
        let identifier = UInt16(input[2]) << 8 | UInt16(input[3])
        guard identifier != 0 else { return nil }
        let request: BriefRequest
        switch input[0] {
        case 0x40: request = .acknowledge(Acknowledgement(.puback, identifier))
        case 0x50: request = .acknowledge(Acknowledgement(.pubrec, identifier))
        case 0x62: request = .release(packetIdentifier: identifier)
        case 0x70: request = .acknowledge(Acknowledgement(.pubcomp, identifier))
        default: return nil
        }
        take(4, of: slot, &input, now)
        return request
    }

    private mutating func publish(_ slot: Int, _ input: inout ByteView, _ now: Now) -> IncomingPublish? {
        guard let header = PublishHeader(input, version: connections[slot].version),
            header.packetBytes <= limits.packetBytesMax, header.qos <= connections[slot].qosMax,
            !header.retain || limits.retainAvailable
        else { return nil }
        let topic = input[header.topicStart..<header.topicEnd]
        let payload = input[header.payloadStart..<header.packetBytes]
        guard payload.count <= limits.payloadBytesMax, topic.isPlainName else { return nil }
        take(header.packetBytes, of: slot, &input, now)
        return IncomingPublish(
            topic: .name(topic), qos: header.qos, retain: header.retain, isDuplicate: header.dup,
            packetIdentifier: header.packetIdentifier, payload: payload)
    }

    /// Counts a packet, which is all there is to be done about it here.
    @inline(__always)
    private mutating func take(_ bytes: Int, of slot: Int, _ input: inout ByteView, _ now: Now) {
        input = input.dropFirst(bytes)
        connections[slot].lastHeard = now.instant  // [M-01]
        counters.packetsReceived += 1
        counters.bytesReceived += UInt64(bytes)
    }
}

extension Connection {
    /// Whether the next packet begins with the next byte that is read.
    fileprivate var isBetweenPackets: Bool {
        partial.isEmpty && held.isEmpty && heldBytesSpent == 0
    }
}

/// Where the parts of a PUBLISH lie (MQTT 5.0 §3.3), if it is whole and has no properties.
private struct PublishHeader {
    var qos: QoS
    var dup: Bool
    var retain: Bool
    var packetIdentifier: UInt16 = 0
    let topicStart: Int
    let topicEnd: Int
    let payloadStart: Int
    let packetBytes: Int

    @inline(__always)
    init?(_ bytes: ByteView, version: ProtocolVersion) {
        guard bytes.count >= 4, bytes[0] & 0xF0 == 0x30 else { return nil }
        let flags = bytes[0]
        switch flags >> 1 & 0b11 {
        case 0: qos = .atMostOnce
        case 1: qos = .atLeastOnce
        case 2: qos = .exactlyOnce
        default: return nil
        }
        dup = flags & 0b1000 != 0
        retain = flags & 1 != 0
        // Of a Remaining Length of three bytes and more the time goes elsewhere.
        var place = 2
        var remaining = Int(bytes[1])
        if remaining >= 0x80 {
            guard bytes[2] < 0x80, bytes[2] > 0 else { return nil }
            remaining = remaining & 0x7F | Int(bytes[2]) << 7
            place = 3
        }
        packetBytes = place + remaining
        guard bytes.count >= packetBytes, remaining >= 2, !dup || qos != .atMostOnce else { return nil }
        topicStart = place + 2
        topicEnd = topicStart + (Int(bytes[place]) << 8 | Int(bytes[place + 1]))
        var end = topicEnd
        if qos != .atMostOnce {
            guard end + 2 <= packetBytes else { return nil }
            packetIdentifier = UInt16(bytes[end]) << 8 | UInt16(bytes[end + 1])
            guard packetIdentifier != 0 else { return nil }
            end += 2
        }
        if version == .v5 {
            guard end < packetBytes, bytes[end] == 0 else { return nil }
            end += 1
        }
        guard end <= packetBytes else { return nil }
        payloadStart = end
    }
}

extension ByteView {
    /// Whether this is a topic name in ASCII: not empty, without U+0000 and wildcards. Others may be names too.
    fileprivate var isPlainName: Bool {
        guard !isEmpty else { return false }
        var index = 0
        while index + 8 <= count {
            guard Self.isPlain(memory.loadUnaligned(fromByteOffset: index, as: UInt64.self)) else { return false }
            index += 8
        }
        guard index < count else { return true }
        if count >= 8 {
            // The last eight bytes, some of them once more.
            return Self.isPlain(memory.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self))
        }
        var word: UInt64 = 0x6161_6161_6161_6161
        while index < count {
            word = word << 8 | UInt64(memory[index])
            index += 1
        }
        return Self.isPlain(word)
    }

    /// Eight bytes at once: no high bit, no zero, and no `+` or `#`, which differ in one bit.
    @inline(__always)
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let folded = word & ~(ones &* 0x08) ^ (ones &* 0x23)
        let zeros = (word &- ones) & ~word | (folded &- ones) & ~folded
        return (zeros | word) & (ones &* 0x80) == 0
    }
}
