import Bytes
import Testing

@testable import Authentication

@Suite struct PasswordFileTests {
    /// As mosquitto_passwd 2.0.11 wrote them: alice's password is "wonder land", carol's, by `-H sha512`, "secret".
    private static let file = """
        # users of the plant

        alice:$7$101$fryfL3hbqSAWLoUG$\
        RgNTn+L+YgjP8n9IqWKlRrG+UbnzVQ6HeAdbw+5NrjoN7XHvG4L+BP9ye3UcqKPdsNPyhrNc7zoH0wgns6AwwQ==
        carol:$6$h4xZzSz4OH34b8xr$\
        kFvb63GJLRwm5VSzQpQyAoYi/Hch1qD1tlXUQtbbnPIP003Rn7RCd1ACgK9PqAgQFjMOpZottGrUpYdTV1buyA==
        """

    private static func isPassed(_ users: PasswordUsers, _ name: String, _ password: String) -> Bool {
        Array(password.utf8).withUnsafeBytes { users.check(ByteString(name), password: ByteView($0)).isPassed() }
    }

    @Test("Users of mosquitto's file come in with their passwords, and nobody else")
    func mosquitto() {
        let file = PasswordFile(Array(Self.file.utf8))
        #expect(file.faults.isEmpty)
        let users = PasswordUsers(file.verifiers)
        #expect(Self.isPassed(users, "alice", "wonder land") && Self.isPassed(users, "carol", "secret"))
        for (name, password) in [("alice", "secret"), ("alice", ""), ("carol", "secret "), ("dave", "secret")] {
            #expect(!Self.isPassed(users, name, password))
        }
    }

    @Test("What is written is read again, of each kind")
    func roundTrip() throws {
        let password = Array("p\u{e4}ss".utf8)
        let scram = try ScramVerifier(password: password, salt: Array(1...16), iterations: 4_096)
        let kinds = [
            try PasswordVerifier(password: password, salt: Array(1...16), iterations: 7),
            .salted(salt: [1], hash: try SHA512.digest(password, [1])), .scram(scram),
        ]
        for verifier in kinds {
            #expect(try PasswordVerifier(text: verifier.text[...]) == verifier)
            #expect(try verifier.accepts(password))
            #expect(try !verifier.accepts(password + [1]))
        }
        #expect(PasswordUsers(["s": kinds[2], "p": kinds[0]]).scramVerifiers == ["s": scram])
    }

    @Test(
        "A line with a fault is named, and lets nobody in",
        arguments: [
            ("alice", "USER:HASH"), ("alice:secret", "in clear"), (":$7$1$AA==$AA==", "user name"),
            ("alice:$7$0$AA==$", "iterations is"), ("alice:$7$5000001$AA==$", "iterations is"),
            ("alice:$7$x$AA==$", "iterations is"), ("alice:$7$1$$", "salt"), ("alice:$7$1$A$", "salt"),
            ("alice:$7$1$AA==$AA==", "hash is 64"), ("alice:$6$AA==", "begins with"),
            ("alice:$argon2id$v=19$x", "begins with"),
            ("alice:$", "begins with"), ("alice:SCRAM-SHA-1$x", "SCRAM-SHA-256$"), ("a\u{1}:$6$AA==$AA==", "control"),
        ])
    func faults(line: String, reason: String) {
        let file = PasswordFile(Array("# one\n\(line)\r\n".utf8))
        #expect(file.verifiers.isEmpty)
        #expect(file.faults.count == 1 && file.faults[0].line == 2)
        #expect(file.faults.first?.fault.reason.contains(reason) == true, "\(file.faults)")
    }

    @Test("A user who stands there twice is a fault")
    func twice() {
        let line = "alice:" + String(decoding: Self.file.utf8.split(separator: 0x0A)[1].dropFirst(6), as: UTF8.self)
        let file = PasswordFile(Array("\(line)\n\(line)\n".utf8))
        #expect(file.faults.first?.fault.reason == "the user has a password already, in line 1")
    }

    @Test("An unknown name costs what most users cost, and a long password nothing more [attack 29] [attack 90]")
    func costs() throws {
        func verifier(_ iterations: Int) throws -> PasswordVerifier {
            try PasswordVerifier(password: [1], salt: [1], iterations: iterations)
        }
        let users = PasswordUsers(["a": try verifier(11), "b": try verifier(11), "c": try verifier(99)])
        #expect([0x78].withUnsafeBytes { users.check("nobody", password: ByteView($0)).cost } == 11)
        #expect(PasswordUsers().check("nobody", password: .empty).cost == PasswordVerifier.iterationsUsual)
        let long = [UInt8](repeating: 1, count: PasswordVerifier.passwordBytesMax + 1)
        let check = long.withUnsafeBytes { users.check("a", password: ByteView($0)) }
        #expect(check.password.isEmpty && check.cost == 11 && !check.isPassed())
        let longest = Array(long.dropLast())
        let own = PasswordUsers(["a": try PasswordVerifier(password: longest, salt: [1], iterations: 1)])
        #expect(longest.withUnsafeBytes { own.check("a", password: ByteView($0)).isPassed() })
    }

    @Test("Setting a user changes that line alone")
    func setting() throws {
        let verifier = try PasswordVerifier(password: [1], salt: [1], iterations: 1)
        let before = Array(Self.file.utf8)
        let after = try #require(PasswordFile.setting("alice", to: verifier, in: before))
        let file = PasswordFile(after)
        #expect(file.verifiers["alice"] == verifier && file.verifiers.count == 2)
        #expect(String(decoding: after, as: UTF8.self).hasPrefix("# users of the plant\n\nalice:$7$1$"))
        #expect(PasswordFile.setting("dave", to: nil, in: before) == nil)
    }
}
