internal import Bytes

/// One line that says something: a directive's name and the rest of the line, without blanks around them.
struct Statement: Equatable {
    var location: FileLocation
    /// The first word as it is written.
    var name: String
    /// What follows it, well-formed UTF-8 without control characters but tabs.
    var value: [UInt8]

    /// The value for people and for the control plane; never for topics, which stay bytes.
    var text: String { String(decoding: value, as: UTF8.self) }

    /// The words of the value.
    var words: [String] {
        value.split { $0.isBlank }.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension UInt8 {
    /// A space or a tab.
    fileprivate var isBlank: Bool { self == 0x20 || self == 0x09 }
}

extension Statement {
    /// The longest line, in bytes: mosquitto takes 65,535 for a value.
    static let lineBytesMax = 65_536

    /// What one line of a file turns out to be.
    enum Line: Equatable {
        /// Empty or a comment.
        case nothing
        case statement(Statement)
        case fault(String)
    }

    /// Reads one line, without its line feed. mosquitto's rules: a comment has its `#` in the first column, a
    /// carriage return at the end belongs to the line break, blanks before the name and around the value do not
    /// count.
    static func read(_ raw: ArraySlice<UInt8>, at location: FileLocation) -> Line {
        let line = raw.dropTrailing { $0 == 0x0D }
        guard line.count <= lineBytesMax else { return .fault("the line is longer than \(lineBytesMax) bytes") }
        if line.contains(0) { return .fault("the line has a NUL byte: is this a text file?") }
        if line.first == UInt8(ascii: "#") { return .nothing }
        let content = line.drop { $0.isBlank }.dropTrailing { $0.isBlank }
        guard let first = content.first else { return .nothing }
        guard isText(content) else { return .fault("the line is not well-formed UTF-8") }
        if let control = content.first(where: { $0 < 0x20 && !$0.isBlank || $0 == 0x7F }) {
            return .fault("the line has a control character, 0x\(hexDigit(control >> 4))\(hexDigit(control))")
        }
        if first == UInt8(ascii: "#") {
            return .fault("a comment begins in the first column: move the # there")
        }
        let name = content.prefix { !$0.isBlank }
        let value = content.dropFirst(name.count).drop { $0.isBlank }
        return .statement(
            Statement(location: location, name: String(decoding: name, as: UTF8.self), value: Array(value)))
    }

    private static func isText(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.withUnsafeBytes { ByteView($0).isMQTTString }
    }
}

extension ArraySlice<UInt8> {
    /// All but the bytes at the end that `matches` says yes to.
    fileprivate func dropTrailing(while matches: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        var end = endIndex
        while end > startIndex, matches(self[end - 1]) { end -= 1 }
        return self[startIndex..<end]
    }
}
