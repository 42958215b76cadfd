import Bytes
import DeviceCore
import Glibc
import Messaging

/// What is printed of a message: mosquitto_sub's formats, as far as they make sense for a device.
struct SNFormat {
    private var parts: [Part] = []

    private enum Part {
        case text([UInt8])
        /// `%t`: the name, or the predefined id in decimal.
        case topic
        /// `%p`: the payload as it came.
        case payload
        /// `%x` and `%X`: the payload in hexadecimal.
        case hex(isUpper: Bool)
        /// `%q`
        case qos
        /// `%r`
        case retain
        /// `%l`: the payload's length in bytes.
        case length
        /// `%U`: seconds since 1970, with nine decimals.
        case time
    }

    static let help = """
        Print messages so: %t topic (or predefined id), %p payload, %x %X payload in hexadecimal, %l its length, \
        %q QoS, %r retain, %U time, %%, \\n, \\t, \\0, \\\\, …
        """

    /// Nil for a sequence that means nothing.
    init?(_ format: String) {
        var text: [UInt8] = []
        var bytes = Array(format.utf8)[...]
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "%") || byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let letter = bytes.popFirst() else { return nil }
            if let character = Self.character(byte, letter) {
                text.append(character)
                continue
            }
            guard byte == UInt8(ascii: "%"), let part = Self.part(letter) else { return nil }
            if !text.isEmpty { parts.append(.text(text)) }
            text = []
            parts.append(part)
        }
        if !text.isEmpty { parts.append(.text(text)) }
    }

    private static func part(_ letter: UInt8) -> Part? {
        switch letter {
        case UInt8(ascii: "t"): .topic
        case UInt8(ascii: "p"): .payload
        case UInt8(ascii: "x"): .hex(isUpper: false)
        case UInt8(ascii: "X"): .hex(isUpper: true)
        case UInt8(ascii: "q"): .qos
        case UInt8(ascii: "r"): .retain
        case UInt8(ascii: "l"): .length
        case UInt8(ascii: "U"): .time
        default: nil
        }
    }

    /// The character that two characters stand for.
    private static func character(_ mark: UInt8, _ letter: UInt8) -> UInt8? {
        if mark == UInt8(ascii: "%") { return letter == mark ? mark : nil }
        return switch letter {
        case UInt8(ascii: "\\"): mark
        case UInt8(ascii: "0"): 0
        case UInt8(ascii: "a"): 0x07
        case UInt8(ascii: "e"): 0x1B
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "v"): 0x0B
        default: nil
        }
    }

    /// The bytes to print, without the end of the line.
    func bytes(of message: Device.Received) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in parts {
            switch part {
            case .text(let text): bytes += text
            case .topic: bytes += message.topic.bytes
            case .payload: bytes += message.payload.bytes
            case .hex(let isUpper):
                let digits = message.payload.hexadecimal
                bytes += (isUpper ? digits.uppercased() : digits).utf8
            case .qos: bytes += String(message.qos.rawValue).utf8
            case .retain: bytes += message.retain ? [UInt8(ascii: "1")] : [UInt8(ascii: "0")]
            case .length: bytes += String(message.payload.count).utf8
            case .time: bytes += unixTime.utf8
            }
        }
        return bytes
    }

    private var unixTime: String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let fraction = String(time.tv_nsec)
        return "\(time.tv_sec)." + String(repeating: "0", count: 9 - fraction.utf8.count) + fraction
    }
}
