package import Bytes

/// What is wrong with a line of a file of users, in a clause.
package struct ScramFileFault: Error, Equatable, Sendable {
    package var reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// A file of users: a line `user:SCRAM-SHA-256$…` for each. Empty lines and lines that begin with `#` say nothing.
package struct ScramFile: Sendable {
    /// The users of the lines without a fault.
    package private(set) var verifiers: [ByteString: ScramVerifier] = [:]
    /// Lines, counted from 1, and what is wrong with them.
    package private(set) var faults: [(line: Int, fault: ScramFileFault)] = []

    package init(_ bytes: [UInt8]) {
        var lines: [ByteString: Int] = [:]
        for (index, line) in Self.lines(of: bytes[...]).enumerated() {
            do throws(ScramFileFault) {
                guard let (name, verifier) = try Self.read(line) else { continue }
                if let earlier = lines.updateValue(index + 1, forKey: name) {
                    throw ScramFileFault("the user has a verifier already, in line \(earlier)")
                }
                verifiers[name] = verifier
            } catch {
                faults.append((index + 1, error))
            }
        }
    }

    /// Whether a user may have this name: text without a colon, which ends it, and without control characters.
    package static func check(userName name: [UInt8]) throws(ScramFileFault) {
        guard !name.isEmpty, name.count <= ScramUsers.nameBytesMax else {
            throw ScramFileFault("a user name has 1 to \(ScramUsers.nameBytesMax) bytes")
        }
        guard name.first != UInt8(ascii: "#") else { throw ScramFileFault("a user name does not begin with #") }
        guard name.withUnsafeBytes({ ByteView($0).isMQTTString }),
            !name.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: ":") })
        else { throw ScramFileFault("a user name is UTF-8 without control characters and colons") }
    }

    /// The same file with this user's verifier in the place of an older one, or at the end; without the user where
    /// `verifier` is nil. Every other line stays as it is. Nil if there was nothing to take out.
    package static func setting(_ name: ByteString, to verifier: ScramVerifier?, in bytes: [UInt8]) -> [UInt8]? {
        setting(name, toText: verifier?.text, in: bytes)
    }

    /// The same for a verifier of any kind, as it is written.
    static func setting(_ name: ByteString, toText text: [UInt8]?, in bytes: [UInt8]) -> [UInt8]? {
        let prefix = name.bytes + [UInt8(ascii: ":")]
        var result: [UInt8] = []
        var fresh = text.map { prefix + $0 + [0x0A] }
        var isFound = false
        var rest = bytes[...]
        while !rest.isEmpty {
            let line = rest.prefix { $0 != 0x0A }
            rest = rest.dropFirst(line.count + 1)
            guard line.starts(with: prefix) else {
                result += line + [0x0A]
                continue
            }
            isFound = true
            result += fresh ?? []
            fresh = fresh.map { _ in [] }
        }
        guard text != nil || isFound else { return nil }
        return result + (fresh ?? [])
    }

    static func lines(of bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
            line.last == 0x0D ? line.dropLast() : line
        }
    }

    private static func read(_ line: ArraySlice<UInt8>) throws(ScramFileFault) -> (ByteString, ScramVerifier)? {
        guard let first = line.first, first != UInt8(ascii: "#") else { return nil }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw ScramFileFault("a line is USER:VERIFIER; `dormouse passwd --scram` writes it")
        }
        let name = Array(line[..<colon])
        try check(userName: name)
        return (ByteString(name), try ScramVerifier(text: line[(colon + 1)...]))
    }
}
