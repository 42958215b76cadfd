package import Bytes

/// The MQTT Control Packet types: MQTT 5.0 §2.1.2.
@frozen
package enum PacketType: UInt8, Sendable {
    case connect = 1
    case connack, publish, puback, pubrec, pubrel, pubcomp
    case subscribe, suback, unsubscribe, unsuback
    case pingreq, pingresp, disconnect, auth
}

/// One whole packet in a reader's bytes, its body not yet looked at.
@frozen
package struct MQTTFrame: Equatable {
    package var type: PacketType
    /// The low four bits of the first byte.
    package var flags: UInt8
    /// Everything behind the fixed header.
    package var body: ByteView
    /// Bytes of the whole packet, its fixed header included: what the reader consumes.
    package var byteCount: Int

    package init(type: PacketType, flags: UInt8, body: ByteView, byteCount: Int) {
        self.type = type
        self.flags = flags
        self.body = body
        self.byteCount = byteCount
    }

    /// The packet at the beginning of `bytes`; nil while its last byte is not there.
    ///
    /// - Parameter maximumPacketSize: bytes of the longest packet allowed, header included.
    /// - Throws: as soon as the header shows it: `reservedPacketType`, `reservedFlags`, `malformedVarint`,
    ///   `packetTooLarge`.
    package static func next(in bytes: ByteView, maximumPacketSize: Int) throws(MQTTDecodeError) -> MQTTFrame? {
        guard let header = try FixedHeader(bytes, maximumPacketSize: maximumPacketSize) else { return nil }
        guard bytes.count >= header.packetBytes else { return nil }
        return MQTTFrame(
            type: header.type, flags: header.flags, body: bytes[header.headerBytes..<header.packetBytes],
            byteCount: header.packetBytes)
    }

    /// How many bytes the packet at the beginning of `bytes` has in all; nil while its header is not whole.
    ///
    /// Refuses what `next(in:maximumPacketSize:)` refuses, so that a reader makes room only for legal packets.
    package static func expectedByteCount(
        of bytes: ByteView, maximumPacketSize: Int
    ) throws(MQTTDecodeError) -> Int? {
        try FixedHeader(bytes, maximumPacketSize: maximumPacketSize)?.packetBytes
    }
}

/// Type, flags and Remaining Length: MQTT 5.0 §2.1.
private struct FixedHeader {
    var type: PacketType
    var flags: UInt8
    var headerBytes: Int
    var packetBytes: Int

    /// nil while bytes of the header are missing.
    @inline(__always)
    init?(_ bytes: ByteView, maximumPacketSize: Int) throws(MQTTDecodeError) {
        guard bytes.count >= 1 else { return nil }
        let first = bytes[0]
        guard let type = PacketType(rawValue: first >> 4) else { throw .reservedPacketType }
        self.type = type
        flags = first & 0x0F
        guard FixedHeader.allows(flags, for: type) else { throw .reservedFlags }  // [MQTT-2.1.3-1]
        var remaining = 0
        var index = 1
        while true {
            guard index < bytes.count else { return nil }
            let byte = bytes[index]
            remaining |= Int(byte & 0x7F) << (7 * (index - 1))
            index += 1
            if byte < 0x80 {
                if byte == 0, index > 2 { throw .malformedVarint }  // [MQTT-1.5.5-1]
                break
            }
            if index > 4 { throw .malformedVarint }
        }
        headerBytes = index
        packetBytes = index + remaining
        guard packetBytes <= maximumPacketSize else { throw .packetTooLarge }
    }

    /// Whether the flags are those of the type (§2.1.3, table 2-2). The version is not known here, and MQTT 3.1 lets
    /// PUBREL, SUBSCRIBE and UNSUBSCRIBE carry DUP: `MQTTFrame.check(_:version:)` refuses it for the others.
    @inline(__always)
    static func allows(_ flags: UInt8, for type: PacketType) -> Bool {
        switch type {
        case .publish: true
        case .pubrel, .subscribe, .unsubscribe: flags & 0b0111 == 0b0010
        default: flags == 0
        }
    }
}

extension MQTTFrame {
    /// Refuses another type than `expected`, and DUP where only MQTT 3.1 had it (§2.1.1 there).
    func check(_ expected: PacketType, version: ProtocolVersion) throws(MQTTDecodeError) {
        guard type == expected else { throw .unexpectedPacketType }
        switch type {
        case .pubrel, .subscribe, .unsubscribe:
            guard flags == 0b0010 || (flags == 0b1010 && version == .v3_1) else { throw .reservedFlags }
        case .publish: break
        default: guard flags == 0 else { throw .reservedFlags }
        }
    }
}

extension OutputBuffer {
    /// Makes room for a packet with `bodyBytes` behind its fixed header, and appends that header.
    mutating func appendFixedHeader(_ type: PacketType, flags: UInt8 = 0, bodyBytes: Int) {
        _ = reserve(bodyBytes + 5)
        append(type.rawValue << 4 | flags)
        append(variableByteInteger: bodyBytes)
    }
}
