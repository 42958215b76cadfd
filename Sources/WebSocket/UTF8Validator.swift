package import Bytes

/// Whether bytes that come in parts are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
///
/// Unlike MQTT's strings a WebSocket's text may hold U+0000. The first byte that cannot be right is noticed at once.
package struct UTF8Validator {
    /// Bytes of a character that are still to come.
    private var missing = 0
    /// The least and the greatest value of the next of them.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    package init() {}

    /// Whether the bytes so far end with a whole character.
    package var isComplete: Bool { missing == 0 }

    /// Takes the next bytes. False if they cannot be UTF-8; then the validator is of no more use.
    package mutating func take(_ bytes: ByteView) -> Bool {
        for byte in bytes.memory {
            if missing == 0 {
                guard begin(byte) else { return false }
            } else {
                guard byte >= lowest, byte <= highest else { return false }
                (lowest, highest) = (0x80, 0xBF)
                missing -= 1
            }
        }
        return true
    }

    private mutating func begin(_ lead: UInt8) -> Bool {
        switch lead {
        case 0...0x7F: return true
        case 0xC2...0xDF: missing = 1
        case 0xE0...0xEF:
            missing = 2
            if lead == 0xE0 { lowest = 0xA0 }
            if lead == 0xED { highest = 0x9F }
        case 0xF0...0xF4:
            missing = 3
            if lead == 0xF0 { lowest = 0x90 }
            if lead == 0xF4 { highest = 0x8F }
        default: return false
        }
        return true
    }
}
