internal import Bytes
internal import Clockwork
internal import Messaging

/// What the gateway remembers of a device, as long as it is connected or its session lives.
struct Device {
    /// Where it is reached, or was last.
    var path: DatagramPath
    var clientID: ClientID
    var topics = TopicRegistry()
    var uplinks = Uplinks()
    /// SUBSCRIBE and UNSUBSCRIBE that the broker has not answered; mostly empty.
    var transactions: [Transaction] = []
    /// When it was last heard, or when its sleep began again.
    var heard: Instant
    /// When it may be told of an error at QoS 0 again [D-08], or be sent again what a repeated PINGREQ asks for [D-19].
    var errorsFrom = Instant(nanoseconds: 0)
    // From here on, what is not a whole number of words: in this order it leaves no gaps.
    var exchange = Exchange.idle
    /// MsgId of the gateway's last REGISTER.
    var registerID: UInt16
    /// TopicId of its last PUBLISH at QoS 0, which a refusal repeats; 0 if it wants no answer.
    var lastTopicID: UInt16 = 0
    var state: State
    /// How often what is awaited was sent again.
    var retries: UInt8 = 0
    /// PINGREQ sent since it was last heard [D-47].
    var pings: UInt8 = 0
    /// Whether anything but CONNECT came since CONNACK: then a repeated CONNECT is more than a lost CONNACK.
    var hasSpoken = false
    /// Whether its address leads to it; an address belongs to the device that spoke last.
    var isBound = false
    /// Whether somebody else claims its client id [D-15].
    var isChallenged = false
    /// Whether it stands among those that changed.
    var isChangeNoted = false
    /// Whether the store has a record of it.
    var isWritten = false
    /// Whether that, or what it lacks, is to be written anew.
    var isUnwritten = false
    /// Whether the log knows that its topic table is full.
    var isTableFullLogged = false
    /// When what was sent is sent again; nil while nothing is awaited or the device sleeps.
    var retryAt: Instant?
    /// Seconds that its session outlives the connection.
    var sessionExpiryInterval: UInt32 = 0

    init(path: DatagramPath, clientID: ClientID, state: State, heard: Instant, registerID: UInt16) {
        self.path = path
        self.clientID = clientID
        self.state = state
        self.heard = heard
        self.registerID = registerID
    }
}

/// The states of MQTT-SN 1.2 §6.14, Figure 4, and the time before CONNECT is answered:
///
/// ```
///                    CONNECT            CONNACK
///   (no record) ──────────────▶ connecting ───▶ active ◀──────────────┐
///        ▲                          │  ▲          │  │                │ CONNECT
///        │ session ends             │  │ CONNECT  │  │ DISCONNECT(t)  │
///   disconnected ◀──────────────────┘  │          │  ▼                │
///      or lost   ◀─────────────────────┴──────────┘ asleep ◀──▶ awake ┘
///                   DISCONNECT, silence               │  PINGREQ(id), PINGRESP
///                ◀────────────────────────────────────┘
/// ```
enum State {
    /// CONNECT came and is not answered yet: the will is asked for, or the broker.
    /// Can transition to: active, and where it came from: no record, disconnected, lost, asleep.
    indirect case connecting(Connecting)
    /// Supervised by keep-alive. Can transition to: connecting, asleep, disconnected, lost.
    case active(Active)
    /// Supervised by the sleep duration; deliveries wait. Can transition to: awake, active, connecting, disconnected,
    /// lost.
    case asleep(Asleep)
    /// Takes what waited for it. Can transition to: asleep, active, connecting, disconnected, lost.
    case awake(Awake)
    /// Said goodbye; its session may live. Can transition to: connecting, no record.
    case disconnected(Away)
    /// Fell silent; its session may live. Can transition to: connecting, no record.
    case lost(Away)

    var kind: DeviceState {
        switch self {
        case .connecting: .connecting
        case .active: .active
        case .asleep: .asleep
        case .awake: .awake
        case .disconnected: .disconnected
        case .lost: .lost
        }
    }

    /// Whether the broker knows the link.
    var isAttached: Bool {
        switch self {
        case .connecting(let connecting): connecting.isResuming
        case .active, .asleep, .awake: true
        case .disconnected, .lost: false
        }
    }
}

/// CONNECT as it came, to recognise its repetition [D-01].
struct ConnectRequest: Equatable {
    var will: Bool
    var cleanSession: Bool
    /// Keep-alive in seconds; 0 for no supervision.
    var duration: UInt16
}

struct Connecting {
    var request: ConnectRequest
    var step: Step
    var origin: Origin

    enum Step {
        /// WILLTOPICREQ was sent (§6.2). Can transition to: willMessage, attaching.
        case willTopic
        /// WILLMSGREQ was sent. Can transition to: attaching.
        case willMessage(Will)
        /// The broker was asked for the session, with this will.
        case attaching(Will?)
    }

    /// What the device is again if nothing comes of it [D-35].
    enum Origin {
        case new
        case disconnected(Away)
        case lost(Away)
        /// CONNECT from sleep: the session is there already [D-02].
        case asleep(Asleep)
    }

    var isResuming: Bool {
        if case .asleep = origin { return true }
        return false
    }

    var isAttaching: Bool {
        if case .attaching = step { return true }
        return false
    }
}

struct Active {
    var request: ConnectRequest
    /// When CONNACK was sent first.
    var since: Instant
}

struct Asleep {
    /// Seconds.
    var duration: UInt16
}

struct Awake {
    var asleep: Asleep
    /// Deliveries finished in this wake [D-17].
    var deliveries = 0
}

struct Away {
    /// When the session ends; nil for never.
    var until: Instant?
}

/// A SUBSCRIBE or UNSUBSCRIBE on its way through the broker.
struct Transaction {
    var msgID: UInt16
    var kind: Kind

    enum Kind {
        case subscribe(ByteString, SubscriptionKind)
        case unsubscribe
        /// A subscription that is taken back because the device's topic table was full: nobody is told.
        case takeBack
    }

    enum SubscriptionKind {
        case plain
        case wildcard
        case alias(TopicReference)
    }
}
