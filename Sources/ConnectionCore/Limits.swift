package import Authentication
package import Bytes
package import Messaging

/// What MQTT connections may do: the defaults of DESIGN §7.
package struct ConnectionLimits: Equatable, Sendable {
    /// Connections in all.
    package var connectionsMax = 10_000
    /// Bytes of a packet before CONNECT is accepted.
    package var packetBeforeConnectBytesMax = 16 << 10
    /// Bytes of any packet, up to 16,777,216: what is added to a message on its way out then fits a packet.
    package var packetBytesMax = 256 << 10
    /// Bytes of an application message; `Int.max` for whatever fits a packet (mosquitto's `message_size_limit`).
    package var payloadBytesMax = Int.max
    /// Topic filters of one SUBSCRIBE or UNSUBSCRIBE: what a client asks at once is done at once.
    package var filtersPerPacketMax = 1_000
    /// How long CONNECT may take to arrive.
    package var connectTimeout: Duration = .seconds(5)
    package var clientIDBytesMax = 256
    /// Bytes of a topic name that a client may give an alias; the broker has the same limit for all names.
    package var topicBytesMax = 1_024
    /// Bytes of output that wait for a client before deliveries rest.
    package var outputBytesMax = 256 << 10
    /// Bytes of packets that have begun to come, of all connections together.
    package var unfinishedBytesMax = 64 << 20
    /// Seconds of keep-alive that a client may ask for (mosquitto's `max_keepalive`); 65,535 allows none at all too.
    package var keepAliveMax: UInt16 = .max
    /// Receive Maximum towards us, as announced to MQTT 5 clients.
    package var receiveMaximum: UInt16 = 20
    /// Whether payloads that are said to be UTF-8 are looked at (MQTT 5.0 §3.3.2.3.2).
    package var checksPayloadFormat = false
    /// What clients that ask for Response Information hear: where their response topics may begin (MQTT 5.0
    /// §3.2.2.3.15). A level that is `%c` stands for the client's id. Empty for nothing.
    package var responseInformation = ByteString()
    /// Where clients are sent to when the server goes, or at once (MQTT 5.0 §4.11); nil for nowhere.
    package var redirection: ServerRedirection?
    /// Messages at QoS 2 that a client of MQTT 3, which cannot be told, may have open.
    package var openMessagesMax: UInt16 = 1_000
    /// Whether retained messages are kept: said in CONNACK.
    package var retainAvailable = true
    /// Whether subscriptions may be shared: said in CONNACK.
    package var sharedSubscriptionsAvailable = true
    /// Seconds that the sessions of MQTT 3 clients with CleanSession 0 stay; `UInt32.max` for ever.
    package var persistentSessionExpiry: UInt32 = .max

    /// Re-authentications that a connection may begin in a minute (MQTT 5.0 §4.12.1).
    package var reauthenticationsPerMinuteMax = 10
    /// 32 bytes of chance, drawn once in a process: what keeps the nonces of authentication methods from being guessed.
    package var nonceSecret = ByteString()

    /// What differs between listeners, by their number; one that is not listed has the defaults.
    package var listeners: [Listener] = []

    package init() {}

    /// What holds for the clients of one listener.
    package struct Listener: Equatable, Sendable {
        /// Whether clients may come without having shown who they are.
        package var allowsAnonymous = true
        /// Whether nobody comes whom the transport has not identified: `Connections.identified`.
        package var demandsTransportIdentity = false
        /// Who may show it by SCRAM (MQTT 5.0 §4.12); nil where the method is not spoken.
        package var scramUsers: ScramUsers?
        /// Who may show it by a password in CONNECT; nil where none is looked at.
        package var passwordUsers: PasswordUsers?
        /// Connections at one time.
        package var connectionsMax = Int.max
        /// The highest QoS that is served, announced as Maximum QoS (MQTT 5.0 §3.2.2.3.4).
        package var qosMax = QoS.exactlyOnce
        /// Topic aliases that a client may use (MQTT 5.0 §3.2.2.3.8).
        package var topicAliasMax: UInt16 = 16
        /// Topic aliases that we use towards a client that takes them, at most (MQTT 5.0 §3.1.2.11.5). Each remembers
        /// its topic's name.
        package var outgoingAliasMax: UInt16 = 16
        /// Whether a client may come without an id (mosquitto's `allow_zero_length_clientid`).
        package var allowsEmptyClientID = true
        /// What ids that the broker chooses begin with.
        package var assignedClientIDPrefix: ClientID = "auto-"

        package init() {}
    }
}

/// Where clients are to go instead: MQTT 5.0 §4.11.
package struct ServerRedirection: Equatable, Sendable {
    /// One server or more, `HOST` or `HOST:PORT`, with spaces between them.
    package var references: ByteString
    /// Whether for good, "server moved", or for now, "use another server".
    package var isPermanent: Bool
    /// Whether clients are sent on when they connect, and not only when this server goes.
    package var refusesNewClients: Bool

    package init(references: ByteString, isPermanent: Bool = false, refusesNewClients: Bool = false) {
        self.references = references
        self.isPermanent = isPermanent
        self.refusesNewClients = refusesNewClients
    }
}
