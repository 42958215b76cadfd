import Bytes
import Clockwork
import ScramClient
import Testing

@testable import Authentication

@Suite struct ScramExchangeTests {
    private static let serverNonce: ByteString = "server-nonce-3rfcNHYJY1ZVvWVs7j"

    private func exchange(_ passwords: [String: String] = ["user": "pencil"]) throws -> ScramExchange {
        ScramExchange(users: try users(passwords), nonce: Self.serverNonce)
    }

    @Test("The example of RFC 7677 §3, byte for byte")
    func vector() throws {
        let salt = try #require(Base64.decode(Array("W22ZaJ0SNY7soEsUEjb6gQ==".utf8)[...]))
        let verifier = try ScramVerifier(password: Array("pencil".utf8), salt: salt, iterations: 4_096)
        var exchange = ScramExchange(
            users: try ScramUsers(["user": verifier]), nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
        #expect(
            challenge(exchange.receive("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))
                == "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        let step = exchange.receive(
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        #expect(
            step == .authenticated(userName: "user", data: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="))
    }

    @Test(
        "Headers without channel binding are taken, and an authorization identity that is the user's own",
        arguments: ["n,,", "y,,", "n,a=user,"])
    func headers(header: String) throws {
        var exchange = try exchange()
        let client = ScramClient(user: "user", password: "pencil", header: header)
        let serverFirst = try #require(challenge(exchange.receive(client.first)))
        guard case .authenticated("user", _) = exchange.receive(try client.final(to: serverFirst)) else {
            Issue.record("refused")
            return
        }
    }

    @Test("A comma and an equals sign in a name are escaped, and names are bytes [attack 19]")
    func escapes() throws {
        var exchange = try exchange(["a,b=c": "x", "caf\u{E9}": "x"])
        let client = ScramClient(user: "a=2Cb=3Dc", password: "x")
        let serverFirst = try #require(challenge(exchange.receive(client.first)))
        guard case .authenticated("a,b=c", _) = exchange.receive(try client.final(to: serverFirst)) else {
            Issue.record("refused")
            return
        }
        // The same letter in two code points is another user [M-41].
        var other = try self.exchange(["caf\u{E9}": "x"])
        let decomposed = ScramClient(user: "cafe\u{301}", password: "x")
        let first = try #require(challenge(other.receive(decomposed.first)))
        #expect(other.receive(try decomposed.final(to: first)) == .failed(.wrongProof))
    }

    @Test("A client may leave its first message for the first answer, once")
    func invitation() throws {
        var exchange = try exchange()
        #expect(exchange.receive(nil) == .challenge(nil))
        #expect(challenge(exchange.receive("n,,n=user,r=abc"))?.hasPrefix("r=abc") == true)
        var silent = try self.exchange()
        #expect(silent.receive("") == .challenge(nil))
        #expect(silent.receive(nil) == .failed(.malformed))
        #expect(silent.receive("n,,n=user,r=abc") == .failed(.isOver))
    }

    /// First messages, and why they are refused.
    static let badFirst: [(String, AuthenticationFailure)] = [
        ("n", .malformed), ("n,", .malformed), ("n,,", .malformed), (",,", .malformed), ("n,,n=user", .malformed),
        ("n,,r=abc,n=user", .malformed), ("n,,n=,r=abc", .malformed), ("n,,n=user,r=", .malformed),
        ("n,,n=user,r=a b", .malformed), ("n,,n=user,r=\u{E4}", .malformed), ("N,,n=user,r=abc", .malformed),
        ("x,,n=user,r=abc", .malformed), ("nn,,n=user,r=abc", .malformed), ("n=user,r=abc", .malformed),
        ("p=tls-unique,,n=user,r=abc", .channelBindingNotSupported), ("p=,,n=user,r=abc", .channelBindingNotSupported),
        ("n,,m=x,n=user,r=abc", .extensionNotSupported), ("n,,n=user,r=abc,m=x", .extensionNotSupported),
        ("n,a=other,n=user,r=abc", .authorizationIdentityDiffers), ("n,user,n=user,r=abc", .malformed),
        ("n,a=,n=user,r=abc", .malformed), ("n,,n=us=er,r=abc", .malformed), ("n,,n=user=2c,r=abc", .malformed),
        ("n,,n=user=2,r=abc", .malformed), ("n,,n=user=,r=abc", .malformed), ("n,,n=user,r=abc,", .malformed),
        ("n,,n=user,r=abc,x", .malformed), ("n,,n=user,r=abc,x=", .malformed), ("n,,n=user,r=abc,1=x", .malformed),
        ("n,,n=us\u{0}er,r=abc", .malformed),
    ]

    @Test("A first message with a fault ends the exchange", arguments: badFirst)
    func first(message: String, failure: AuthenticationFailure) throws {
        var exchange = try exchange()
        #expect(exchange.receive(message) == .failed(failure))
        #expect(exchange.receive("n,,n=user,r=abc") == .failed(.isOver))
    }

    @Test("Extensions that need not be understood are not")
    func extensions() throws {
        var exchange = try exchange()
        #expect(challenge(exchange.receive("n,,n=user,r=abc,x=1,Y=a=b")) != nil)
    }

    @Test("Names, nonces and messages have limits: at each, one more, ten times [attack 29]")
    func lengths() throws {
        func step(_ name: Int, _ nonce: Int) throws -> AuthenticationStep {
            var exchange = try exchange()
            let text = "n,,n=" + String(repeating: "n", count: name) + ",r=" + String(repeating: "r", count: nonce)
            return exchange.receive(text)
        }
        #expect(challenge(try step(256, 256)) != nil)
        for (name, nonce) in [(257, 1), (1, 257), (2_560, 1), (1, 2_560), (1_023, 1)] {
            #expect(try step(name, nonce) == .failed(.tooLong))
        }
        let padding = { (count: Int) in "n,,n=u,r=r,x=" + String(repeating: "x", count: count - 13) }
        var atLimit = try exchange()
        #expect(challenge(atLimit.receive(padding(1_024))) != nil)
        var above = try exchange()
        #expect(above.receive(padding(1_025)) == .failed(.tooLong))
    }

    /// How a last message is spoilt, and what becomes of it.
    static let badFinal: [(String, @Sendable (String) -> String, AuthenticationFailure)] = [
        ("another nonce", { $0.replacing("r=", with: "r=x") }, .doesNotContinue),
        ("the client's nonce alone", { $0.replacing(",p=", with: "x,p=") }, .doesNotContinue),
        ("another header", { $0.replacing("c=biws", with: "c=eSws") }, .doesNotContinue),
        ("a header that is no base 64", { $0.replacing("c=biws", with: "c=biw") }, .malformed),
        ("no header", { $0.replacing("c=biws,", with: "") }, .malformed),
        ("no proof", { String($0.prefix { $0 != "p" }.dropLast()) }, .malformed),
        ("an empty proof", { String($0.prefix { $0 != "p" }) + "p=" }, .malformed),
        ("a short proof", { String($0.prefix { $0 != "p" }) + "p=AAAA" }, .malformed),
        ("white space in the proof", { $0.replacing("p=", with: "p= ") }, .malformed),
        ("something behind the proof", { $0 + ",x=y" }, .malformed),
        (
            "a proof of zeros", { String($0.prefix { $0 != "p" }) + "p=" + String(repeating: "A", count: 43) + "=" },
            .wrongProof
        ),
        ("an extension that is not signed", { $0.replacing(",p=", with: ",x=y,p=") }, .wrongProof),
        ("a mandatory extension", { $0.replacing(",p=", with: ",m=y,p=") }, .extensionNotSupported),
        ("too long", { $0.replacing(",p=", with: ",x=" + String(repeating: "y", count: 1_024) + ",p=") }, .tooLong),
        ("nothing", { _ in "" }, .malformed),
    ]

    @Test("A last message with a fault ends the exchange", arguments: badFinal.indices)
    func final(index: Int) throws {
        let (name, spoil, failure) = Self.badFinal[index]
        var exchange = try exchange()
        let client = ScramClient(user: "user", password: "pencil")
        let serverFirst = try #require(challenge(exchange.receive(client.first)))
        let right = try client.final(to: serverFirst)
        #expect(exchange.receive(spoil(right)) == .failed(failure), "\(name)")
        #expect(exchange.receive(right) == .failed(.isOver), "\(name)")
    }

    @Test("A wrong password and a user that is not there end alike, and begin alike [attack 90]")
    func unknownUser() throws {
        for (user, password) in [("user", "pencils"), ("user", "Pencil"), ("nobody", "pencil"), ("nobody", "")] {
            var exchange = try exchange()
            let client = ScramClient(user: user, password: password)
            let serverFirst = try #require(challenge(exchange.receive(client.first)))
            #expect(serverFirst.hasSuffix(",i=4096"))
            #expect(serverFirst.split(separator: ",")[1].count == "s=".count + 24)
            #expect(exchange.receive(try client.final(to: serverFirst)) == .failed(.wrongProof))
        }
    }

    @Test("A message cut short anywhere is refused or, where it is whole, means less; it never traps")
    func truncations() throws {
        let client = ScramClient(user: "user", password: "pencil")
        for count in 0..<client.first.utf8.count {
            var exchange = try exchange()
            let step = exchange.receive(String(client.first.prefix(count)))
            // Only the nonce can be shorter and still be one.
            let isWhole = count == 0 || count > "n,,n=user,r=".count
            if case .challenge = step { #expect(isWhole) } else { #expect(!isWhole) }
        }
        var model = try exchange()
        let right = try client.final(to: try #require(challenge(model.receive(client.first))))
        for count in 0..<right.utf8.count {
            var exchange = try exchange()
            _ = exchange.receive(client.first)
            guard case .failed = exchange.receive(String(right.prefix(count))) else {
                Issue.record("\(right.prefix(count)) was taken")
                continue
            }
        }
    }

    @Test("Random changes of the messages never trap, and never let anybody in")
    func mutations() throws {
        var random = SeededGenerator(seed: 5_802)
        let client = ScramClient(user: "user", password: "pencil")
        let users = try users(["user": "pencil"])
        var model = ScramExchange(users: users, nonce: Self.serverNonce)
        let right = try client.final(to: try #require(challenge(model.receive(client.first))))
        for round in 0..<5_000 {
            var exchange = ScramExchange(users: users, nonce: Self.serverNonce)
            let spoilsFirst = round.isMultiple(of: 2)
            if !spoilsFirst { _ = exchange.receive(client.first) }
            let original = Array((spoilsFirst ? client.first : right).utf8)
            let bytes = mutated(original, &random)
            guard bytes != original else { continue }
            let step = bytes.withUnsafeBytes { exchange.receive(ByteView($0)) }
            if case .authenticated = step { Issue.record("\(bytes) was taken") }
            let next = Array(right.utf8).withUnsafeBytes { exchange.receive(ByteView($0)) }
            if case .authenticated = next { Issue.record("\(right) was taken after \(bytes)") }
        }
    }

    private func mutated(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        let letters = Array("n,=py,,ra=mA2CZ+/ \u{E4}\u{0}".utf8)
        for _ in 0..<Int(random.next() % 3 + 1) where !bytes.isEmpty {
            let index = Int(random.next() % UInt64(bytes.count))
            let letter = letters[Int(random.next() % UInt64(letters.count))]
            switch random.next() % 5 {
            case 0: bytes[index] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes[index] = letter
            case 2: bytes.remove(at: index)
            case 3: bytes.insert(letter, at: index)
            default: bytes.removeSubrange(index..<min(bytes.count, index + Int(random.next() % 8)))
            }
        }
        return bytes
    }
}

extension ScramExchange {
    /// The answer to a text.
    fileprivate mutating func receive(_ text: String) -> AuthenticationStep {
        Array(text.utf8).withUnsafeBytes { receive(ByteView($0)) }
    }
}

/// The text of a challenge.
private func challenge(_ step: AuthenticationStep) -> String? {
    guard case .challenge(let data?) = step else { return nil }
    return String(decoding: data.bytes, as: UTF8.self)
}
