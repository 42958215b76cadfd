package import Messaging

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

/// The Flags octet, §5.3.4, Table 4.
///
/// The standard calls a flag "only relevant within" some messages and "not used" in the others. Each message
/// therefore reads the flags it uses and looks at no other; what it does not use, it sends as zero.
struct SNFlags {
    var octet: UInt8

    init(octet: UInt8) { self.octet = octet }

    init(
        dup: Bool = false, qos: SNQoS = .zero, retain: Bool = false, will: Bool = false, cleanSession: Bool = false,
        topicIDType: SNTopicIDType = .normal
    ) {
        octet = qos.rawValue << 5 | topicIDType.rawValue
        if dup { octet |= 0x80 }
        if retain { octet |= 0x10 }
        if will { octet |= 0x08 }
        if cleanSession { octet |= 0x04 }
    }

    var dup: Bool { octet & 0x80 != 0 }
    var retain: Bool { octet & 0x10 != 0 }
    var will: Bool { octet & 0x08 != 0 }
    var cleanSession: Bool { octet & 0x04 != 0 }

    var qos: SNQoS {
        switch octet >> 5 & 0b11 {
        case 0b00: .zero
        case 0b01: .one
        case 0b10: .two
        default: .minusOne
        }
    }

    /// The quality where -1 has no meaning: everywhere but in PUBLISH. [SN-5.3.4]
    var sessionQoS: QoS {
        get throws(SNDecodeError) {
            guard qos != .minusOne else { throw .qosMinusOneNotAllowed }
            return qos.quality
        }
    }

    var topicIDType: SNTopicIDType {
        switch octet & 0b11 {
        case 0b00: .normal
        case 0b01: .predefined
        case 0b10: .short
        default: .reserved
        }
    }
}
