package import Authentication
package import Bytes
package import MQTTWire
package import Messaging

/// What the connections want done beside the bytes they wrote, in order.
package enum ConnectionEffect {
    /// Ask the broker.
    case request(LinkID, LinkRequest)
    /// Check a password: `Connections.checked` hears of the outcome.
    case check(slot: Int, ticket: UInt32, PasswordUsers.Check)
    /// Tell the operator.
    case log(slot: Int, ConnectionLog)
}

/// What is worth a line in the log about a connection.
package enum ConnectionLog: Equatable {
    case connected(ClientID, ProtocolVersion, cleanStart: Bool, keepAlive: UInt16)
    case refused(ClientID, ReasonCode)
    /// The client has shown that it is this user, at CONNECT or again (MQTT 5.0 §4.12).
    case authenticated(ClientID, userName: ByteString)
    /// It could not; the reason is not for the client's ears.
    case authenticationFailed(ClientID, AuthenticationFailure)
    case ended(ClientID?, ConnectionEnd)
}

/// Why a connection ended.
package enum ConnectionEnd: Equatable, Sendable {
    /// The client said DISCONNECT.
    case disconnected
    /// The socket closed or broke.
    case lost
    /// The layer between socket and MQTT ended it; this is its word for the log.
    case carrier(String)
    /// The client broke a rule of the standard.
    case violated(ReasonCode)
    /// CONNECT did not arrive in time.
    case connectTimedOut
    /// Nothing arrived for one and a half times the keep-alive [MQTT-3.1.2-22].
    case keepAliveTimedOut
    /// CONNECT was refused, or the client could not show again who it is.
    case refused(ReasonCode)
    /// The broker ended it.
    case closed(CloseReason)
    /// The client does not read what it is sent.
    case readsTooSlowly
}
