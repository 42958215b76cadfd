package import Bytes

/// What a frame is (RFC 6455 §5.2).
package enum Opcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    /// Whether it speaks of the connection: such frames are short, whole, and may stand inside a message.
    package var isControl: Bool { rawValue & 0x8 != 0 }
}

/// The head of a frame of ours: servers do not mask (RFC 6455 §5.1).
package enum FrameHeader {
    /// Writes the head of a frame of `count` bytes, in the shortest form.
    package static func append(
        _ opcode: Opcode, isFinal: Bool = true, count: Int, to output: inout OutputBuffer
    ) {
        output.append((isFinal ? 0x80 : 0) | opcode.rawValue)
        switch count {
        case ...125: output.append(UInt8(count))
        case ...0xFFFF:
            output.append(UInt8(126))
            output.append(UInt16(count))
        default:
            output.append(UInt8(127))
            output.append(UInt32(count >> 32))
            output.append(UInt32(truncatingIfNeeded: count))
        }
    }
}
