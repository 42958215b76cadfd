/// The properties of MQTT 5.0, §2.2.2.2, table 2-4.
@frozen
package enum PropertyID: UInt8, CaseIterable, Sendable {
    case payloadFormatIndicator = 0x01
    case messageExpiryInterval = 0x02
    case contentType = 0x03
    case responseTopic = 0x08
    case correlationData = 0x09
    case subscriptionIdentifier = 0x0B
    case sessionExpiryInterval = 0x11
    case assignedClientIdentifier = 0x12
    case serverKeepAlive = 0x13
    case authenticationMethod = 0x15
    case authenticationData = 0x16
    case requestProblemInformation = 0x17
    case willDelayInterval = 0x18
    case requestResponseInformation = 0x19
    case responseInformation = 0x1A
    case serverReference = 0x1C
    case reasonString = 0x1F
    case receiveMaximum = 0x21
    case topicAliasMaximum = 0x22
    case topicAlias = 0x23
    case maximumQoS = 0x24
    case retainAvailable = 0x25
    case userProperty = 0x26
    case maximumPacketSize = 0x27
    case wildcardSubscriptionAvailable = 0x28
    case subscriptionIdentifierAvailable = 0x29
    case sharedSubscriptionAvailable = 0x2A
}

/// How the value of a property is written: MQTT 5.0 §1.5.
@frozen
package enum PropertyType: UInt8, Sendable {
    case byte, twoByteInteger, fourByteInteger, variableByteInteger, string, binary, stringPair
}

/// The packets that may carry a property; the will's section in CONNECT counts as a packet of its own.
@frozen
package struct PropertyPackets: OptionSet, Sendable {
    package let rawValue: UInt16

    @inlinable
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The packet of `type`.
    @inlinable
    package init(_ type: PacketType) { rawValue = 1 << UInt16(type.rawValue) }

    package static let will = PropertyPackets(rawValue: 1)
    package static let connect = PropertyPackets(.connect)
    package static let connack = PropertyPackets(.connack)
    package static let publish = PropertyPackets(.publish)
    package static let puback = PropertyPackets(.puback)
    package static let pubrec = PropertyPackets(.pubrec)
    package static let pubrel = PropertyPackets(.pubrel)
    package static let pubcomp = PropertyPackets(.pubcomp)
    package static let subscribe = PropertyPackets(.subscribe)
    package static let suback = PropertyPackets(.suback)
    package static let unsubscribe = PropertyPackets(.unsubscribe)
    package static let unsuback = PropertyPackets(.unsuback)
    package static let disconnect = PropertyPackets(.disconnect)
    package static let auth = PropertyPackets(.auth)

    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
    package static let acknowledgements: PropertyPackets = [.puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback]
    /// Every packet that has properties, and the will.
    package static let all: PropertyPackets = [
        .will, .connect, .connack, .publish, .acknowledgements, .subscribe, .unsubscribe, .disconnect, .auth,
    ]
}

extension PropertyID {
    /// The property's row in table 2-4: how its value is written and which packets carry it.
    package var row: (type: PropertyType, packets: PropertyPackets) {
        switch self {
        case .payloadFormatIndicator: (.byte, [.publish, .will])
        case .messageExpiryInterval: (.fourByteInteger, [.publish, .will])
        case .contentType: (.string, [.publish, .will])
        case .responseTopic: (.string, [.publish, .will])
        case .correlationData: (.binary, [.publish, .will])
        case .subscriptionIdentifier: (.variableByteInteger, [.publish, .subscribe])
        case .sessionExpiryInterval: (.fourByteInteger, [.connect, .connack, .disconnect])
        case .assignedClientIdentifier: (.string, .connack)
        case .serverKeepAlive: (.twoByteInteger, .connack)
        case .authenticationMethod: (.string, [.connect, .connack, .auth])
        case .authenticationData: (.binary, [.connect, .connack, .auth])
        case .requestProblemInformation: (.byte, .connect)
        case .willDelayInterval: (.fourByteInteger, .will)
        case .requestResponseInformation: (.byte, .connect)
        case .responseInformation: (.string, .connack)
        case .serverReference: (.string, [.connack, .disconnect])
        case .reasonString: (.string, [.connack, .acknowledgements, .disconnect, .auth])
        case .receiveMaximum: (.twoByteInteger, [.connect, .connack])
        case .topicAliasMaximum: (.twoByteInteger, [.connect, .connack])
        case .topicAlias: (.twoByteInteger, .publish)
        case .maximumQoS: (.byte, .connack)
        case .retainAvailable: (.byte, .connack)
        case .userProperty: (.stringPair, .all)
        case .maximumPacketSize: (.fourByteInteger, [.connect, .connack])
        case .wildcardSubscriptionAvailable: (.byte, .connack)
        case .subscriptionIdentifierAvailable: (.byte, .connack)
        case .sharedSubscriptionAvailable: (.byte, .connack)
        }
    }

    /// Whether a packet of this kind may carry the property more than once.
    func repeats(in packet: PropertyPackets) -> Bool {
        self == .userProperty || (self == .subscriptionIdentifier && packet == .publish)
    }

    /// Whether a number is a legal value: flags are 0 or 1, and 0 has no meaning as a maximum or a subscription
    /// identifier. Topic Alias 0 has an error of its own.
    func allows(_ number: UInt32) -> Bool {
        switch self {
        case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation, .maximumQoS,
            .retainAvailable, .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable,
            .sharedSubscriptionAvailable:
            number <= 1
        case .receiveMaximum, .maximumPacketSize, .subscriptionIdentifier:
            number != 0
        default: true
        }
    }
}
