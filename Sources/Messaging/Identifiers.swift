public import Bytes
/// Quality of service of a message: MQTT 5.0 §4.3. MQTT-SN's level -1 is a PUBLISH without a session, not a quality
/// that a message keeps; it enters the broker at level 0.
@frozen
public enum QoS: UInt8, Comparable, Sendable {
    case atMostOnce = 0
    case atLeastOnce = 1
    case exactlyOnce = 2

    /// The level as a number: what `rawValue` says, but inlined in other modules.
    @inlinable
    public var level: UInt8 {
        switch self {
        case .atMostOnce: 0
        case .atLeastOnce: 1
        case .exactlyOnce: 2
        }
    }

    @inlinable
    public static func == (left: QoS, right: QoS) -> Bool { left.level == right.level }

    @inlinable
    public static func < (left: QoS, right: QoS) -> Bool { left.level < right.level }
}

/// An interned topic name: the place of its `Topic` in the broker's table, valid while somebody keeps the topic.
@frozen
public struct TopicID: Hashable, Sendable {
    public let index: UInt32

    @inlinable
    public init(index: UInt32) { self.index = index }
}

/// A message that the broker holds, valid while somebody holds it or, for `passing`, during one turn of events.
@frozen
public struct MessageHandle: Hashable, Sendable {
    public let index: UInt32

    @inlinable
    public init(index: UInt32) { self.index = index }

    /// The message that is being published right now and still lies in the reader's buffer.
    @inlinable
    public static var passing: MessageHandle { MessageHandle(index: 0) }
}

/// One end of the wire as the broker sees it: an MQTT connection or an MQTT-SN device.
@frozen
public struct LinkID: Hashable, Sendable {
    @usableFromInline let raw: UInt32

    @usableFromInline init(raw: UInt32) { self.raw = raw }

    /// The link of the MQTT connection in `slot`.
    @inlinable
    public static func connection(_ slot: Int) -> LinkID { LinkID(raw: UInt32(slot)) }

    /// The link of the MQTT-SN device in `slot`.
    @inlinable
    public static func device(_ slot: Int) -> LinkID { LinkID(raw: UInt32(slot) | 0x8000_0000) }

    /// Whether a device is at this end.
    @inlinable
    public var isDevice: Bool { raw & 0x8000_0000 != 0 }

    /// The place in the table of connections or of devices.
    @inlinable
    public var slot: Int { Int(raw & 0x7FFF_FFFF) }
}

/// The name a session goes by, in MQTT and MQTT-SN alike [D-45].
public typealias ClientID = ByteString
