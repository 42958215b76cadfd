package import Bytes
/// Quality of service of a message: MQTT 5.0 §4.3. MQTT-SN's level -1 is a PUBLISH without a session, not a quality
/// that a message keeps; it enters the broker at level 0.
@frozen
package enum QoS: UInt8, Comparable, Sendable {
    case atMostOnce = 0
    case atLeastOnce = 1
    case exactlyOnce = 2

    @inlinable
    package static func < (left: QoS, right: QoS) -> Bool { left.rawValue < right.rawValue }
}

/// An interned topic name: the place of its `Topic` in the broker's table, valid while somebody keeps the topic.
@frozen
package struct TopicID: Hashable, Sendable {
    package let index: UInt32

    @inlinable
    package init(index: UInt32) { self.index = index }
}

/// A message that the broker holds, valid while somebody holds it or, for `passing`, during one turn of events.
@frozen
package struct MessageHandle: Hashable, Sendable {
    package let index: UInt32

    @inlinable
    package init(index: UInt32) { self.index = index }

    /// The message that is being published right now and still lies in the reader's buffer.
    @inlinable
    package static var passing: MessageHandle { MessageHandle(index: 0) }
}

/// One end of the wire as the broker sees it: an MQTT connection or an MQTT-SN device.
@frozen
package struct LinkID: Hashable, Sendable {
    @usableFromInline let raw: UInt32

    @usableFromInline init(raw: UInt32) { self.raw = raw }

    /// The link of the MQTT connection in `slot`.
    @inlinable
    package static func connection(_ slot: Int) -> LinkID { LinkID(raw: UInt32(slot)) }

    /// The link of the MQTT-SN device in `slot`.
    @inlinable
    package static func device(_ slot: Int) -> LinkID { LinkID(raw: UInt32(slot) | 0x8000_0000) }

    /// Whether a device is at this end.
    @inlinable
    package var isDevice: Bool { raw & 0x8000_0000 != 0 }

    /// The place in the table of connections or of devices.
    @inlinable
    package var slot: Int { Int(raw & 0x7FFF_FFFF) }
}

/// The name a session goes by, in MQTT and MQTT-SN alike [D-45].
package typealias ClientID = ByteString
