internal import Bytes

/// What the server keeps of a password: enough to check a proof, and not enough to make one (RFC 5802 §3).
package struct ScramVerifier: Hashable, Sendable {
    /// How often a client hashes its password: RFC 7677 §4 wants 4,096 at least. It costs the server nothing.
    package static let iterationsRange = 4_096...10_000_000
    /// The iteration count where nobody asks for another.
    package static let iterationsUsual = 10_000
    /// Bytes of salt.
    package static let saltRange = 8...SHA256.digestBytes
    /// Bytes of salt that a new verifier has.
    package static let saltUsual = 16

    package let iterations: Int
    package let salt: [UInt8]
    /// H(ClientKey), 32 bytes.
    package let storedKey: [UInt8]
    /// What the server proves with that it knows the user, 32 bytes.
    package let serverKey: [UInt8]

    init(iterations: Int, salt: [UInt8], storedKey: [UInt8], serverKey: [UInt8]) {
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// Makes the verifier of a password, which takes a while: milliseconds for each 10,000 iterations.
    /// - Parameters:
    ///   - password: its bytes as they are, without SASLprep [M-41].
    ///   - salt: random bytes, as many as `saltRange` allows.
    ///   - iterations: in `iterationsRange`.
    package init(password: [UInt8], salt: [UInt8], iterations: Int) throws(AuthenticationFailure) {
        let salted = try SHA256.pbkdf2(password: password, salt: salt, iterations: iterations)
        let clientKey = try SHA256.hmac(key: salted, Array("Client Key".utf8))
        self.init(
            iterations: iterations, salt: salt, storedKey: try SHA256.digest(clientKey),
            serverKey: try SHA256.hmac(key: salted, Array("Server Key".utf8)))
    }
}

// MARK: - As text

extension ScramVerifier {
    private static let scheme = Array("SCRAM-SHA-256$".utf8)

    /// PostgreSQL's form: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, all but the number in base 64.
    package var text: [UInt8] {
        let colon = [UInt8(ascii: ":")]
        return Self.scheme + Array("\(iterations)".utf8) + colon + Base64.encode(salt) + [UInt8(ascii: "$")]
            + Base64.encode(storedKey) + colon + Base64.encode(serverKey)
    }

    /// Reads what `text` writes.
    package init(text: ArraySlice<UInt8>) throws(ScramFileFault) {
        guard text.starts(with: Self.scheme) else {
            throw ScramFileFault("what follows the user is no verifier: it begins with SCRAM-SHA-256$")
        }
        let halves = text.dropFirst(Self.scheme.count).split(
            separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        let parts = halves.map { $0.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) }
        guard parts.count == 2, parts[0].count == 2, parts[1].count == 2 else {
            throw ScramFileFault("a verifier is SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY")
        }
        let digits = String(decoding: parts[0][0], as: UTF8.self)
        guard let iterations = Int(digits), Self.iterationsRange.contains(iterations) else {
            throw ScramFileFault(
                "the iteration count is from \(Self.iterationsRange.lowerBound) to \(Self.iterationsRange.upperBound)")
        }
        guard let salt = Base64.decode(parts[0][1]), Self.saltRange.contains(salt.count) else {
            throw ScramFileFault(
                "the salt is \(Self.saltRange.lowerBound) to \(Self.saltRange.upperBound) bytes in base 64")
        }
        guard let storedKey = Base64.decode(parts[1][0]), let serverKey = Base64.decode(parts[1][1]),
            storedKey.count == SHA256.digestBytes, serverKey.count == SHA256.digestBytes
        else { throw ScramFileFault("a key is 32 bytes in base 64") }
        self.init(iterations: iterations, salt: salt, storedKey: storedKey, serverKey: serverKey)
    }
}
