internal import Bytes

/// An `acl_file` as mosquitto 2 reads it.
///
/// `topic [read|write|readwrite|deny] FILTER` below `user NAME` is that user's, above the first `user` it is for
/// clients without a user name; `pattern [...] FILTER` is for everybody, with `%c` for the client id and `%u` for the
/// user name. Filters and names go to the end of the line, blanks inside included. Lines that begin with `#` and empty
/// lines say nothing.
package struct AccessFile: Sendable {
    /// What the lines without a fault say.
    package let rules: AccessRules
    /// How many rules these are.
    package let count: Int
    /// Lines, counted from 1, and what is wrong with them, in a clause.
    package let faults: [(line: Int, reason: String)]

    package init(_ bytes: [UInt8]) {
        var reading = AccessFileReading()
        var rest = bytes[...]
        var number = 0
        while !rest.isEmpty {
            let line = rest.prefix { $0 != 0x0A }
            rest = rest.dropFirst(line.count + 1)
            number += 1
            do throws(AccessFileFault) {
                try reading.read(line.trimmingBlanks(atStart: false))
            } catch {
                reading.faults.append((number, error.reason))
            }
        }
        rules = AccessRules(anonymous: reading.anonymous, users: reading.users, patterns: reading.patterns)
        count = reading.count
        faults = reading.faults
    }
}

private struct AccessFileFault: Error {
    var reason: String
}

/// The file while it is read.
private struct AccessFileReading {
    var anonymous: [AccessRules.Rule] = []
    var users: [ByteString: [AccessRules.Rule]] = [:]
    var patterns: [AccessRules.Rule] = []
    var count = 0
    var faults: [(line: Int, reason: String)] = []
    /// Whom `topic` speaks of.
    private var user: ByteString?

    /// One line, without blanks at its end.
    mutating func read(_ line: ArraySlice<UInt8>) throws(AccessFileFault) {
        guard let first = line.first, first != UInt8(ascii: "#") else { return }
        guard !line.contains(0) else { throw AccessFileFault(reason: "a NUL byte stands in the line") }
        var rest = line
        let keyword = rest.takeWord()
        switch String(decoding: keyword, as: UTF8.self) {
        case "user":
            guard !rest.isEmpty else { throw AccessFileFault(reason: "\"user\" needs a name") }
            user = ByteString(Array(rest))
        case "topic":
            let rule = try Self.rule(rest, "topic")
            if let user { users[user, default: []].append(rule) } else { anonymous.append(rule) }
            count += 1
        case "pattern":
            patterns.append(try Self.rule(rest, "pattern"))
            count += 1
        default:
            throw AccessFileFault(
                reason: "a line begins with user, topic or pattern and a blank, not \"\(shown(keyword))\"")
        }
    }

    /// `[read|write|readwrite|deny] FILTER`. Where only one word stands, it is the filter, whatever it is.
    private static func rule(
        _ value: ArraySlice<UInt8>, _ keyword: String
    ) throws(AccessFileFault) -> AccessRules.Rule {
        var filter = value
        var access = AccessRules.Access.readwrite
        let word = filter.takeWord()
        if filter.isEmpty {
            filter = word
        } else {
            switch String(decoding: word, as: UTF8.self) {
            case "read": access = .read
            case "write": access = .write
            case "readwrite": access = .readwrite
            case "deny": access = .deny
            default:
                throw AccessFileFault(
                    reason: "\"\(keyword)\" takes read, write, readwrite or deny before a filter with blanks, not "
                        + "\"\(shown(word))\"")
            }
        }
        guard !filter.isEmpty else { throw AccessFileFault(reason: "\"\(keyword)\" needs a topic filter") }
        let isText = filter.withUnsafeBytes { ByteView($0).isMQTTString }
        guard isText, let rule = AccessRules.Rule(access, ByteString(Array(filter))) else {
            throw AccessFileFault(
                reason: "\"\(shown(filter))\" is no topic filter: + and # stand alone in a level, # in the last one")
        }
        return rule
    }
}

/// The bytes for a message: escaped, and cut where they get long.
private func shown(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.prefix(60).withUnsafeBytes { ByteView($0).escaped } + (bytes.count > 60 ? "..." : "")
}

extension ArraySlice<UInt8> {
    /// Without the blanks at its end, as C's `isspace` knows them, and at its start.
    func trimmingBlanks(atStart: Bool = true) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        let end = lastIndex { !isBlank($0) }.map { $0 + 1 } ?? startIndex
        let line = self[startIndex..<end]
        return atStart ? line.drop { isBlank($0) } : line
    }

    /// Takes away the first word, the spaces before it, and the blanks around what is left.
    mutating func takeWord() -> ArraySlice<UInt8> {
        let line = drop { $0 == 0x20 }
        let word = line.prefix { $0 != 0x20 }
        self = line.dropFirst(word.count).trimmingBlanks()
        return word
    }
}
