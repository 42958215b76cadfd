import Testing

/// Our own tree, held against STYLE.
@Suite struct TidyTests {
    @Test("No file has more than 600 lines")
    func fileLength() {
        #expect(SourceTree.swift.count > 100)
        let faults = SourceTree.swift.filter { $0.lines.count > 601 }.map { "\($0.path): \($0.lines.count) lines" }
        #expect(faults == [])
    }

    @Test("No line has more than 120 characters")
    func lineLength() {
        var faults: [String] = []
        for file in SourceTree.swift {
            for (index, line) in file.lines.enumerated() where line.count > 120 {
                faults.append(place(file, index, "\(line.count) characters"))
            }
        }
        #expect(faults == [])
    }

    @Test("No function has more than 70 lines")
    func functionLength() {
        var faults: [String] = []
        for file in SourceTree.swift {
            for (start, line) in file.code.enumerated() where beginsFunction(line) {
                guard let end = endOfBody(file.code, from: start), end - start + 1 > 70 else { continue }
                faults.append(place(file, start, "\(end - start + 1) lines"))
            }
        }
        #expect(faults == [])
    }

    private func beginsFunction(_ line: String) -> Bool {
        let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
        guard let index = words.firstIndex(where: { $0 == "func" || $0 == "init" }) else { return false }
        // `.init(`, `self.init(` and `init` as an argument are calls.
        let before = line[..<words[index].startIndex]
        return !before.contains { "(.={,".contains($0) }
    }

    /// The line of the brace that closes the first one opened; nil for a declaration without a body.
    private func endOfBody(_ code: [String], from start: Int) -> Int? {
        var parentheses = 0
        var braces = 0
        var hasBody = false
        for index in start..<code.count {
            for character in code[index] {
                switch character {
                case "(": parentheses += 1
                case ")": parentheses -= 1
                case "{" where parentheses == 0 || hasBody:
                    braces += 1
                    hasBody = true
                case "}" where hasBody: braces -= 1
                case "}" where parentheses == 0: return nil
                default: break
                }
                if hasBody, braces == 0 { return index }
            }
            if !hasBody, index > start, code[index].isEmpty { return nil }
        }
        return nil
    }

    /// What must not stand in `Sources`, but in the modules named.
    static let banned: [(pattern: String, modules: Set<String>)] = [
        ("try!", []), ("as!", []), ("fatalError", []), ("import Foundation", []),
        ("ContinuousClock", []), ("SuspendingClock", []), ("Date()", []),
        (".now()", ["Reactor", "dormouse"]), ("clock_gettime", ["Reactor", "Store", "dormouse"]),
        ("random(in", ["dormouse"]), ("SystemRandomNumberGenerator", ["dormouse"]), ("getrandom", ["dormouse"]),
        ("print(", []), ("debugPrint(", []), ("assert(", []), ("Dictionary(grouping", []),
    ]

    @Test("No trap, clock, chance or output where it does not belong")
    func bannedCode() {
        var faults: [String] = []
        for file in SourceTree.sources {
            for (index, line) in file.code.enumerated() {
                for (pattern, modules) in Self.banned where line.contains(pattern) {
                    if let module = file.module, modules.contains(module) { continue }
                    faults.append(place(file, index, pattern))
                }
            }
        }
        #expect(faults == [])
    }

    @Test("No optional is unwrapped by force")
    func forcedUnwrap() {
        var faults: [String] = []
        for file in SourceTree.sources {
            for (index, line) in file.code.enumerated() {
                let characters = Array(line)
                for at in characters.indices.dropFirst() where characters[at] == "!" {
                    let before = characters[at - 1]
                    let after = at + 1 < characters.count ? characters[at + 1] : " "
                    guard before.isLetter || before.isNumber || ")]}_".contains(before), after != "=" else { continue }
                    faults.append(place(file, index, "!"))
                }
            }
        }
        #expect(faults == [])
    }

    @Test("The tree holds finished thoughts: work to be done is an issue")
    func leftovers() {
        let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
        var faults: [String] = []
        for file in SourceTree.swift {
            for (index, line) in file.lines.enumerated() {
                for word in words where line.contains(word) { faults.append(place(file, index, word)) }
            }
        }
        #expect(faults == [])
    }

    @Test("No file names a place on somebody's machine")
    func absolutePaths() {
        let places = ["home", "Users", "root", "work", "tmp/wt"].map { "/" + $0 + "/" }
        var faults: [String] = []
        for file in SourceTree.all {
            for (index, line) in file.lines.enumerated() {
                for name in places where namesPath(line, name) { faults.append(place(file, index, name)) }
            }
        }
        #expect(faults == [])
    }

    /// Whether the text holds the path from the root of the file system on, and not as a part of another one.
    private func namesPath(_ line: String, _ path: String) -> Bool {
        guard let range = line.firstRange(of: path) else { return false }
        guard let before = line[..<range.lowerBound].last else { return true }
        return !(before.isLetter || before.isNumber || "./#+$_-".contains(before))
    }
}
