import Testing

/// Documentation ships with the declaration (STYLE §3).
@Suite struct DocumentationTests {
    private static let access: Set<Substring> = ["package", "public"]
    private static let kinds: Set<Substring> = ["struct", "enum", "class", "protocol", "actor", "func"]
    private static let modifiers: Set<Substring> = [
        "static", "mutating", "final", "indirect", "consuming", "borrowing", "nonisolated",
    ]
    /// Words of the standard library and of the codecs, said the same way everywhere.
    private static let plain: Set<String> = [
        "==", "<", "hash", "next", "makeIterator", "encode", "decode", "append", "description",
    ]

    /// Kind and name of a declaration that other modules see; nil for other lines.
    private func declaration(_ line: String) -> (kind: Substring, name: String)? {
        var words = line.split(separator: " ")[...]
        while let word = words.first, word.hasPrefix("@") { words.removeFirst() }
        guard let access = words.first, Self.access.contains(access) else { return nil }
        words.removeFirst()
        while let word = words.first, Self.modifiers.contains(word) { words.removeFirst() }
        guard words.count >= 2, let kind = words.first, Self.kinds.contains(kind) else { return nil }
        let name = words[words.startIndex + 1].prefix { !"(<:{".contains($0) || ($0 == "<" && kind == "func") }
        return (kind, String(name))
    }

    /// The functions that protocols of ours ask for: documented there, not at each witness.
    private var witnesses: Set<String> {
        var names: Set<String> = []
        for file in SourceTree.sources {
            var isInProtocol = false
            for line in file.code {
                if line.contains("protocol ") { isInProtocol = true }
                if line.hasPrefix("}") { isInProtocol = false }
                guard isInProtocol, let range = line.firstRange(of: "func ") else { continue }
                names.insert(String(line[range.upperBound...].prefix { $0.isLetter || $0.isNumber }))
            }
        }
        return names
    }

    @Test("Each type and function that other modules see says what it is")
    func typesAndFunctions() {
        let witnesses = witnesses
        var faults: [String] = []
        for file in SourceTree.sources where file.module != "dormouse" {
            for (index, line) in file.code.enumerated() {
                guard let (kind, name) = declaration(line) else { continue }
                if kind == "func", Self.plain.contains(name) || witnesses.contains(name) { continue }
                var above = index - 1
                while above >= 0, isAttribute(file.lines[above]) { above -= 1 }
                guard above < 0 || !file.lines[above].contains("///") else { continue }
                faults.append(place(file, index, "\(kind) \(name)"))
            }
        }
        #expect(faults == [])
    }

    private func isAttribute(_ line: String) -> Bool {
        line.drop { $0 == " " }.hasPrefix("@")
    }
}
