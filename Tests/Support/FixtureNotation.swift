package import Bytes
internal import Foundation

/// One case of a file in Fixtures/: bytes as they pass the wire, and what they mean.
///
/// The JSON is an array of objects with these members. `packet` or `error` is present, never both.
package struct PacketVector: Decodable, Sendable, CustomStringConvertible {
    /// What the case shows, in a few words; unique within its file.
    package var name: String
    /// The normative statement, section or attack case behind it.
    package var tag: String
    /// The protocol version whose rules apply, as in `5.0`.
    package var version: String
    /// The bytes in fixture notation, as `FixtureNotation.bytes(_:)` reads it.
    package var hex: String
    /// The packet's canonical description.
    package var packet: String?
    /// The name of the error's case.
    package var error: String?
    /// Whether encoding the packet gives the same bytes again; true when left out.
    package var canonical: Bool?

    package var description: String { "\(version) \(name) [\(tag)]" }
}

/// The notation for bytes in fixtures, documents and traces.
///
/// - `10 0d` hexadecimal digits in pairs; spaces and `|` are for the eye: `0004` is two bytes.
/// - `'MQTT'` the ASCII bytes between the quotes.
/// - `00*300` the bytes of the token before, repeated; `(26 0001 'a' 0001 'b')*33` for more than one token.
package enum FixtureNotation {
    /// A text that is not in the notation.
    package struct Malformed: Error, CustomStringConvertible {
        package var text: String
        package var offset: Int
        package var description: String { "not fixture notation at \(offset): \(text)" }
    }

    /// The bytes that `text` stands for.
    package static func bytes(_ text: String) throws -> [UInt8] {
        var parser = Parser(text: text)
        return try parser.parse()
    }

    /// The cases of every JSON file in `Fixtures/<folder>`, in the files' alphabetical order.
    package static func vectors(in folder: String) throws -> [PacketVector] {
        let directory = fixtures.appendingPathComponent(folder)
        let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "json" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
        return try files.flatMap { try vectors(inFile: folder + "/" + $0.lastPathComponent) }
    }

    /// The cases of one file, named from `Fixtures/` on: `mqtt/connect.json`.
    package static func vectors(inFile path: String) throws -> [PacketVector] {
        try JSONDecoder().decode([PacketVector].self, from: Data(contentsOf: fixtures.appendingPathComponent(path)))
    }

    /// The folder Fixtures, found from where this file lies.
    private static var fixtures: URL {
        URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures")
    }
}

/// A descent through groups and tokens.
private struct Parser {
    private let text: String
    private let characters: [UInt8]
    private var index = 0

    init(text: String) {
        self.text = text
        characters = Array(text.utf8)
    }

    mutating func parse() throws -> [UInt8] {
        let bytes = try parseSequence()
        guard index == characters.count else { throw malformed }
        return bytes
    }

    /// Tokens and groups up to the end or a closing parenthesis.
    private mutating func parseSequence() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let character = peek, character != UInt8(ascii: ")") {
            if character == UInt8(ascii: " ") || character == UInt8(ascii: "|") {
                index += 1
                continue
            }
            let token = try parseToken(character)
            bytes += try Array(repeatElement(token, count: parseRepetition()).joined())
        }
        return bytes
    }

    private mutating func parseToken(_ first: UInt8) throws -> [UInt8] {
        switch first {
        case UInt8(ascii: "'"): return try parseQuoted()
        case UInt8(ascii: "("):
            index += 1
            let bytes = try parseSequence()
            guard peek == UInt8(ascii: ")") else { throw malformed }
            index += 1
            return bytes
        default: return try parseHex()
        }
    }

    private mutating func parseQuoted() throws -> [UInt8] {
        index += 1
        guard let end = characters[index...].firstIndex(of: UInt8(ascii: "'")) else { throw malformed }
        defer { index = end + 1 }
        return Array(characters[index..<end])
    }

    private mutating func parseHex() throws -> [UInt8] {
        var digits: [UInt8] = []
        while let character = peek, let digit = Character(Unicode.Scalar(character)).hexDigitValue {
            digits.append(UInt8(digit))
            index += 1
        }
        guard !digits.isEmpty, digits.count.isMultiple(of: 2) else { throw malformed }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// `*N` behind a token; 1 without it.
    private mutating func parseRepetition() throws -> Int {
        guard peek == UInt8(ascii: "*") else { return 1 }
        index += 1
        var count = 0
        let start = index
        while let character = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) {
            count = count * 10 + Int(character - UInt8(ascii: "0"))
            index += 1
        }
        guard index > start, count <= 1_000_000 else { throw malformed }
        return count
    }

    private var peek: UInt8? { index < characters.count ? characters[index] : nil }

    private var malformed: FixtureNotation.Malformed { FixtureNotation.Malformed(text: text, offset: index) }
}

extension FixtureNotation {
    /// Bytes as a word of a packet's description: printable ASCII as it is, `''` for none, `<300 bytes>` for more than
    /// 64, `0x…` for everything that is not plain: spaces, quotes, parentheses, `=` and other bytes.
    package static func word(_ view: ByteView) -> String {
        if view.isEmpty { return "''" }
        if view.count > 64 { return "<\(view.count) bytes>" }
        let isPlain = view.memory.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && !"'()=".utf8.contains(byte)
        }
        let text = String(decoding: view.memory, as: UTF8.self)
        return isPlain && !text.hasPrefix("0x") && !text.hasPrefix("<") ? text : "0x" + hex(view)
    }

    /// Bytes as pairs of hexadecimal digits without spaces.
    package static func hex(_ view: ByteView) -> String {
        view.memory.map { String([hexDigit($0 >> 4), hexDigit($0)]) }.joined()
    }
}
