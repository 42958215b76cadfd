import Bytes
import ScramClient
import Testing

@testable import Authentication

@Suite struct ScramUsersTests {
    @Test("A made-up verifier stays the same for a name, differs between names, and looks like somebody's")
    func madeUp() throws {
        let passwords = ["a": "1", "b": "2"]
        let (one, again) = (try users(passwords), try users(passwords))
        let first = try one.find("nobody")
        #expect(!first.isKnown)
        // A restart with the same users changes nothing.
        #expect(try again.find("nobody").verifier == first.verifier)
        #expect(try one.find("no one").verifier.salt != first.verifier.salt)
        #expect(first.verifier.iterations == 4_096 && first.verifier.salt.count == 16)
        // Other users are other secrets.
        #expect(try users(["a": "1", "b": "3"]).find("nobody").verifier.salt != first.verifier.salt)
    }

    @Test("Where users differ in iteration count, made-up verifiers do too")
    func shapes() throws {
        let salt = [UInt8](repeating: 7, count: 16)
        let users = try ScramUsers([
            "a": ScramVerifier(password: [1], salt: salt, iterations: 4_096),
            "b": ScramVerifier(password: [1], salt: salt + salt, iterations: 5_000),
        ])
        var shapes: Set<[Int]> = []
        for index in 0..<64 {
            let verifier = try users.find(ByteString("nobody \(index)")).verifier
            shapes.insert([verifier.iterations, verifier.salt.count])
        }
        #expect(shapes == [[4_096, 16], [5_000, 32]])
    }

    @Test("Without any user names get the usual verifier")
    func nobody() throws {
        let found = try ScramUsers().find("a")
        #expect(!found.isKnown && found.verifier.iterations == 10_000 && found.verifier.salt.count == 16)
    }

    @Test("A user is found by its bytes")
    func known() throws {
        let users = try users(["a": "1"])
        #expect(users.count == 1)
        #expect(try users.find("a").isKnown)
        #expect(try !users.find("A").isKnown)
    }
}
