package import Bytes
package import Messaging

/// One change of what must survive a crash (DESIGN §5, docs/adr/0005-durability.md).
///
/// Sessions are named by their slot in the broker, messages by their serial, deliveries by their session and a
/// sequence number. Records mean what they say in the order in which they were appended. Views are valid as long as the
/// memory that they were read from.
package enum JournalRecord: Equatable {
    /// A session that outlives its link: it began, or something of it changed.
    case session(SessionRecord)
    /// The session is over, with its subscriptions, deliveries, received messages and will.
    case sessionGone(session: UInt32)
    /// A subscription was made, or made anew with other options.
    case subscription(SubscriptionRecord)
    case subscriptionGone(session: UInt32, filter: ByteView)
    /// A message that others refer to.
    case message(MessageRecord)
    /// Nobody refers to it any more.
    case messageGone(serial: UInt64)
    /// A message waits for a session, or is on its way to it: a new delivery, or another message in its place.
    case delivery(DeliveryRecord)
    /// The delivery has a packet identifier now, and the client may see it.
    case started(session: UInt32, sequence: UInt64, packetIdentifier: UInt16)
    /// PUBREC was seen: from now on only PUBREL is sent.
    case released(session: UInt32, sequence: UInt64)
    /// The delivery is over, whatever became of it.
    case deliveryGone(session: UInt32, sequence: UInt64)
    /// A PUBLISH at QoS 2 is held until its PUBREL (MQTT 5.0 §4.3.3).
    case received(session: UInt32, packetIdentifier: UInt16, serial: UInt64, retain: Bool)
    case receivedGone(session: UInt32, packetIdentifier: UInt16)
    /// The message is its topic's retained one.
    case retained(serial: UInt64, topic: ByteView)
    case retainedGone(topic: ByteView)
    /// A will that waits for its delay (MQTT 5.0 §3.1.3.2.2), or, for a device, for the loss of the device.
    case will(WillRecord)
    case willGone(session: UInt32)
    /// A device whose session outlives it: it is new, or something of it changed.
    case device(DeviceRecord)
    /// The device is forgotten, with its topic ids.
    case deviceGone(device: UInt32)
    /// A topic that the device knows by a number, new or with other knowledge of it.
    case deviceTopic(DeviceTopicRecord)
    /// The device knows no topic by a number any more, until it is told so.
    case deviceTopicsGone(device: UInt32)
}

/// What stays of a session beside what it has.
package struct SessionRecord: Equatable {
    package var session: UInt32
    package var clientID: ByteView
    /// Who owns the client id; nil for anybody.
    package var userName: ByteView?
    /// Seconds that the session outlives its link; `UInt32.max` for ever.
    package var expiryInterval: UInt32
    /// When its link went, in seconds since 1970; nil while it has one.
    package var awaySince: Int64?
    /// Whether its last link was a device's.
    package var isDevice: Bool

    package init(
        session: UInt32, clientID: ByteView, userName: ByteView?, expiryInterval: UInt32, awaySince: Int64?,
        isDevice: Bool
    ) {
        self.session = session
        self.clientID = clientID
        self.userName = userName
        self.expiryInterval = expiryInterval
        self.awaySince = awaySince
        self.isDevice = isDevice
    }
}

/// A subscription with its options (MQTT 5.0 §3.8.3.1).
package struct SubscriptionRecord: Equatable {
    package var session: UInt32
    /// As the client wrote it, `$share` included.
    package var filter: ByteView
    package var options: UInt8
    /// 0 for none.
    package var identifier: UInt32

    package init(session: UInt32, filter: ByteView, options: UInt8, identifier: UInt32) {
        self.session = session
        self.filter = filter
        self.options = options
        self.identifier = identifier
    }
}

/// A message as it was published.
package struct MessageRecord: Equatable {
    package var serial: UInt64
    package var topic: ByteView
    /// As in `MessageView.properties`.
    package var properties: ByteView
    package var payload: ByteView
    /// Seconds since 1970; `Int64.max` for never.
    package var expiresAt: Int64
    /// When it was taken from its publisher, in seconds since 1970.
    package var takenAt: UInt32
    package var qos: QoS
    package var retain: Bool

    package init(
        serial: UInt64, topic: ByteView, properties: ByteView, payload: ByteView, expiresAt: Int64, takenAt: UInt32,
        qos: QoS, retain: Bool
    ) {
        self.serial = serial
        self.topic = topic
        self.properties = properties
        self.payload = payload
        self.expiresAt = expiresAt
        self.takenAt = takenAt
        self.qos = qos
        self.retain = retain
    }
}

/// A message on its way to a session. A session's deliveries are in the order of their sequence numbers.
package struct DeliveryRecord: Equatable {
    package var session: UInt32
    package var sequence: UInt64
    package var serial: UInt64
    /// 0 while it waits and the client has seen nothing of it.
    package var packetIdentifier: UInt16
    package var qos: QoS
    package var retain: Bool
    /// The filter of the shared subscription that it came by; empty for none.
    package var group: ByteView
    /// Subscription identifiers, four bytes each.
    package var identifiers: ByteView

    package init(
        session: UInt32, sequence: UInt64, serial: UInt64, packetIdentifier: UInt16, qos: QoS, retain: Bool,
        group: ByteView, identifiers: ByteView
    ) {
        self.session = session
        self.sequence = sequence
        self.serial = serial
        self.packetIdentifier = packetIdentifier
        self.qos = qos
        self.retain = retain
        self.group = group
        self.identifiers = identifiers
    }
}

/// A will that outlives its client's connection.
package struct WillRecord: Equatable {
    package var session: UInt32
    /// When it is published, in seconds since 1970; `Int64.max` for not before the session ends.
    package var due: Int64
    package var topic: ByteView
    package var properties: ByteView
    package var payload: ByteView
    package var qos: QoS
    package var retain: Bool
    /// Seconds that the message lives once it is published; nil for ever.
    package var messageExpiryInterval: UInt32?

    package init(
        session: UInt32, due: Int64, topic: ByteView, properties: ByteView, payload: ByteView, qos: QoS, retain: Bool,
        messageExpiryInterval: UInt32?
    ) {
        self.session = session
        self.due = due
        self.topic = topic
        self.properties = properties
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.messageExpiryInterval = messageExpiryInterval
    }
}
