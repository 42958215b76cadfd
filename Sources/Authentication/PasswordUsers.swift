package import Bytes

/// Who may come by a password in CONNECT: verifiers by user name.
///
/// A name that is not there has a verifier too, which no password fits and which costs what those of the others cost,
/// so that nobody learns by the time that it takes who is there (attack case 90).
package struct PasswordUsers: Equatable, Sendable {
    private let verifiers: [ByteString: PasswordVerifier]
    /// For names that are not there.
    private let nobody: PasswordVerifier

    package init(_ verifiers: [ByteString: PasswordVerifier] = [:]) {
        self.verifiers = verifiers
        nobody = Self.nobody(like: verifiers)
    }

    package var count: Int { verifiers.count }

    /// A check of a password, to be made where it may take its time.
    package struct Check: Sendable {
        /// Whether there is such a user.
        let isKnown: Bool
        let verifier: PasswordVerifier
        let password: [UInt8]

        /// Rounds of hashing that it takes.
        package var cost: Int { verifier.cost }

        /// Whether this is the user, and its password.
        package func isPassed() -> Bool {
            // Hashed also when there is no such user.
            let fits = (try? verifier.accepts(password)) ?? false
            return isKnown && fits
        }
    }

    /// The check of what CONNECT says. A password that is too long is checked as a wrong one.
    package func check(_ name: ByteString, password: ByteView) -> Check {
        let found = verifiers[name]
        let isTooLong = password.count > PasswordVerifier.passwordBytesMax
        return Check(
            isKnown: found != nil && !isTooLong, verifier: found ?? nobody,
            password: isTooLong ? [] : Array(password.memory))
    }

    /// Whether a session of this user stands on the same verifier in other users: then it may stay when the file is
    /// read again.
    package func hasSame(_ name: ByteString, as other: PasswordUsers) -> Bool {
        verifiers[name] != nil && verifiers[name] == other.verifiers[name]
    }

    /// Those who can come by SCRAM as well.
    package var scramVerifiers: [ByteString: ScramVerifier] {
        verifiers.compactMapValues { verifier in
            if case .scram(let scram) = verifier { scram } else { nil }
        }
    }

    /// A verifier of the kind that most users have; of several kinds as common, the dearest.
    private static func nobody(like verifiers: [ByteString: PasswordVerifier]) -> PasswordVerifier {
        var kinds: [PasswordVerifier: Int] = [:]
        for verifier in verifiers.values { kinds[verifier.emptied, default: 0] += 1 }
        let usual = kinds.max { ($0.value, $0.key.cost) < ($1.value, $1.key.cost) }
        return usual?.key ?? PasswordVerifier.usual.emptied
    }
}

extension PasswordVerifier {
    fileprivate static let usual = PasswordVerifier.pbkdf2(iterations: iterationsUsual, salt: [], hash: [])

    /// The same kind, with zeros for salt and hash: no password is known that fits.
    fileprivate var emptied: PasswordVerifier {
        let salt = [UInt8](repeating: 0, count: Self.saltUsual)
        let hash = [UInt8](repeating: 0, count: SHA512.digestBytes)
        switch self {
        case .pbkdf2(let iterations, _, _): return .pbkdf2(iterations: iterations, salt: salt, hash: hash)
        case .salted: return .salted(salt: salt, hash: hash)
        case .scram(let verifier):
            let key = [UInt8](repeating: 0, count: SHA256.digestBytes)
            return .scram(
                ScramVerifier(iterations: verifier.iterations, salt: salt, storedKey: key, serverKey: key))
        }
    }
}
