package import Bytes

/// A method of MQTT 5.0 §4.12 that the server knows, by its SASL name.
package enum AuthenticationMethod: Sendable {
    /// RFC 5802 with RFC 7677; without channel binding.
    case scramSHA256

    /// The name in the property Authentication Method (§3.1.2.11.9).
    package var name: ByteString {
        switch self {
        case .scramSHA256: "SCRAM-SHA-256"
        }
    }

    /// The method with this name, byte for byte; nil if there is none.
    package init?(name: ByteView) {
        guard Self.scramSHA256.name.withView({ $0 == name }) else { return nil }
        self = .scramSHA256
    }
}

/// One run of a method, from the server's side: what the client sends goes in, what it gets comes out.
package indirect enum AuthenticationExchange: Sendable {
    case scramSHA256(ScramExchange)

    /// A run that has heard nothing yet.
    /// - Parameter nonce: what nobody could guess before; used for this run alone.
    package init(_ method: AuthenticationMethod, users: ScramUsers, nonce: ByteString) {
        switch method {
        case .scramSHA256: self = .scramSHA256(ScramExchange(users: users, nonce: nonce))
        }
    }

    /// Takes one Authentication Data of the client; nil where its packet had none (§3.15.2.2.3).
    package mutating func receive(_ data: ByteView?) -> AuthenticationStep {
        switch self {
        case .scramSHA256(var exchange):
            let step = exchange.receive(data)
            self = .scramSHA256(exchange)
            return step
        }
    }
}

/// What an exchange answers.
package enum AuthenticationStep: Equatable, Sendable {
    /// The client is to say more; nil where the server has no data for it.
    case challenge(ByteString?)
    /// The client is who it says it is; the data tells it that the server knows it too.
    case authenticated(userName: ByteString, data: ByteString)
    /// The exchange is over. The client is not told why.
    case failed(AuthenticationFailure)
}

/// Why an exchange failed: for the log, since the peer could learn from it.
package enum AuthenticationFailure: Error, Equatable, Sendable {
    /// A message above `ScramExchange.messageBytesMax`, a name above `ScramUsers.nameBytesMax`, or a nonce above
    /// `ScramExchange.nonceBytesMax`.
    case tooLong
    /// A message that is none of the method.
    case malformed
    /// The client wants the exchange bound to its TLS channel, or says that it thinks we cannot.
    case channelBindingNotSupported
    /// An extension that the client calls mandatory (RFC 5802 §5.1, `m=`).
    case extensionNotSupported
    /// The client wants to act as somebody else than it proves to be.
    case authorizationIdentityDiffers
    /// The last message does not go on from the one before it.
    case doesNotContinue
    /// A wrong password, or a user that is not there: nobody can tell from outside.
    case wrongProof
    /// The exchange had ended before.
    case isOver
    /// libcrypto has no SHA-256, or no memory.
    case digestUnavailable
}

/// Where the server's nonces come from: each is another, and nobody who lacks the secret can guess the next.
package struct NonceSource: Sendable {
    private let secret: [UInt8]
    private var count: UInt64 = 0

    /// - Parameter secret: 32 bytes from the system's generator, drawn once in a process; a test has its own.
    package init(secret: ByteString) {
        self.secret = secret.bytes
    }

    /// 24 printable characters from 144 bits; nil where libcrypto fails.
    package mutating func next() -> ByteString? {
        count += 1
        let number = (0..<8).map { UInt8(truncatingIfNeeded: count >> UInt64(8 * $0)) }
        guard let digest = try? SHA256.hmac(key: secret, Array("nonce ".utf8) + number) else { return nil }
        return ByteString(Base64.encode(Array(digest.prefix(18))))
    }
}
