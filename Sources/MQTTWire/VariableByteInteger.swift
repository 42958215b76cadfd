package import Bytes

/// Numbers of one to four bytes, seven bits in each: MQTT 5.0 §1.5.5.
package enum VariableByteInteger {
    /// The largest number that four bytes hold.
    package static let max: UInt32 = 268_435_455

    /// How many bytes `value` takes, 1 to 4; `value` must be `max` at most.
    @inlinable
    package static func byteCount(of value: Int) -> Int {
        switch value {
        case ..<0x80: 1
        case ..<0x4000: 2
        case ..<0x20_0000: 3
        default: 4
        }
    }
}

extension ByteReader {
    /// The next Variable Byte Integer.
    ///
    /// - Throws: `malformedVarint` for more than four bytes or more than needed [MQTT-1.5.5-1], `truncated`.
    package mutating func readVariableByteInteger() throws(MQTTDecodeError) -> UInt32 {
        guard let first = readUInt8() else { throw .truncated }
        if first < 0x80 { return UInt32(first) }
        var value = UInt32(first & 0x7F)
        var shift: UInt32 = 7
        while shift <= 21 {
            guard let byte = readUInt8() else { throw .truncated }
            value |= UInt32(byte & 0x7F) << shift
            if byte < 0x80 {
                if byte == 0 { throw .malformedVarint }  // [MQTT-1.5.5-1]
                return value
            }
            shift += 7
        }
        throw .malformedVarint
    }
}

extension OutputBuffer {
    /// Appends a Variable Byte Integer; the number must be `VariableByteInteger.max` at most.
    package mutating func append(variableByteInteger value: Int) {
        precondition(value >= 0 && value <= Int(VariableByteInteger.max))
        var rest = UInt32(value)
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}
