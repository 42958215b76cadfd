internal import Bytes

/// The little of HTTP's grammar that a handshake needs (RFC 9110 §5.6).
extension ByteView {
    /// Takes a line and its CRLF from the front; all that is left where none ends.
    mutating func nextLine() -> ByteView {
        let end = firstIndex(of: 0x0D) ?? count
        defer { self = dropFirst(end + 2) }
        return self[0..<end]
    }

    func firstIndex(of byte: UInt8) -> Int? { memory.firstIndex(of: byte) }

    func lastIndex(of byte: UInt8) -> Int? { memory.lastIndex(of: byte) }

    /// Without the blanks and tabs at both ends.
    var trimmed: ByteView {
        var range = 0..<count
        while let first = range.first, self[first].isBlank { range.removeFirst() }
        while let last = range.last, self[last].isBlank { range.removeLast() }
        return self[range]
    }

    func isEqual(_ text: StaticString) -> Bool {
        self == ByteView(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    func hasPrefix(_ text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount && self[0..<text.utf8CodeUnitCount].isEqual(text)
    }

    /// Whether both are the same but for the case of ASCII letters.
    func isEqualIgnoringCase(_ other: ByteView) -> Bool {
        count == other.count && memory.indices.allSatisfy { self[$0].lowercased == other[$0].lowercased }
    }

    func isEqualIgnoringCase(_ text: StaticString) -> Bool {
        isEqualIgnoringCase(ByteView(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Whether an item of this list, separated by commas, passes the test.
    func listContains(_ test: (ByteView) -> Bool) -> Bool {
        var rest = self
        while true {
            let end = rest.firstIndex(of: 0x2C) ?? rest.count
            if test(rest[0..<end].trimmed) { return true }
            guard end < rest.count else { return false }
            rest = rest.dropFirst(end + 1)
        }
    }

    /// Whether this is the base64 of sixteen bytes: 22 digits and two signs of padding.
    var isHandshakeKey: Bool {
        count == 24 && self[22..<24].isEqual("==") && self[0..<22].memory.allSatisfy { $0.isBase64Digit }
    }
}

extension UInt8 {
    fileprivate var lowercased: UInt8 { isUpper ? self | 0x20 : self }

    private var isUpper: Bool { (0x41...0x5A).contains(self) }

    private var isLetter: Bool { isUpper || (0x61...0x7A).contains(self) }

    fileprivate var isBlank: Bool { self == 0x20 || self == 0x09 }

    var isDigit: Bool { (0x30...0x39).contains(self) }

    fileprivate var isBase64Digit: Bool { isLetter || isDigit || self == 0x2B || self == 0x2F }

    /// `tchar`: what names, methods and tokens are made of (RFC 9110 §5.6.2).
    var isTokenCharacter: Bool {
        if isLetter || isDigit { return true }
        switch self {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: return true
        default: return false
        }
    }
}
