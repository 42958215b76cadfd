package import Bytes

/// Who may come by SCRAM: verifiers by user name.
///
/// A name that is not there gets a verifier too, made up from the name: its salt is the same each time, also after a
/// restart with the same users, and looks as those of the others do (RFC 5802 §9, attack case 90).
package struct ScramUsers: Equatable, Sendable {
    /// Bytes of a user name.
    package static let nameBytesMax = 256

    /// A user's verifier, or one that no password fits.
    struct Found {
        var verifier: ScramVerifier
        var isKnown: Bool
    }

    /// Iteration count and length of salt.
    private struct Shape: Equatable {
        var iterations: Int
        var saltBytes: Int
    }

    private let verifiers: [ByteString: ScramVerifier]
    /// How the users' verifiers look, in the order of their names: made-up ones look like one of them.
    private let shapes: [Shape]
    /// What made-up verifiers are derived from: nobody knows it who does not know all keys.
    private let secret: [UInt8]

    package init(_ verifiers: [ByteString: ScramVerifier] = [:]) throws(AuthenticationFailure) {
        self.verifiers = verifiers
        let users = verifiers.sorted { $0.key < $1.key }
        shapes = users.map { Shape(iterations: $0.value.iterations, saltBytes: $0.value.salt.count) }
        var keys = Array("dormouse made-up verifiers".utf8)
        for (_, verifier) in users { keys += verifier.storedKey + verifier.serverKey }
        secret = try SHA256.digest(keys)
    }

    package var count: Int { verifiers.count }

    /// The verifier to hold a proof against. It takes the same steps whether the name is there or not.
    func find(_ name: ByteString) throws(AuthenticationFailure) -> Found {
        let madeUp = try madeUpVerifier(for: name)
        let real = verifiers[name]
        return Found(verifier: real ?? madeUp, isKnown: real != nil)
    }

    private func madeUpVerifier(for name: ByteString) throws(AuthenticationFailure) -> ScramVerifier {
        let draw = try SHA256.hmac(key: secret, Array("shape ".utf8) + name.bytes)
        let number = draw.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let usual = Shape(iterations: ScramVerifier.iterationsUsual, saltBytes: ScramVerifier.saltUsual)
        let shape = shapes.isEmpty ? usual : shapes[Int(number % UInt64(shapes.count))]
        let salt = try SHA256.hmac(key: secret, Array("salt ".utf8) + name.bytes)
        let key = try SHA256.hmac(key: secret, Array("key ".utf8) + name.bytes)
        return ScramVerifier(
            iterations: shape.iterations, salt: Array(salt.prefix(shape.saltBytes)), storedKey: key, serverKey: key)
    }
}
