package import ConnectionCore
package import Engine
package import GatewayCore
package import Messaging
package import Reactor
package import SecureTransport
package import WebSocket

/// A listener to open: what is spoken there, and on which addresses.
package struct ListenerPlan: Sendable {
    /// What is spoken on a listener.
    package enum Kind: Sendable {
        /// MQTT over TCP.
        case mqtt
        /// MQTT over WebSocket.
        case webSocket(WebSocketRules)
        /// MQTT-SN over UDP.
        case mqttsn
    }

    package var kind: Kind
    package var addresses: [PeerAddress]
    /// Whether one of several addresses may fail, because the machine may lack its family.
    package var toleratesMissingFamily: Bool
    /// Multicast groups where devices look for the gateway; only with MQTT-SN.
    package var groups: [GroupPlan]
    /// What secures the listener; nil for nothing.
    package var security: SecureContext?

    package init(
        kind: Kind, addresses: [PeerAddress], toleratesMissingFamily: Bool = false, groups: [GroupPlan] = [],
        security: SecureContext? = nil
    ) {
        self.kind = kind
        self.addresses = addresses
        self.toleratesMissingFamily = toleratesMissingFamily
        self.groups = groups
        self.security = security
    }
}

/// What the server tells its owner, to be logged.
package enum ServerEvent {
    /// A listener is open at this address, with the real port where 0 was asked.
    case listening(ListenerPlan.Kind, PeerAddress, isSecured: Bool)
    /// One address of a listener could not be opened; the others are.
    case skipped(ListenerPlan.Kind, ReactorError)
    /// A listener hears this group, by the interface of this name; nil: the one of the listener's address, or the
    /// system's choice.
    case joined(PeerAddress, interface: String?)
    /// What was to be said in this group could not be, since its interface is not there any more; it is joined again
    /// when something is next said. Told once until that succeeds.
    case rejoining(PeerAddress, interface: String?, ReactorError)
    /// So many datagrams found the system's buffers full since this was last told, once in `overflowPause` at most.
    case datagramsLost(UInt64)
    /// A listener rests because descriptors ran out.
    case acceptPaused(ReactorError)
    /// A connection was turned away: there are too many.
    case turnedAway(PeerAddress)
    /// Something about the MQTT connection from this peer.
    case connection(PeerAddress, ConnectionLog)
    /// A TLS handshake is done, by this version and cipher suite; what it secures comes next.
    case secured(PeerAddress, String)
    /// So many connections ended before MQTT began, beside those that were told one by one.
    case handshakesFailed(Int)
    /// A WebSocket handshake was granted; MQTT comes next.
    case webSocketOpened(PeerAddress, HandshakeRequest)
    /// Something about a device.
    case device(GatewayLog)
    /// A client or device subscribed or unsubscribed.
    case subscription(SubscriptionLog)
    /// A queue became full, or has room again.
    case queue(QueueLog)
    /// Something about what has to survive.
    case store(StoreReport)
    case stopping
}
