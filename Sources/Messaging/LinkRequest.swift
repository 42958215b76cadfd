package import Bytes

/// What a link asks of the broker: the words that MQTT connections and MQTT-SN devices share (DESIGN §1).
///
/// Views in a request are valid during the call that hands it over.
package enum LinkRequest {
    /// The client is who it says it is; give it its session. Answered by `attached` or `refused`.
    case attach(SessionOffer)
    /// The link ends. No answer; the link is the front's to reuse.
    case detach(Farewell)
    /// A message from the client. At QoS 1 and 2 answered by `acknowledge`; at QoS 0 only a refusal is.
    case publish(IncomingPublish)
    /// PUBREL for a message that the client published at QoS 2. Answered by PUBCOMP.
    case release(packetIdentifier: UInt16)
    /// The client's own acknowledgement of a delivery.
    case acknowledge(Acknowledgement)
    /// A link that takes one delivery at a time has sent, or given up, its delivery at QoS 0.
    case delivered
    /// This link can never carry the delivery (too long, its topic refused): drop and count it.
    case abandon(packetIdentifier: UInt16)
    /// The window: whether deliveries may come. Closed while a device sleeps or a connection's output is full.
    case window(isOpen: Bool)
    /// Answered by `subscribed`, with one outcome each and in order.
    case subscribe(packetIdentifier: UInt16, [SubscriptionRequest])
    /// Answered by `unsubscribed`, with one outcome each and in order.
    case unsubscribe(packetIdentifier: UInt16, [ByteString])
    /// A device wants a number for a topic name. Answered by `resolved`; the topic stays kept until `forget`.
    case resolve(token: UInt16, name: ByteView)
    /// The link holds this topic under a number: keep it interned.
    case keep(TopicID)
    /// The link no longer needs the topic.
    case forget(TopicID)
    /// A new will, or none (MQTT-SN 1.2 §6.4).
    case setWill(Will?)
}

/// What the broker tells a link.
package enum LinkAnswer: Equatable {
    case attached(Attached)
    case refused(Refusal)
    /// The broker ends the link; it is already detached.
    case close(CloseReason)
    /// An answer to the client's PUBLISH or PUBREL, or PUBREL for a delivery.
    case acknowledge(Acknowledgement)
    case deliver(Delivery)
    case subscribed(packetIdentifier: UInt16, [SubscriptionOutcome])
    case unsubscribed(packetIdentifier: UInt16, [UnsubscriptionOutcome])
    case resolved(token: UInt16, TopicID?, Refusal?)
    /// Everything that waited has been delivered and acknowledged: a device's wake can end (MQTT-SN 1.2 §6.14).
    case drained
}

/// What a client brings to its CONNECT.
package struct SessionOffer: Equatable, Sendable {
    /// Empty if the broker shall choose one [MQTT-3.1.3-6].
    package var clientID: ClientID
    /// Whether an older session is discarded (§3.1.2.4).
    package var cleanStart: Bool
    /// Seconds that the session outlives its link; `UInt32.max` for ever (§3.1.2.11.2).
    package var sessionExpiryInterval: UInt32
    /// How deliveries reach this link.
    package var pace: Pace
    package var will: Will?
    /// How many messages at QoS 2 the client may have open towards us: Receive Maximum as we announced it (§3.2.2.3.3),
    /// or the limit for a protocol that cannot announce one.
    package var receiveMaximum: UInt16
    /// Who authenticated; nil for nobody in particular.
    package var userName: ByteString?
    /// The listener that the client came by, whose access rules it is under.
    package var listener: UInt16
    /// What may wait while the link sleeps or is away, if that differs from the broker's own limits.
    package var sleepQueue: QueueLimits?
    /// What an id begins with that the broker chooses.
    package var assignedClientIDPrefix: ClientID
    /// The packet identifier of the first delivery at QoS 1 or 2, if the session is a new one; not 0. A front whose
    /// clients cannot tell that a session is new draws it by chance, so that no handshake of the session before is
    /// taken for it.
    package var firstPacketIdentifier: UInt16

    /// How deliveries reach a link.
    package enum Pace: Equatable, Sendable {
        /// MQTT: up to Receive Maximum unacknowledged at QoS 1 and 2, any number at QoS 0 (§4.9).
        case window(UInt16)
        /// MQTT-SN: one delivery of any QoS until it is acknowledged or `delivered`, and every QoS waits while the
        /// window is closed (MQTT-SN 1.2 §6.10, §6.14).
        case oneAtATime
    }

    package init(
        clientID: ClientID, cleanStart: Bool, sessionExpiryInterval: UInt32, pace: Pace, will: Will? = nil,
        receiveMaximum: UInt16 = 20, userName: ByteString? = nil, listener: UInt16 = 0,
        sleepQueue: QueueLimits? = nil, assignedClientIDPrefix: ClientID = "auto-",
        firstPacketIdentifier: UInt16 = 1
    ) {
        self.clientID = clientID
        self.cleanStart = cleanStart
        self.sessionExpiryInterval = sessionExpiryInterval
        self.pace = pace
        self.will = will
        self.receiveMaximum = receiveMaximum
        self.userName = userName
        self.listener = listener
        self.sleepQueue = sleepQueue
        self.assignedClientIDPrefix = assignedClientIDPrefix
        self.firstPacketIdentifier = firstPacketIdentifier
    }
}

/// How much may wait for one session.
package struct QueueLimits: Equatable, Sendable {
    package var messages: Int
    /// Bytes, as the broker counts them.
    package var bytes: Int
    /// Seconds after which a message that still waits is not delivered any more; 0 for no limit.
    package var expiry: UInt32
    /// What gives way when it is full; nil leaves that to the broker's own policy.
    package var whenFull: WhenFull?
    /// Whether a message takes the place of the one of its topic that waits.
    package var keepsLast: Bool

    /// What gives way to a message that finds no room.
    package enum WhenFull: UInt8, Equatable, Sendable {
        /// The message itself.
        case dropNewest
        /// What has waited longest.
        case dropOldest
    }

    package init(
        messages: Int, bytes: Int, expiry: UInt32 = 0, whenFull: WhenFull? = nil, keepsLast: Bool = false
    ) {
        self.messages = messages
        self.bytes = bytes
        self.expiry = expiry
        self.whenFull = whenFull
        self.keepsLast = keepsLast
    }
}

/// The broker's answer to an accepted `SessionOffer`.
package struct Attached: Equatable, Sendable {
    package var sessionPresent: Bool
    /// The id the broker chose, where the client brought none.
    package var assignedClientID: ClientID?
    /// The expiry that holds, if the server's maximum shortened it.
    package var sessionExpiryInterval: UInt32

    package init(sessionPresent: Bool, assignedClientID: ClientID? = nil, sessionExpiryInterval: UInt32) {
        self.sessionPresent = sessionPresent
        self.assignedClientID = assignedClientID
        self.sessionExpiryInterval = sessionExpiryInterval
    }
}

/// How a link ended.
package struct Farewell: Equatable, Sendable {
    /// Whether the client's will is to be published: every end but an orderly DISCONNECT [MQTT-3.1.2-8].
    package var publishesWill: Bool
    /// A new session expiry from DISCONNECT (MQTT 5.0 §3.14.2.2.2).
    package var sessionExpiryInterval: UInt32?

    package init(publishesWill: Bool, sessionExpiryInterval: UInt32? = nil) {
        self.publishesWill = publishesWill
        self.sessionExpiryInterval = sessionExpiryInterval
    }
}

/// A PUBLISH on its way in.
@frozen
package struct IncomingPublish {
    package var topic: Topic
    package var qos: QoS
    package var retain: Bool
    package var isDuplicate: Bool
    /// 0 at QoS 0.
    package var packetIdentifier: UInt16
    /// As in `MessageView.properties`.
    package var properties: ByteView
    package var payload: ByteView
    package var messageExpiryInterval: UInt32?

    /// By name, or by the number that the broker gave.
    @frozen
    package enum Topic {
        case name(ByteView)
        case id(TopicID)
    }

    @inlinable
    package init(
        topic: Topic, qos: QoS, retain: Bool, isDuplicate: Bool = false, packetIdentifier: UInt16 = 0,
        properties: ByteView = .empty, payload: ByteView, messageExpiryInterval: UInt32? = nil
    ) {
        self.topic = topic
        self.qos = qos
        self.retain = retain
        self.isDuplicate = isDuplicate
        self.packetIdentifier = packetIdentifier
        self.properties = properties
        self.payload = payload
        self.messageExpiryInterval = messageExpiryInterval
    }
}

/// One step of a QoS handshake, in either direction (MQTT 5.0 §4.3, MQTT-SN 1.2 §5.4.13 and §5.4.14).
@frozen
package struct Acknowledgement: Equatable, Sendable {
    package var kind: Kind
    package var packetIdentifier: UInt16
    package var outcome: PublishOutcome

    /// Which step, in the words of MQTT.
    @frozen
    package enum Kind: UInt8, Sendable {
        case puback, pubrec, pubrel, pubcomp
    }

    @inlinable
    package init(_ kind: Kind, _ packetIdentifier: UInt16, _ outcome: PublishOutcome = .success) {
        self.kind = kind
        self.packetIdentifier = packetIdentifier
        self.outcome = outcome
    }
}

/// How a PUBLISH, or a step of its handshake, went; each front says it in its protocol's own code.
@frozen
package enum PublishOutcome: UInt8, Sendable {
    case success
    case noMatchingSubscribers
    case unspecifiedError
    case notAuthorized
    case topicNameInvalid
    case packetIdentifierInUse
    case packetIdentifierNotFound
    case quotaExceeded
    case receiveMaximumExceeded
    /// Everybody got it, but there is no room to retain it.
    case notRetained

    /// Whether the message was taken.
    @inlinable
    package var isAccepted: Bool { self == .success || self == .noMatchingSubscribers }
}

/// One filter of a SUBSCRIBE with its options (MQTT 5.0 §3.8.3.1).
package struct SubscriptionRequest: Equatable, Sendable {
    package var filter: ByteString
    package var options: SubscriptionOptions

    package init(filter: ByteString, options: SubscriptionOptions) {
        self.filter = filter
        self.options = options
    }
}

/// How a subscription wants its messages.
@frozen
package struct SubscriptionOptions: Hashable, Sendable {
    package var maximumQoS: QoS
    package var noLocal: Bool
    package var retainAsPublished: Bool
    package var retainHandling: RetainHandling
    /// 1 to 268,435,455, or 0 for none (§3.8.2.1.2).
    package var identifier: UInt32

    /// Whether the retained messages come with the subscription (MQTT 5.0 §3.8.3.1).
    @frozen
    package enum RetainHandling: UInt8, Sendable {
        case sendAtSubscribe = 0
        case sendIfNew = 1
        case doNotSend = 2
    }

    @inlinable
    package init(
        maximumQoS: QoS, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAtSubscribe, identifier: UInt32 = 0
    ) {
        self.maximumQoS = maximumQoS
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
        self.identifier = identifier
    }
}

/// The answer to one filter of a SUBSCRIBE.
package enum SubscriptionOutcome: Equatable, Sendable {
    /// Granted; with the interned topic when the filter is a plain name, which stays kept while subscribed.
    case granted(QoS, TopicID?)
    case refused(Refusal)
}

/// The answer to one filter of an UNSUBSCRIBE.
package enum UnsubscriptionOutcome: Equatable, Sendable {
    case removed
    case noSubscriptionExisted
    case refused(Refusal)
}

/// Why something asked for was not given; each front says it in its protocol's own code.
package enum Refusal: Equatable, Sendable {
    case clientIdentifierNotValid
    case topicFilterInvalid
    case topicNameInvalid
    case notAuthorized
    case quotaExceeded
    case sharedSubscriptionsNotSupported
    case serverUnavailable
}

/// Why the broker ends a link.
package enum CloseReason: Equatable, Sendable {
    /// Another link attached with the same client id [MQTT-3.1.4-3].
    case sessionTakenOver
    case serverShuttingDown
    case administrativeAction
    case protocolError
    case quotaExceeded
    case receiveMaximumExceeded
}
