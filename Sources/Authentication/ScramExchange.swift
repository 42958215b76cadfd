package import Bytes

/// The server's side of SCRAM-SHA-256: RFC 5802 §3 and §5, RFC 7677.
///
/// ```
/// begun --nothing--> invited --client-first--> challenged --client-final--> ended
///    \------------------------client-first------^     every fault -----------^
/// ```
/// A client may leave its first message for the first answer: it is then asked for it, once.
package struct ScramExchange: Sendable {
    /// The longest message that is looked at.
    package static let messageBytesMax = 1_024
    /// The longest nonce of a client.
    package static let nonceBytesMax = 256

    private enum State {
        /// Nothing has come. Can transition to: `invited`, `challenged`, `ended`.
        case begun
        /// The client was asked for its first message. Can transition to: `challenged`, `ended`.
        case invited
        /// The client knows salt, iteration count and nonce. Can transition to: `ended`.
        case challenged(Challenge)
        /// Whatever comes is too much.
        case ended
    }

    /// What was said so far, and what the last message is held against.
    private struct Challenge {
        var first: ScramClientFirst
        var serverFirst: [UInt8]
        var nonce: [UInt8]
        var user: ScramUsers.Found
    }

    private var state = State.begun
    private let users: ScramUsers
    private let serverNonce: ByteString

    package init(users: ScramUsers, nonce: ByteString) {
        self.users = users
        serverNonce = nonce
    }

    /// Takes the client's next message; nil or nothing where there was none.
    package mutating func receive(_ data: ByteView?) -> AuthenticationStep {
        let before = state
        state = .ended
        let message = data.flatMap { $0.isEmpty ? nil : $0 }
        do throws(AuthenticationFailure) {
            switch (before, message) {
            case (.begun, nil):
                state = .invited
                return .challenge(nil)
            case (.begun, let message?), (.invited, let message?):
                let challenge = try challenge(for: ScramClientFirst(Self.checked(message)))
                state = .challenged(challenge)
                return .challenge(ByteString(challenge.serverFirst))
            case (.challenged(let challenge), let message?):
                return try verdict(on: ScramClientFinal(Self.checked(message)), challenge)
            case (.invited, nil), (.challenged, nil): throw .malformed
            case (.ended, _): throw .isOver
            }
        } catch {
            return .failed(error)
        }
    }

    private static func checked(_ message: ByteView) throws(AuthenticationFailure) -> [UInt8] {
        guard message.count <= messageBytesMax else { throw .tooLong }
        guard message.isMQTTString else { throw .malformed }
        return Array(message.memory)
    }

    /// `server-first-message`: nonce, salt, iteration count. For a user that is not there it looks no different.
    private func challenge(for first: ScramClientFirst) throws(AuthenticationFailure) -> Challenge {
        let user = try users.find(first.userName)
        let nonce = first.nonce + serverNonce.bytes
        let serverFirst =
            Array("r=".utf8) + nonce + Array(",s=".utf8) + Base64.encode(user.verifier.salt)
            + Array(",i=\(user.verifier.iterations)".utf8)
        return Challenge(first: first, serverFirst: serverFirst, nonce: nonce, user: user)
    }

    /// Whether the proof is the user's (RFC 5802 §3).
    private func verdict(
        on final: ScramClientFinal, _ challenge: Challenge
    ) throws(AuthenticationFailure) -> AuthenticationStep {
        guard final.header == challenge.first.header, final.nonce == challenge.nonce else { throw .doesNotContinue }
        let comma = [UInt8(ascii: ",")]
        let signed = challenge.first.bare + comma + challenge.serverFirst + comma + final.withoutProof
        let verifier = challenge.user.verifier
        let signature = try SHA256.hmac(key: verifier.storedKey, signed)
        let clientKey = zip(final.proof, signature).map { $0 ^ $1 }
        let isRight = SHA256.areEqual(try SHA256.digest(clientKey), verifier.storedKey)
        let serverSignature = try SHA256.hmac(key: verifier.serverKey, signed)
        guard isRight, challenge.user.isKnown else { throw .wrongProof }
        return .authenticated(
            userName: challenge.first.userName,
            data: ByteString(Array("v=".utf8) + Base64.encode(serverSignature)))
    }
}
