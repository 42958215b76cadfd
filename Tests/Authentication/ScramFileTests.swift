import Bytes
import Testing

@testable import Authentication

@Suite struct ScramFileTests {
    /// The user of RFC 7677 §3, as PostgreSQL writes it.
    private static let verifier =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        + "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

    private func file(_ text: String) -> ScramFile { ScramFile(Array(text.utf8)) }

    @Test("A verifier is read, and written as it was; it is that of RFC 7677's example")
    func verifierText() throws {
        let verifier = try ScramVerifier(text: Array(Self.verifier.utf8)[...])
        #expect(verifier.text == Array(Self.verifier.utf8))
        let made = try ScramVerifier(
            password: Array("pencil".utf8), salt: Base64.decode(Array("W22ZaJ0SNY7soEsUEjb6gQ==".utf8)[...]) ?? [],
            iterations: 4_096)
        #expect(made == verifier)
    }

    @Test("Comments, empty lines, carriage returns and a missing line feed at the end do not matter")
    func lines() throws {
        let content = file("# users\r\n\nalice:\(Self.verifier)\r\nbo b:\(Self.verifier)")
        #expect(content.faults.isEmpty)
        #expect(content.verifiers.keys.sorted() == ["alice", "bo b"])
    }

    /// Lines, and a part of what is said about them.
    static let bad: [(String, String)] = [
        ("alice", "USER:VERIFIER"), ("alice:", "SCRAM-SHA-256$"), ("alice:$7$101$x$y", "SCRAM-SHA-256$"),
        (":" + verifier, "1 to 256 bytes"), ("a\u{7}b:" + verifier, "control characters"),
        ("alice:SCRAM-SHA-256$4096", "ITERATIONS:SALT$STOREDKEY:SERVERKEY"),
        ("alice:SCRAM-SHA-256$4096:AAAA$AAAA", "ITERATIONS:SALT$STOREDKEY:SERVERKEY"),
        ("alice:" + verifier + ":x", "ITERATIONS:SALT$STOREDKEY:SERVERKEY"),
        ("alice:" + verifier.replacing("4096", with: "4095"), "from 4096 to 10000000"),
        ("alice:" + verifier.replacing("4096", with: "10000001"), "from 4096 to 10000000"),
        ("alice:" + verifier.replacing("4096", with: "99999999999999999999"), "from 4096 to 10000000"),
        ("alice:" + verifier.replacing("W22ZaJ0SNY7soEsUEjb6gQ==", with: "W22ZaJ0SNQ=="), "8 to 32 bytes"),
        ("alice:" + verifier.replacing("W22ZaJ0SNY7soEsUEjb6gQ==", with: "W22ZaJ0SNY7soEsUEjb6gR=="), "8 to 32 bytes"),
        ("alice:" + verifier.replacing("qY=", with: "q="), "32 bytes"), ("alice:" + verifier + " ", "32 bytes"),
    ]

    @Test("A line with a fault is told with its number, and the others are read", arguments: bad)
    func fault(line: String, reason: String) {
        let content = file("first:\(Self.verifier)\n\(line)\nlast:\(Self.verifier)\n")
        #expect(content.faults.count == 1)
        #expect(content.faults.first?.line == 2)
        #expect(content.faults.first?.fault.reason.contains(reason) == true, "\(content.faults)")
        #expect(content.verifiers.count == 2)
    }

    @Test("A user may stand in the file once")
    func twice() {
        let content = file("a:\(Self.verifier)\nb:\(Self.verifier)\na:\(Self.verifier)\n")
        #expect(content.faults.map { $0.line } == [3])
        #expect(content.faults.first?.fault.reason.contains("line 1") == true)
    }

    @Test("A name has 256 bytes at most, and none that would be read as something else")
    func names() {
        for (name, isRight) in [
            (String(repeating: "n", count: 256), true), (String(repeating: "n", count: 257), false),
            ("", false), ("#a", false), ("a#", true), ("a:b", false), ("a\u{1B}", false), ("\u{E9}", true),
            ("a b", true),
        ] {
            let isTaken = (try? ScramFile.check(userName: Array(name.utf8))) != nil
            #expect(isTaken == isRight, "\(name)")
        }
    }

    @Test("Setting a user changes its line alone, adds one at the end, or takes it out")
    func setting() throws {
        let verifier = try ScramVerifier(text: Array(Self.verifier.utf8)[...])
        let before = Array("# head\nalice:old\n\nbob:x".utf8)
        func after(_ name: ByteString, _ verifier: ScramVerifier?) -> String? {
            ScramFile.setting(name, to: verifier, in: before).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(after("alice", verifier) == "# head\nalice:\(Self.verifier)\n\nbob:x\n")
        #expect(after("carol", verifier) == "# head\nalice:old\n\nbob:x\ncarol:\(Self.verifier)\n")
        #expect(after("alice", nil) == "# head\n\nbob:x\n")
        #expect(after("ali", nil) == nil)
    }

    @Test("Nonces are printable, and never the same twice")
    func nonces() throws {
        var source = NonceSource(secret: "secret")
        var other = NonceSource(secret: "other")
        var seen: Set<ByteString> = []
        for _ in 0..<100 {
            for nonce in [source.next(), other.next()] {
                let nonce = try #require(nonce)
                #expect(nonce.count == 24 && nonce.bytes.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x2C })
                seen.insert(nonce)
            }
        }
        #expect(seen.count == 200)
    }
}
