internal import Bytes
internal import Clockwork
internal import DequeModule
internal import Messaging
internal import OrderedCollections

/// What a client or device has here: its subscriptions, its messages, its will. It may outlive its link
/// (MQTT 5.0 §4.1, MQTT-SN 1.2 §6.3), and it is the same for both protocols (DESIGN §1).
struct Session {
    let clientID: ClientID
    /// Who owns the client id; nil for anybody.
    var userName: ByteString?
    /// Both wills; few sessions have any.
    private var wills = Wills.none
    var subscriptions = SubscriptionSet()

    /// Deliveries not yet handed to a link, oldest first.
    var queue = DeliveryQueue()
    /// Properties and payloads of the queue, in bytes.
    var queuedBytes = 0
    /// When the first of the queue expires, in seconds since 1970, or a time before that.
    var soonestExpiry = Int64.max
    /// Messages that the queue was too small for, since it was last empty.
    var turnedAway: UInt64 = 0
    /// Deliveries handed to the link and not yet acknowledged, in the order they were sent.
    var inflight = InflightWindow()
    /// Retained messages that a subscription is still owed, in order.
    var owedRetained: Deque<OwedRetained> = []
    /// Filters whose retained messages have not been looked for yet, each once however often it was subscribed to.
    var owedSearches: OrderedDictionary<ByteString, OwedSearch> = [:]
    /// Messages at QoS 2 that the client published and has not released.
    var received = ReceivedMessages()
    /// The number of the delivery that was told to the journal last.
    var lastSequence: UInt64 = 0
    /// The packet identifier given last.
    var lastPacketIdentifier: UInt16 = 0
    /// What may wait while the link sleeps or is away: a place in the broker's `SleepRules`; 0 for its own limits.
    var sleepRules: UInt16 = 0
    /// The listener that its link came by, or the last one did.
    var listener = ClientIdentity.unknownListener
    /// Whether the slot has a session; false after `free`.
    private(set) var isLive = true
    /// Whether the journal knows the session.
    var isJournaled = false
    /// Whether this session's last link was a device's.
    var isDevice = false
    /// Whether the session stands in the line of those with work left for the next turn.
    var isInLine = false
    /// Whether it stands in the line of those that wait for a search.
    var isInSearchLine = false
    /// Whether deliveries of shared subscriptions may wait or be in flight here.
    var mayHoldShared = false
    /// The access rules that what waits was last checked by; 0 when it has to be checked again.
    var checkedRules: UInt32 = 0
    /// The client among those who published retained messages; 0 if it never did.
    var publisher: UInt32 = 0
    /// Seconds that the session outlives its link; `UInt32.max` for ever.
    var expiryInterval: UInt32
    var attachment: Attachment?

    init(clientID: ClientID, userName: ByteString?, expiryInterval: UInt32) {
        self.clientID = clientID
        self.userName = userName
        self.expiryInterval = expiryInterval
    }

    var will: Will? {
        get { wills.ofLink }
        set { wills = Wills(ofLink: newValue, pending: wills.pending) }
    }

    /// A will that waits for its delay (MQTT 5.0 §3.1.3.2.2); the client is away.
    var pendingWill: Will? {
        get { wills.pending }
        set { wills = Wills(ofLink: wills.ofLink, pending: newValue) }
    }

    /// How many retained messages were found and wait to be sent, and how many searches have not come to their end.
    var owed: (found: Int, searches: Int) { (owedRetained.count, owedSearches.count) }

    /// What a slot without a session holds.
    static var free: Session {
        var session = Session(clientID: ClientID(), userName: nil, expiryInterval: 0)
        session.isLive = false
        return session
    }

    /// A packet identifier that is not in flight [MQTT-2.2.1-4]. There is always one: the window is smaller than
    /// the number of identifiers. What was in flight before and keeps its identifier goes out before anything that
    /// needs a new one.
    mutating func nextPacketIdentifier() -> UInt16 {
        precondition(queue.returned.isEmpty, "a delivery overtakes one that has its identifier already")
        // Devices are about that read a MsgId as a signed number.
        let highest: UInt16 = isDevice ? 0x7FFF : .max
        lastPacketIdentifier = inflight.freeIdentifier(after: lastPacketIdentifier, upTo: highest)
        return lastPacketIdentifier
    }
}

extension Session {
    /// A number for the journal's next delivery; its lower half, which is never 0, is what the delivery carries.
    mutating func nextSequence() -> UInt32 {
        lastSequence += UInt32(truncatingIfNeeded: lastSequence) == .max ? 2 : 1
        return UInt32(truncatingIfNeeded: lastSequence)
    }

    /// The number of which a delivery carries the lower half: fewer than 2^32 are about.
    func fullSequence(_ sequence: UInt32) -> UInt64 {
        lastSequence - UInt64(UInt32(truncatingIfNeeded: lastSequence) &- sequence)
    }
}

/// The will of a session's link, and the one of a former link that waits: in memory of their own, a word where there
/// are none.
private indirect enum Wills {
    case none
    case some(ofLink: Will?, pending: Will?)

    init(ofLink: Will?, pending: Will?) {
        self = ofLink == nil && pending == nil ? .none : .some(ofLink: ofLink, pending: pending)
    }

    var ofLink: Will? {
        if case .some(let will, _) = self { will } else { nil }
    }

    var pending: Will? {
        if case .some(_, let will) = self { will } else { nil }
    }
}

/// A session's present link.
struct Attachment {
    let link: LinkID
    let pace: SessionOffer.Pace
    /// The most deliveries in flight at QoS 1 and 2.
    let window: UInt16
    /// The most messages at QoS 2 that the client may have open.
    let receiveMaximum: UInt16
    /// Whether deliveries may come.
    var isOpen = true
    /// Whether the link waits to hear that nothing waits any more.
    var awaitsDrained = false
    /// One at a time: the delivery at QoS 0 that the link is busy with, and the identifier that names it.
    var busyWith: BusyDelivery?
}

/// A delivery at QoS 0 that a link of one at a time is busy with.
struct BusyDelivery {
    var message: MessageHandle
    var identifiers: SubscriptionIdentifiers
}

/// One delivery that waits: 20 bytes.
struct QueuedDelivery {
    /// What is in the entry: a message, or the PUBREL of one that the client has received.
    enum Phase: UInt8 { case message, release }

    var message: MessageHandle
    var identifiers: SubscriptionIdentifiers
    /// The shared subscription that it came by, as `SharedGroups.serial(of:)`; 0 for none.
    var group: UInt32
    /// Its number in the journal, as `Session.nextSequence()` gave it; 0 for none.
    var sequence: UInt32
    /// Set when the message was in flight before: it goes out under the same one, as a duplicate [MQTT-4.4.0-1].
    var packetIdentifier: UInt16
    /// QoS in the lowest two bits, then `retain`, the phase, and whether it is in its session's part of the memory.
    private var bits: UInt8

    init(
        message: MessageHandle, identifiers: SubscriptionIdentifiers, packetIdentifier: UInt16, qos: QoS,
        retain: Bool, phase: Phase, group: UInt32 = 0, sequence: UInt32 = 0
    ) {
        self.message = message
        self.identifiers = identifiers
        self.group = group
        self.sequence = sequence
        self.packetIdentifier = packetIdentifier
        bits = qos.rawValue | (retain ? 0b0100 : 0) | phase.rawValue << 3
    }

    var qos: QoS { QoS(rawValue: bits & 0b0011) ?? .atMostOnce }
    var retain: Bool { bits & 0b0100 != 0 }
    var phase: Phase {
        get { bits & 0b1000 == 0 ? .message : .release }
        set { bits = bits & ~0b1000 | newValue.rawValue << 3 }
    }
    /// Whether its bytes count in its session's part of the memory [M-100].
    var isInPart: Bool {
        get { bits & 0b1_0000 != 0 }
        set { bits = bits & ~0b1_0000 | (newValue ? 0b1_0000 : 0) }
    }

    /// Whether the client has seen nothing of it yet.
    var isFresh: Bool { phase == .message && packetIdentifier == 0 }
}

/// One delivery between PUBLISH and its last acknowledgement.
struct InflightDelivery {
    /// Can transition to: `publish` to `release` by PUBREC; both end with the last acknowledgement.
    enum Phase: UInt8 { case publish, release }

    /// Released, and not to be looked at, in phase `release`.
    var message: MessageHandle
    var identifiers: SubscriptionIdentifiers
    var packetIdentifier: UInt16
    var qos: QoS
    var retain: Bool
    var phase: Phase
    /// As in `QueuedDelivery`.
    var group: UInt32 = 0
    var sequence: UInt32 = 0
}

/// A retained message that a subscription is owed; the topic is kept until it is paid.
struct OwedRetained {
    var topic: TopicID
    var maximumQoS: QoS
    var identifiers: SubscriptionIdentifiers
}

/// How a subscription wants the retained messages that are still to be looked for.
struct OwedSearch {
    var maximumQoS: QoS
    var identifiers: SubscriptionIdentifiers
    /// Where the search stands; nil before it has begun.
    var cursor: RetainedTree.Cursor?
}

/// A message at QoS 2 between PUBLISH and PUBREL.
struct ReceivedMessage {
    var packetIdentifier: UInt16
    var message: MessageHandle
    var retain: Bool
}
