package import Bytes

/// The keys of clients by their identities, as mosquitto's `psk_file` has them: a line `IDENTITY:KEY` each, the key in
/// hexadecimal digits; lines that begin with `#` are comments.
package struct PreSharedKeys: Equatable, Sendable {
    /// A line that cannot be read.
    package struct Fault: Equatable {
        /// The first line is 1.
        package var line: Int
        /// A clause for people, without anything of a key.
        package var reason: String
    }

    /// OpenSSL's limits, in bytes (PSK_MAX_IDENTITY_LEN, and PSK_MAX_PSK_LEN of its first versions with TLS 1.3).
    package static let identityBytesMax = 256
    package static let keyBytesMax = 256
    /// Keys shorter than this, in bytes, can be found by trying (RFC 9257 §6).
    package static let keyBytesAdvised = 16

    private var keys: [ByteString: SecretBytes] = [:]
    /// The lines with keys that are shorter than they should be.
    package private(set) var weakLines: [Int] = []

    package init() {}

    /// Reads a file's content. What can be read is there in spite of faults in other lines.
    package init(_ content: [UInt8], faults: inout [Fault]) {
        let lines = content.split(separator: 0x0A, omittingEmptySubsequences: false)
        for (index, raw) in lines.enumerated() {
            let line = raw.trimmed
            guard let first = line.first, first != UInt8(ascii: "#") else { continue }
            if let reason = add(line, number: index + 1) { faults.append(Fault(line: index + 1, reason: reason)) }
        }
    }

    /// How many identities have a key.
    package var count: Int { keys.count }

    /// The key of an identity; nil for an unknown one.
    package func key(of identity: ByteString) -> SecretBytes? { keys[identity] }

    /// Gives an identity a key, instead of the one it has.
    package mutating func set(_ identity: ByteString, key: [UInt8]) {
        keys[identity] = SecretBytes(key)
    }

    /// Takes one line; what is wrong with it.
    private mutating func add(_ line: ArraySlice<UInt8>, number: Int) -> String? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            return "no colon: a line is IDENTITY:KEY, the key in hexadecimal digits"
        }
        let identity = ByteString(Array(line[..<colon]))
        guard !identity.isEmpty, identity.count <= Self.identityBytesMax else {
            return "the identity must have 1 to \(Self.identityBytesMax) bytes"
        }
        guard identity.withView({ $0.isMQTTString }) else { return "the identity is no well-formed UTF-8" }
        guard let key = Self.bytes(ofHexadecimal: line[(colon + 1)...]), !key.isEmpty else {
            return "the key must be hexadecimal digits, two for each byte"
        }
        guard key.count <= Self.keyBytesMax else { return "the key has more than \(Self.keyBytesMax) bytes" }
        guard keys[identity] == nil else { return "the identity \(identity) has a key already" }
        keys[identity] = SecretBytes(key)
        if key.count < Self.keyBytesAdvised { weakLines.append(number) }
        return nil
    }

    private static func bytes(ofHexadecimal digits: ArraySlice<UInt8>) -> [UInt8]? {
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: digits.startIndex, to: digits.endIndex, by: 2) {
            guard let high = value(of: digits[index]), let low = value(of: digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}

extension ArraySlice<UInt8> {
    /// Without blanks and carriage returns at its end, and blanks at its beginning.
    fileprivate var trimmed: ArraySlice<UInt8> {
        var rest = drop { $0 == 0x20 || $0 == 0x09 }
        while let last = rest.last, last == 0x20 || last == 0x09 || last == 0x0D { rest.removeLast() }
        return rest
    }
}
