/// Bytes that are kept: a client id, a topic filter, a user name.
///
/// Compared and ordered byte for byte, never as text: `String` would call composed and decomposed forms equal
/// and repair bad UTF-8 (DESIGN §6). Printing escapes everything but plain ASCII.
public struct ByteString: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
    /// The bytes themselves.
    public var bytes: [UInt8]

    public init(_ bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    /// A copy of what the view shows.
    public init(_ view: ByteView) {
        bytes = Array(view.memory)
    }

    /// The UTF-8 bytes of a text of ours.
    public init(_ text: String) {
        bytes = Array(text.utf8)
    }

    public init(stringLiteral text: StaticString) {
        bytes = text.withUTF8Buffer { Array($0) }
    }

    public var count: Int { bytes.count }
    public var isEmpty: Bool { bytes.isEmpty }

    /// Lends the bytes to `body`; the view must not leave it.
    @inlinable
    public func withView<Result>(_ body: (ByteView) throws -> Result) rethrows -> Result {
        try bytes.withUnsafeBytes { try body(ByteView($0)) }
    }

    public static func < (left: ByteString, right: ByteString) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

extension ByteString: CustomStringConvertible {
    /// The bytes for logs: printable ASCII as it is, everything else as `\xNN`, so that no peer can write
    /// line breaks or terminal escapes into a log (attack case 20).
    public var description: String {
        withView { $0.escaped }
    }
}

extension ByteView {
    /// The bytes for logs, escaped as `ByteString.description` does.
    public var escaped: String {
        var text = ""
        for byte in memory {
            switch byte {
            case 0x5C: text += "\\\\"
            case 0x20...0x7E: text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "\\x"
                text.append(hexDigit(byte >> 4))
                text.append(hexDigit(byte & 0x0F))
            }
        }
        return text
    }
}

extension ByteString {
    /// The bytes as lower-case hexadecimal digits, two for each.
    package var hexadecimal: String {
        String(bytes.flatMap { [hexDigit($0 >> 4), hexDigit($0)] })
    }
}

/// One lower-case hexadecimal digit for the low four bits of `nibble`.
public func hexDigit(_ nibble: UInt8) -> Character {
    let low = nibble & 0x0F
    return Character(Unicode.Scalar(low < 10 ? 0x30 + low : 0x57 + low))
}
