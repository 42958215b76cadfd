package import Bytes

/// Which user a device is, by its client id: a `device_file`.
///
/// A line is `CLIENT_ID USER`. The id has no blanks; `*` and `?` in it stand for others, as in `predefined_topic_for`.
/// The name goes to the end of the line. An id that is written out goes before every pattern, and of the patterns the
/// first that fits counts. Lines that begin with `#` and empty lines say nothing.
package struct DeviceUsers: Equatable, Sendable {
    private var users: [ByteString: ByteString] = [:]
    private var patterns: [Pattern] = []

    private struct Pattern: Equatable {
        let clients: GlobPattern
        let user: ByteString
    }

    /// How many patterns there may be: they are tried one after the other at each CONNECT.
    package static let patternsMax = 1_000

    package init() {}

    /// How many lines it has.
    package var count: Int { users.count + patterns.count }

    /// Whose device a client id is; nil if it is not in the list.
    package func user(of clientID: ByteView) -> ByteString? {
        users[ByteString(clientID)] ?? patterns.first { $0.clients.matches(clientID) }?.user
    }

    /// Reads a file; the lines with a fault are left out and named, counted from 1.
    package static func read(_ bytes: [UInt8]) -> (list: DeviceUsers, faults: [(line: Int, reason: String)]) {
        var list = DeviceUsers()
        var faults: [(line: Int, reason: String)] = []
        for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            if let reason = list.take(line.trimmingBlanks()) { faults.append((index + 1, reason)) }
        }
        return (list, faults)
    }

    /// Takes a line, or says what is wrong with it.
    private mutating func take(_ line: ArraySlice<UInt8>) -> String? {
        guard let first = line.first, first != UInt8(ascii: "#") else { return nil }
        let word = line.prefix { $0 != 0x20 && $0 != 0x09 }
        let user = ByteString(Array(line.dropFirst(word.count).trimmingBlanks()))
        guard !user.isEmpty else { return "a line is CLIENT_ID USER; the user is missing" }
        guard line.withUnsafeBytes({ ByteView($0).isMQTTString }) else { return "the line is not UTF-8" }
        let clientID = ByteString(Array(word))
        if word.contains(where: { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }) {
            let pattern = GlobPattern(clientID)
            if patterns.contains(where: { $0.clients == pattern }) { return "\(clientID) has a user already" }
            guard patterns.count < Self.patternsMax else { return "more than \(Self.patternsMax) patterns" }
            patterns.append(Pattern(clients: pattern, user: user))
        } else if users.updateValue(user, forKey: clientID) != nil {
            return "\(clientID) has a user already"
        }
        return nil
    }
}
