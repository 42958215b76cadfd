internal import Bytes

/// What a file of users keeps of a password, in one of the forms that mosquitto writes, or as a verifier for SCRAM,
/// which a password in CONNECT can be held against as well.
package enum PasswordVerifier: Hashable, Sendable {
    /// `$7$iterations$salt$hash`: PBKDF2 with HMAC-SHA-512, 64 bytes.
    case pbkdf2(iterations: Int, salt: [UInt8], hash: [UInt8])
    /// `$6$salt$hash`: SHA-512 of the password and, behind it, the salt. One round: files of mosquitto before 2.0.
    case salted(salt: [UInt8], hash: [UInt8])
    /// `SCRAM-SHA-256$…`: what `ScramVerifier` reads.
    case scram(ScramVerifier)

    /// Rounds that are taken; mosquitto writes 101.
    package static let iterationsRange = 1...5_000_000
    /// Rounds of a verifier that is made here: ten milliseconds or so for each CONNECT, more on a small board.
    package static let iterationsUsual = 20_000
    /// Bytes of salt that are taken.
    package static let saltRange = 1...64
    /// Bytes of salt of a verifier that is made here: mosquitto takes no other number.
    package static let saltUsual = 12
    /// Bytes of a password: a longer one is nobody's, and is not hashed.
    package static let passwordBytesMax = 1_024

    /// Makes a verifier of the kind that mosquitto knows, which takes a while.
    /// - Parameters:
    ///   - salt: random bytes, as many as `saltRange` allows.
    ///   - iterations: in `iterationsRange`.
    package init(password: [UInt8], salt: [UInt8], iterations: Int) throws(AuthenticationFailure) {
        let hash = try SHA512.pbkdf2(password: password, salt: salt, iterations: iterations)
        self = .pbkdf2(iterations: iterations, salt: salt, hash: hash)
    }

    /// Whether this is the password. Takes as long for a wrong one as for the right one, and `cost` says how long.
    package func accepts(_ password: [UInt8]) throws(AuthenticationFailure) -> Bool {
        switch self {
        case .pbkdf2(let iterations, let salt, let hash):
            SHA256.areEqual(try SHA512.pbkdf2(password: password, salt: salt, iterations: iterations), hash)
        case .salted(let salt, let hash):
            SHA256.areEqual(try SHA512.digest(password, salt), hash)
        case .scram(let verifier):
            SHA256.areEqual(
                try ScramVerifier(password: password, salt: verifier.salt, iterations: verifier.iterations).storedKey,
                verifier.storedKey)
        }
    }

    /// Rounds of hashing that a check takes.
    package var cost: Int {
        switch self {
        case .pbkdf2(let iterations, _, _): iterations
        case .salted: 1
        case .scram(let verifier): verifier.iterations
        }
    }
}

// MARK: - As text

extension PasswordVerifier {
    private static let dollar = UInt8(ascii: "$")

    /// What stands behind `user:` in the file.
    package var text: [UInt8] {
        let dollar = [Self.dollar]
        switch self {
        case .pbkdf2(let iterations, let salt, let hash):
            return Array("$7$\(iterations)$".utf8) + Base64.encode(salt) + dollar + Base64.encode(hash)
        case .salted(let salt, let hash):
            return Array("$6$".utf8) + Base64.encode(salt) + dollar + Base64.encode(hash)
        case .scram(let verifier): return verifier.text
        }
    }

    /// Reads what `text` writes, and mosquitto.
    package init(text: ArraySlice<UInt8>) throws(ScramFileFault) {
        guard text.first == Self.dollar else {
            guard text.starts(with: Array("SCRAM-".utf8)) else {
                throw ScramFileFault(
                    "the password stands here in clear; `dormouse passwd` or `mosquitto_passwd -U` hashes it")
            }
            self = .scram(try ScramVerifier(text: text))
            return
        }
        let parts = text.dropFirst().split(separator: Self.dollar, omittingEmptySubsequences: false)
        switch (parts.first.map { Array($0) }, parts.count) {
        case ([UInt8(ascii: "7")], 4):
            let digits = String(decoding: parts[1], as: UTF8.self)
            guard let iterations = Int(digits), Self.iterationsRange.contains(iterations) else {
                let range = Self.iterationsRange
                throw ScramFileFault("the number of iterations is \(range.lowerBound) to \(range.upperBound)")
            }
            self = .pbkdf2(iterations: iterations, salt: try Self.salt(parts[2]), hash: try Self.hash(parts[3]))
        case ([UInt8(ascii: "6")], 3):
            self = .salted(salt: try Self.salt(parts[1]), hash: try Self.hash(parts[2]))
        default:
            throw ScramFileFault("what follows the user begins with $7$, $6$ or SCRAM-SHA-256$; no other hash is known")
        }
    }

    private static func salt(_ text: ArraySlice<UInt8>) throws(ScramFileFault) -> [UInt8] {
        guard let salt = Base64.decode(text), saltRange.contains(salt.count) else {
            throw ScramFileFault("the salt is \(saltRange.lowerBound) to \(saltRange.upperBound) bytes in base 64")
        }
        return salt
    }

    private static func hash(_ text: ArraySlice<UInt8>) throws(ScramFileFault) -> [UInt8] {
        guard let hash = Base64.decode(text), hash.count == SHA512.digestBytes else {
            throw ScramFileFault("the hash is \(SHA512.digestBytes) bytes in base 64")
        }
        return hash
    }
}
