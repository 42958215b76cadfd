/// Values by their type: what is read, what is refused, and in which words.
extension ConfigurationDraft {
    /// Refuses a directive without a value; true if it did.
    mutating func rejectEmpty(_ statement: Statement, _ reading: Directive.Reading) -> Bool {
        guard statement.value.isEmpty else { return false }
        report(.error, at: statement.location, "\(statement.name.quoted) needs \(reading.usage)")
        return true
    }

    /// Reads the value as its type says and puts it where it belongs; false, with a complaint, if it cannot be.
    mutating func put(_ reading: Directive.Reading, _ statement: Statement) -> Bool {
        switch reading {
        case .text(_, let put), .own(_, let put):
            put(&self, statement)
        case .flag(let put):
            guard let word = oneWord(statement, reading) else { return false }
            guard let flag = Self.flag(word) else {
                reportMismatch(statement, word, reading)
                return false
            }
            put(&self, flag)
        case .word(let words, let put):
            guard let word = oneWord(statement, reading) else { return false }
            guard words.contains(word) else {
                reportMismatch(statement, word, reading)
                return false
            }
            put(&self, word)
        case .number(let range, _, let put):
            guard let word = oneWord(statement, reading) else { return false }
            guard let number = Self.number(word), range.contains(number) else {
                reportMismatch(statement, word, reading)
                return false
            }
            put(&self, number)
        }
        return true
    }

    /// The only word of the value. mosquitto overlooks what follows; we refuse it, but for what is meant as a
    /// comment.
    mutating func oneWord(_ statement: Statement, _ reading: Directive.Reading) -> String? {
        let words = withoutComment(statement)
        guard let first = words.first else {
            report(.error, at: statement.location, "\(statement.name.quoted) needs \(reading.usage)")
            return nil
        }
        guard words.count == 1 else {
            report(
                .error, at: statement.location,
                "\(statement.name.quoted) takes \(reading.usage); \(words[1].quoted) is too much")
            return nil
        }
        return first
    }

    /// The words before one that begins with `#`, with a warning: a comment has a line of its own, and a directive
    /// that takes a text would take it for part of the text.
    mutating func withoutComment(_ statement: Statement) -> [String] {
        let words = statement.words
        guard let start = words.firstIndex(where: { $0.hasPrefix("#") }), start > 0 else { return words }
        report(
            .warning, at: statement.location,
            "a comment has a line of its own; what follows the # is taken for one here")
        return Array(words[..<start])
    }

    mutating func reportMismatch(_ statement: Statement, _ word: String, _ reading: Directive.Reading) {
        report(
            .error, at: statement.location,
            "\(statement.name.quoted) takes \(reading.usage), not \(word.quoted)\(reading.hint(for: word))")
    }

    /// mosquitto's truth values.
    private static func flag(_ word: String) -> Bool? {
        switch word {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }

    /// A decimal number with digits and at most one minus sign; nil for one that no register holds.
    static func number(_ word: String) -> Int? {
        word.hasPrefix("+") ? nil : Int(word)
    }
}

extension Directive.Reading {
    /// What the directive takes, as a clause for messages.
    var usage: String {
        switch self {
        case .flag: return "true or false"
        case .word(let words, _): return words.joined(separator: " or ")
        case .text(let what, _): return what
        case .own(let usage, _): return usage
        case .number(let range, let unit, _):
            let tail = unit.isEmpty ? "" : unit == "a second" ? " \(unit)" : " (\(unit))"
            return "a number from \(range.lowerBound) to \(range.upperBound)\(tail)"
        }
    }

    /// What was meant, where that can be guessed.
    fileprivate func hint(for word: String) -> String {
        switch self {
        case .flag:
            switch word.lowercased() {
            case "true", "yes", "on", "enable", "enabled": return "; write true"
            case "false", "no", "off", "disable", "disabled": return "; write false"
            default: return ""
            }
        case .word(let words, _):
            return NearestName.of(word, in: words).map { "; did you mean \"\($0)\"?" } ?? ""
        case .number:
            let isQuantity = word.first?.isNumber == true && word.last?.isLetter == true
            return isQuantity ? "; write it without a unit" : ""
        case .text, .own: return ""
        }
    }
}
