internal import Authentication
internal import Bytes
internal import MQTTWire
package import Messaging

/// Passwords in CONNECT (MQTT 5.0 §3.1.3.5, §3.1.3.6). To check one costs milliseconds, so it is done elsewhere: the
/// connection waits, what it sends meanwhile is held, and nothing of the session is touched (attack case 37).
extension Connections {
    /// How a check ended.
    package enum Verdict: Equatable, Sendable {
        case passed
        case failed
        /// There are too many checks to make one more.
        case busy
    }

    /// Asks for a check.
    mutating func verify(
        _ userName: ByteView, _ password: ByteView, _ users: PasswordUsers, _ session: SessionOffer,
        _ offer: Connection.Offer, _ slot: Int, into effects: inout [ConnectionEffect]
    ) -> LinkRequest? {
        lastCheck &+= 1
        let name = ByteString(userName)
        connections[slot].checkTicket = lastCheck
        connections[slot].state = .verifying(
            Connection.PendingConnect(session: session, offer: offer, userName: name))
        effects.append(.check(slot: slot, ticket: lastCheck, users.check(name, password: password)))
        return nil
    }

    /// Whether a connection waits for a check: it need not be read before that is done.
    package func isVerifying(_ slot: Int) -> Bool {
        if case .verifying = connections[slot].state { true } else { false }
    }

    /// A check is done. Of one whose connection is gone, or another's by now, nothing is heard any more.
    /// - Returns: what is asked of the broker then.
    package mutating func checked(
        _ slot: Int, ticket: UInt32, _ verdict: Verdict, into effects: inout [ConnectionEffect]
    ) -> LinkRequest? {
        guard slot < connections.count, connections[slot].checkTicket == ticket,
            case .verifying(let pending) = connections[slot].state
        else { return nil }
        let clientID = connections[slot].clientID
        switch verdict {
        case .passed:
            let userName = pending.userName ?? ByteString()
            connections[slot].passwordUser = userName
            effects.append(.log(slot: slot, .authenticated(clientID, userName: userName)))
            var session = pending.session
            session.userName = userName
            return attach(slot, session, pending.offer)
        case .failed:
            counters.authenticationsFailed += 1
            effects.append(.log(slot: slot, .authenticationFailed(clientID, .wrongProof)))
            refuse(slot, .badUserNameOrPassword, into: &effects)  // [MQTT-3.1.4-1]
        case .busy:
            refuse(slot, .serverBusy, into: &effects)
        }
        return nil
    }
}
