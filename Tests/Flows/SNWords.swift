/// A message of MQTT-SN in words: what `SNPacket.description` prints, but with its data and with names of any length,
/// and readable again.
///
///     PUBLISH qos=1 topicID=0x0002 msgID=7 data='21.5'
///
/// A field that is left out has the value that `Layout` gives it: `CONNACK` alone is the one that accepts. Bytes stand
/// between apostrophes, with `\xc3`, `\\` and `\'` in them, and `'ab'*100` is 200 bytes. It is a codec of its own,
/// made of one table, so that the flows hold the gateway's codec against something.
struct SNWords: Equatable, CustomStringConvertible {
    struct Field: Equatable {
        var name: String
        /// In its only form: `0x0001` of a topic id, `60s` of a duration, bytes with their apostrophes. Empty for a
        /// flag that is set. A flow may have `$name` here.
        var value: String

        var text: String { value.isEmpty ? name : "\(name)=\(value)" }
    }

    /// What was wrong with a text.
    struct Malformed: Error, CustomStringConvertible {
        var description: String
    }

    var name: String
    /// In the order in which the description prints them.
    var fields: [Field]

    subscript(field: String) -> String? {
        get { fields.first { $0.name == field }?.value }
        set {
            fields.removeAll { $0.name == field }
            if let newValue { fields.append(Field(name: field, value: newValue)) }
        }
    }

    var description: String {
        ([name] + fields.map(\.text)).joined(separator: " ")
    }

    /// Reads a text, and gives fields that are left out their usual values.
    init(_ text: String) throws {
        let words = try Words.split(text)
        guard let name = words.first, let layouts = Layout.all[name] else {
            throw Malformed(description: "no message of MQTT-SN: \(text)")
        }
        let given = words.dropFirst().map(Field.init)
        let isKnown = { (layout: Layout) in
            given.allSatisfy { field in layout.columns.contains { $0.name == field.name } }
        }
        guard let layout = layouts.first(where: isKnown) else {
            throw Malformed(description: "not the fields of \(name): \(text)")
        }
        self.name = name
        fields = try layout.columns.compactMap { column in
            if let field = given.first(where: { $0.name == column.name }) {
                return Field(name: field.name, value: try column.canonical(field.value))
            }
            if column.isOptional { return nil }
            guard let value = column.fallback else {
                throw Malformed(description: "\(name) needs \(column.name): \(text)")
            }
            return Field(name: column.name, value: value)
        }
    }

    /// Reads a message as it passes the wire; nil if it is none.
    init?(_ bytes: [UInt8]) {
        var body = bytes[...]
        guard let first = body.popFirst() else { return nil }
        var length = Int(first)
        if first == 1 {
            guard body.count >= 3 else { return nil }
            length = Int(body.removeFirst()) << 8 | Int(body.removeFirst())
        }
        guard length == bytes.count, let type = body.popFirst() else { return nil }
        guard let (name, layouts) = Layout.all.first(where: { $0.value[0].type == type }) else { return nil }
        for layout in layouts {
            guard let fields = layout.read(body) else { continue }
            self.name = name
            self.fields = fields
            return
        }
        return nil
    }

    /// The message as it passes the wire.
    func bytes() throws -> [UInt8] {
        guard let layouts = Layout.all[name],
            let layout = layouts.first(where: { layout in
                fields.allSatisfy { field in layout.columns.contains { $0.name == field.name } }
            })
        else { throw Malformed(description: "no message: \(self)") }
        let body = try layout.write(fields)
        if body.count + 2 <= 255 { return [UInt8(body.count + 2), layout.type] + body }
        let length = body.count + 4
        return [1, UInt8(length >> 8), UInt8(length & 0xFF), layout.type] + body
    }
}

extension SNWords.Field {
    init(_ word: String) {
        if let sign = word.firstIndex(of: "=") {
            self.init(name: String(word[..<sign]), value: String(word[word.index(after: sign)...]))
        } else {
            self.init(name: word, value: "")
        }
    }
}

/// Words between spaces, of which there may be some between apostrophes.
enum Words {
    static func split(_ text: String) throws -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        var isEscaped = false
        for character in text {
            if character == " ", !isQuoted {
                if !word.isEmpty { words.append(word) }
                word = ""
                continue
            }
            if character == "'", !isEscaped { isQuoted.toggle() }
            isEscaped = isQuoted && character == "\\" && !isEscaped
            word.append(character)
        }
        guard !isQuoted else { throw SNWords.Malformed(description: "an apostrophe too few: \(text)") }
        return word.isEmpty ? words : words + [word]
    }

    /// The bytes of `'text'` or `'text'*3`.
    static func bytes(_ quoted: String) throws -> [UInt8] {
        let malformed = SNWords.Malformed(description: "not bytes: \(quoted)")
        var rest = Array(quoted.utf8)[...]
        guard rest.popFirst() == UInt8(ascii: "'") else { throw malformed }
        var bytes: [UInt8] = []
        while let byte = rest.popFirst(), byte != UInt8(ascii: "'") {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard let escaped = rest.popFirst() else { throw malformed }
            guard escaped == UInt8(ascii: "x") else {
                bytes.append(escaped)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                throw malformed
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard !rest.isEmpty else { return bytes }
        guard rest.popFirst() == UInt8(ascii: "*"), let count = Int(String(decoding: rest, as: UTF8.self)) else {
            throw malformed
        }
        return Array(repeatElement(bytes, count: count).joined())
    }

    static func quoted(_ bytes: some Sequence<UInt8>) -> String {
        var text = "'"
        for byte in bytes {
            switch byte {
            case 0x5C: text += "\\\\"
            case 0x20...0x7E: text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16)
                text += "\\x" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return text + "'"
    }
}
