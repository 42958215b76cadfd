package import Bytes
package import Messaging

/// One MQTT-SN 1.2 message (§5.4), as a value whose bytes are views of the datagram it came in.
///
/// A case for each message type, its fields in the order and under the names of the standard.
package enum SNPacket: Equatable {
    case advertise(gwID: UInt8, duration: UInt16)
    case searchGW(radius: UInt8)
    /// `gwAdd` is empty when the gateway itself speaks (§5.4.3).
    case gwInfo(gwID: UInt8, gwAdd: ByteView)
    case connect(SNConnect)
    case connack(SNReturnCode)
    case willTopicReq
    /// nil is the empty WILLTOPIC, which deletes the will (§5.4.7).
    case willTopic(SNWillTopic?)
    case willMsgReq
    case willMsg(ByteView)
    /// `topicID` is 0x0000 from a client (§5.4.10).
    case register(topicID: UInt16, msgID: UInt16, topicName: ByteView)
    case regack(topicID: UInt16, msgID: UInt16, SNReturnCode)
    case publish(SNPublish)
    case puback(topicID: UInt16, msgID: UInt16, SNReturnCode)
    case pubrec(msgID: UInt16)
    case pubrel(msgID: UInt16)
    case pubcomp(msgID: UInt16)
    case subscribe(SNSubscribe)
    case suback(qos: QoS, topicID: UInt16, msgID: UInt16, SNReturnCode)
    case unsubscribe(SNSubscribe)
    case unsuback(msgID: UInt16)
    /// With the client id of a sleeping client that wakes, or empty (§5.4.19).
    case pingreq(clientID: ByteView)
    case pingresp
    /// With the sleep duration in seconds, or without (§5.4.21).
    case disconnect(duration: UInt16?)
    case willTopicUpd(SNWillTopic?)
    case willTopicResp(SNReturnCode)
    case willMsgUpd(ByteView)
    case willMsgResp(SNReturnCode)
    /// Forwarder encapsulation (§5.5): the message of a node behind a forwarder, still encoded.
    case encapsulated(radius: UInt8, wirelessNodeID: ByteView, message: ByteView)
}

/// CONNECT, §5.4.4.
package struct SNConnect: Equatable {
    package var will: Bool
    package var cleanSession: Bool
    /// 0x01 is the only one assigned; another is for the gateway to refuse [D-39].
    package var protocolID: UInt8
    /// Keep-alive in seconds.
    package var duration: UInt16
    package var clientID: ByteView

    package init(will: Bool, cleanSession: Bool, protocolID: UInt8 = 0x01, duration: UInt16, clientID: ByteView) {
        self.will = will
        self.cleanSession = cleanSession
        self.protocolID = protocolID
        self.duration = duration
        self.clientID = clientID
    }
}

/// WILLTOPIC and WILLTOPICUPD with content, §5.4.7 and §5.4.22.
package struct SNWillTopic: Equatable {
    package var qos: QoS
    package var retain: Bool
    package var topic: ByteView

    package init(qos: QoS, retain: Bool, topic: ByteView) {
        self.qos = qos
        self.retain = retain
        self.topic = topic
    }
}

/// PUBLISH, §5.4.12.
package struct SNPublish: Equatable {
    package var dup: Bool
    package var qos: SNQoS
    package var retain: Bool
    package var topicIDType: SNTopicIDType
    /// A number, or the two characters of a short topic name.
    package var topicID: UInt16
    package var msgID: UInt16
    package var data: ByteView

    package init(
        dup: Bool = false, qos: SNQoS, retain: Bool = false, topicIDType: SNTopicIDType, topicID: UInt16,
        msgID: UInt16, data: ByteView
    ) {
        self.dup = dup
        self.qos = qos
        self.retain = retain
        self.topicIDType = topicIDType
        self.topicID = topicID
        self.msgID = msgID
        self.data = data
    }
}

/// SUBSCRIBE and UNSUBSCRIBE, §5.4.15 and §5.4.17. `dup` and `qos` have no meaning in UNSUBSCRIBE.
package struct SNSubscribe: Equatable {
    package var dup: Bool
    package var qos: QoS
    package var msgID: UInt16
    package var topic: Topic

    /// What TopicIdType says stands in the last field.
    package enum Topic: Equatable {
        /// 0b00: a topic name or filter; it may contain wildcards.
        case name(ByteView)
        /// 0b01: a predefined topic id.
        case predefined(UInt16)
        /// 0b10: a short topic name, two characters.
        case short(UInt16)
        /// 0b11: reserved; for the gateway to refuse [D-31].
        case reserved
    }

    package init(dup: Bool = false, qos: QoS = .atMostOnce, msgID: UInt16, topic: Topic) {
        self.dup = dup
        self.qos = qos
        self.msgID = msgID
        self.topic = topic
    }
}

/// The QoS field of Flags, §5.3.4.
@frozen
package enum SNQoS: UInt8, Sendable {
    case zero = 0b00
    case one = 0b01
    case two = 0b10
    /// -1: PUBLISH without a connection, §6.8.
    case minusOne = 0b11

    /// The quality at which the broker takes such a message.
    @inlinable
    package var quality: QoS { QoS(rawValue: rawValue) ?? .atMostOnce }

    @inlinable
    package init(_ qos: QoS) {
        switch qos {
        case .atMostOnce: self = .zero
        case .atLeastOnce: self = .one
        case .exactlyOnce: self = .two
        }
    }
}

/// The TopicIdType field of Flags, §5.3.4.
@frozen
package enum SNTopicIDType: UInt8, Sendable {
    case normal = 0b00
    case predefined = 0b01
    case short = 0b10
    case reserved = 0b11
}

/// ReturnCode, §5.3.10. Codes that the standard reserves are kept as received.
@frozen
package struct SNReturnCode: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt8

    @inlinable
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let accepted = SNReturnCode(rawValue: 0x00)
    package static let congestion = SNReturnCode(rawValue: 0x01)
    package static let invalidTopicID = SNReturnCode(rawValue: 0x02)
    package static let notSupported = SNReturnCode(rawValue: 0x03)
}
