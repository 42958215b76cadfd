internal import Authentication
internal import Bytes
internal import Clockwork
internal import MQTTWire
internal import Messaging

/// One MQTT connection, from the socket's opening to its end.
struct Connection {
    /// Where the connection stands.
    ///
    /// ```
    /// opened --CONNECT--> attaching --attached--> connected --DISCONNECT, fault, timeout--> closing
    ///    \                 ^                                                              ^
    ///     \--CONNECT with method--> authenticating --proof--> attaching                  |
    ///      |--CONNECT with password--> verifying --passed--> attaching                     |
    ///      \------------------- fault, timeout, refusal ----------------------------------/
    /// ```
    /// From every state the slot becomes free when the socket ends.
    enum State {
        /// No socket uses the slot. Can transition to: `opened`.
        case free
        /// Waits for CONNECT [MQTT-3.1.0-1]. Can transition to: `authenticating`, `attaching`, `closing`,
        /// `free`.
        case opened
        /// AUTH packets go to and fro before CONNACK (§4.12). Can transition to: `attaching`, `closing`, `free`.
        indirect case authenticating(PendingConnect)
        /// The password is being checked, elsewhere and in its own time; nothing of the session is touched before.
        /// Can transition to: `attaching`, `closing`, `free`.
        indirect case verifying(PendingConnect)
        /// The broker has been asked for the session. Can transition to: `connected`, `closing`, `free`.
        case attaching(Offer)
        /// CONNACK is sent. Can transition to: `closing`, `free`.
        case connected
        /// Nothing more is read; the socket closes when the output is flushed. Can transition to: `free`.
        case closing
    }

    /// What CONNECT said and CONNACK needs to answer.
    struct Offer {
        var requestedExpiry: UInt32
        var requestedKeepAlive: UInt16
        var cleanStart: Bool
        /// The last word of an authentication method (§4.12).
        var authenticationData: ByteString?
    }

    /// A CONNECT that waits for its client to show who it is.
    struct PendingConnect {
        var session: SessionOffer
        var offer: Offer
        /// What CONNECT has as user name, which must not be another than the one proved [M-40].
        var userName: ByteString?
    }

    /// What an authentication method is about (§4.12).
    struct Identity {
        /// The one of CONNECT, which holds as long as the connection [MQTT-4.12.0-5] [MQTT-4.12.1-1].
        var method: AuthenticationMethod
        /// Who the client has proved to be; nil before that.
        var userName: ByteString?
        /// The exchange that is going on.
        var exchange: AuthenticationExchange?
        /// Re-authentications since `countsSince`.
        var count = 0
        var countsSince: Instant
    }

    var state: State = .free
    var listener: UInt16 = 0
    /// Of the listener's rules, those that each PUBLISH meets.
    var qosMax = QoS.exactlyOnce
    var topicAliasMax: UInt16 = 0
    var version: ProtocolVersion = .v3_1_1
    var clientID = ClientID()
    /// One and a half times the keep-alive; zero for none.
    var silenceMax: Duration = .zero
    var lastHeard = Instant(nanoseconds: 0)
    /// Whether the session was to end with the connection: then DISCONNECT cannot give it a life (§3.14.2.2.2).
    var sessionEndsHere = false
    /// The longest packet the client takes [MQTT-3.1.2-24].
    var packetBytesMax = Int.max
    /// Who the client is by what secures its connection: its certificate, or its pre-shared key.
    var transportIdentity: ByteString?
    /// Who the client is, where CONNECT named an authentication method.
    var identity: Identity?
    /// Who it is by the password of CONNECT.
    var passwordUser: ByteString?
    /// Which check of a password the connection waits for.
    var checkTicket: UInt32 = 0
    /// Whether answers but CONNACK and DISCONNECT may carry a Reason String [MQTT-3.1.2-29].
    var wantsProblemInformation = true
    /// Whether CONNACK may carry Response Information [MQTT-3.1.2-28].
    var wantsResponseInformation = false
    /// Topics by alias, as we told the client.
    var outgoing = OutgoingAliases()
    /// Topics by alias, as the client set them (§3.3.2.3.4); empty until the first one.
    var aliases: [ByteString?] = []

    /// The beginning of a packet whose end has not been read yet.
    var partial = OutputBuffer()
    /// Whether `partial` held the packet before, which is now dealt with.
    var partialIsSpent = false
    /// What came before the broker's answer to CONNECT, to be handled behind it.
    var held = OutputBuffer()
    /// How many bytes of `held` the packet took that is dealt with now.
    var heldBytesSpent = 0
    /// What `partial` and `held` count in the sum of all connections.
    var unfinishedBytes = 0
    /// Bytes for the socket.
    var output = OutputBuffer()
    /// How much of them may be written.
    var gate = OutputGate()
    /// Whether the slot stands in the list of those whose output waits for the disk.
    var isGated = false
    /// Whether the slot stands in the list of those with output.
    var isDirty = false
    /// Whether the broker was told to rest.
    var isBlocked = false
    /// Whether an answer was longer than the client takes, so that it was not sent.
    var isUnanswerable = false

    mutating func freeMemory() {
        partial.deallocate()
        held.deallocate()
        output.deallocate()
        aliases = []
    }
}
