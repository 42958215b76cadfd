public import Bytes

/// A message as the fronts write it out: views into the broker's memory, valid until the broker is next asked.
@frozen
public struct MessageView {
    /// Different for each message that the broker took: two views with one serial show the same message.
    public var serial: UInt64
    /// The interned topic.
    public var topic: TopicID
    /// Its name.
    public var topicName: ByteView
    /// MQTT 5 properties that travel with the message unaltered, encoded as on the wire in the publisher's order:
    /// Payload Format Indicator, Content Type, Response Topic, Correlation Data, User Properties (MQTT 5.0 §3.3.2.3).
    public var properties: ByteView
    /// The application message.
    public var payload: ByteView
    /// Seconds until the message expires, already counted down; nil if it never does [MQTT-3.3.2-6].
    public var messageExpiryInterval: UInt32?

    @inlinable
    public init(
        serial: UInt64, topic: TopicID, topicName: ByteView, properties: ByteView, payload: ByteView,
        messageExpiryInterval: UInt32?
    ) {
        self.serial = serial
        self.topic = topic
        self.topicName = topicName
        self.properties = properties
        self.payload = payload
        self.messageExpiryInterval = messageExpiryInterval
    }
}

/// The subscription identifiers that a delivery carries (MQTT 5.0 §3.3.2.3.8): none, one inline, or a list that the
/// broker keeps and `Broker.identifiers(_:)` shows.
@frozen
public struct SubscriptionIdentifiers: Hashable, Sendable {
    public let raw: UInt32

    @inlinable
    public init(raw: UInt32) { self.raw = raw }

    @inlinable
    public static var none: SubscriptionIdentifiers { SubscriptionIdentifiers(raw: 0) }

    /// One identifier, 1 to 268,435,455.
    @inlinable
    public static func one(_ identifier: UInt32) -> SubscriptionIdentifiers {
        SubscriptionIdentifiers(raw: identifier & 0x0FFF_FFFF)
    }

    /// A list in the broker's table.
    @inlinable
    public static func list(_ index: Int) -> SubscriptionIdentifiers {
        SubscriptionIdentifiers(raw: 0x8000_0000 | UInt32(index))
    }

    /// The place of the list, if there is more than one identifier.
    @inlinable
    public var listIndex: Int? { raw & 0x8000_0000 != 0 ? Int(raw & 0x7FFF_FFFF) : nil }
}

/// One message on its way to one link.
@frozen
public struct Delivery: Equatable, Sendable {
    public var message: MessageHandle
    public var topic: TopicID
    public var identifiers: SubscriptionIdentifiers
    /// 0 at QoS 0.
    public var packetIdentifier: UInt16
    public var qos: QoS
    public var isDuplicate: Bool
    public var retain: Bool
    /// Whether the journal has something that must be safe before this leaves (DESIGN §5): at QoS 2 the packet
    /// identifier, at QoS 0 that the message waits no more.
    public var isRecorded = false

    @inlinable
    public init(
        message: MessageHandle, topic: TopicID, identifiers: SubscriptionIdentifiers = .none,
        packetIdentifier: UInt16, qos: QoS, isDuplicate: Bool = false, retain: Bool
    ) {
        self.message = message
        self.topic = topic
        self.identifiers = identifiers
        self.packetIdentifier = packetIdentifier
        self.qos = qos
        self.isDuplicate = isDuplicate
        self.retain = retain
    }
}

/// A will: the message published for a client that goes without saying so (MQTT 5.0 §3.1.2.5, MQTT-SN 1.2 §6.4).
public struct Will: Equatable, Sendable {
    public var topic: ByteString
    /// Properties that travel with the message, as in `MessageView.properties`.
    public var properties: ByteString
    public var payload: ByteString
    public var qos: QoS
    public var retain: Bool
    /// Seconds between the end of the connection and the will; 0 before MQTT 5 (§3.1.3.2.2).
    public var delayInterval: UInt32
    public var messageExpiryInterval: UInt32?

    public init(
        topic: ByteString, properties: ByteString = ByteString(), payload: ByteString, qos: QoS, retain: Bool,
        delayInterval: UInt32 = 0, messageExpiryInterval: UInt32? = nil
    ) {
        self.topic = topic
        self.properties = properties
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.delayInterval = delayInterval
        self.messageExpiryInterval = messageExpiryInterval
    }
}
