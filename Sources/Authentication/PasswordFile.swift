package import Bytes

/// A file of users as mosquitto's `password_file`: a line `user:$7$…` for each, `user:$6$…` from older versions, or
/// `user:SCRAM-SHA-256$…`. Empty lines and lines that begin with `#` say nothing.
package struct PasswordFile: Sendable {
    /// The users of the lines without a fault.
    package private(set) var verifiers: [ByteString: PasswordVerifier] = [:]
    /// Lines, counted from 1, and what is wrong with them.
    package private(set) var faults: [(line: Int, fault: ScramFileFault)] = []

    package init(_ bytes: [UInt8]) {
        var lines: [ByteString: Int] = [:]
        for (index, line) in ScramFile.lines(of: bytes[...]).enumerated() {
            do throws(ScramFileFault) {
                guard let (name, verifier) = try Self.read(line) else { continue }
                if let earlier = lines.updateValue(index + 1, forKey: name) {
                    throw ScramFileFault("the user has a password already, in line \(earlier)")
                }
                verifiers[name] = verifier
            } catch {
                faults.append((index + 1, error))
            }
        }
    }

    /// The same file with this user's verifier in the place of an older one, or at the end; without the user where
    /// `verifier` is nil. Every other line stays as it is. Nil if there was nothing to take out.
    package static func setting(_ name: ByteString, to verifier: PasswordVerifier?, in bytes: [UInt8]) -> [UInt8]? {
        ScramFile.setting(name, toText: verifier?.text, in: bytes)
    }

    private static func read(_ line: ArraySlice<UInt8>) throws(ScramFileFault) -> (ByteString, PasswordVerifier)? {
        guard let first = line.first, first != UInt8(ascii: "#") else { return nil }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw ScramFileFault("a line is USER:HASH; `dormouse passwd` and mosquitto_passwd write it")
        }
        let name = Array(line[..<colon])
        try ScramFile.check(userName: name)
        return (ByteString(name), try PasswordVerifier(text: line[(colon + 1)...]))
    }
}
