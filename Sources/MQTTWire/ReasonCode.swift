/// How an operation went, in the words of MQTT 5.0 §2.4.
///
/// Codes that the standard names twice keep one case and get the other names as aliases.
@frozen
package enum ReasonCode: UInt8, Sendable {
    case success = 0x00
    case grantedQoS1 = 0x01
    case grantedQoS2 = 0x02
    case disconnectWithWillMessage = 0x04
    case noMatchingSubscribers = 0x10
    case noSubscriptionExisted = 0x11
    case continueAuthentication = 0x18
    case reAuthenticate = 0x19
    case unspecifiedError = 0x80
    case malformedPacket = 0x81
    case protocolError = 0x82
    case implementationSpecificError = 0x83
    case unsupportedProtocolVersion = 0x84
    case clientIdentifierNotValid = 0x85
    case badUserNameOrPassword = 0x86
    case notAuthorized = 0x87
    case serverUnavailable = 0x88
    case serverBusy = 0x89
    case banned = 0x8A
    case serverShuttingDown = 0x8B
    case badAuthenticationMethod = 0x8C
    case keepAliveTimeout = 0x8D
    case sessionTakenOver = 0x8E
    case topicFilterInvalid = 0x8F
    case topicNameInvalid = 0x90
    case packetIdentifierInUse = 0x91
    case packetIdentifierNotFound = 0x92
    case receiveMaximumExceeded = 0x93
    case topicAliasInvalid = 0x94
    case packetTooLarge = 0x95
    case messageRateTooHigh = 0x96
    case quotaExceeded = 0x97
    case administrativeAction = 0x98
    case payloadFormatInvalid = 0x99
    case retainNotSupported = 0x9A
    case qosNotSupported = 0x9B
    case useAnotherServer = 0x9C
    case serverMoved = 0x9D
    case sharedSubscriptionsNotSupported = 0x9E
    case connectionRateExceeded = 0x9F
    case maximumConnectTime = 0xA0
    case subscriptionIdentifiersNotSupported = 0xA1
    case wildcardSubscriptionsNotSupported = 0xA2

    /// 0x00 in DISCONNECT.
    package static var normalDisconnection: ReasonCode { .success }

    /// 0x00 in SUBACK.
    package static var grantedQoS0: ReasonCode { .success }

    /// Whether the code says that the operation failed (§2.4: 0x80 or more).
    @inlinable
    package var isError: Bool { rawValue >= 0x80 }

    /// Whether the standard lets a packet of `type` carry this code: the tables of §3.2.2.2 to §3.15.2.1.
    package func isValid(in type: PacketType) -> Bool {
        switch type {
        case .connack: isValidInConnack
        case .puback, .pubrec: isValidInPuback
        case .pubrel, .pubcomp: self == .success || self == .packetIdentifierNotFound
        case .suback: isValidInSuback
        case .unsuback: isValidInUnsuback
        case .disconnect: isValidInDisconnect
        case .auth: self == .success || self == .continueAuthentication || self == .reAuthenticate
        case .connect, .publish, .subscribe, .unsubscribe, .pingreq, .pingresp: false
        }
    }

    /// §3.2.2.2, table 3-1 [MQTT-3.2.2-8].
    private var isValidInConnack: Bool {
        switch self {
        case .success, .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError,
            .unsupportedProtocolVersion, .clientIdentifierNotValid, .badUserNameOrPassword, .notAuthorized,
            .serverUnavailable, .serverBusy, .banned, .badAuthenticationMethod, .topicNameInvalid, .packetTooLarge,
            .quotaExceeded, .payloadFormatInvalid, .retainNotSupported, .qosNotSupported, .useAnotherServer,
            .serverMoved, .connectionRateExceeded:
            true
        default: false
        }
    }

    /// §3.4.2.1 and §3.5.2.1 [MQTT-3.4.2-1] [MQTT-3.5.2-1].
    private var isValidInPuback: Bool {
        switch self {
        case .success, .noMatchingSubscribers, .unspecifiedError, .implementationSpecificError, .notAuthorized,
            .topicNameInvalid, .packetIdentifierInUse, .quotaExceeded, .payloadFormatInvalid:
            true
        default: false
        }
    }

    /// §3.9.3 [MQTT-3.9.3-2].
    private var isValidInSuback: Bool {
        switch self {
        case .success, .grantedQoS1, .grantedQoS2, .unspecifiedError, .implementationSpecificError, .notAuthorized,
            .topicFilterInvalid, .packetIdentifierInUse, .quotaExceeded, .sharedSubscriptionsNotSupported,
            .subscriptionIdentifiersNotSupported, .wildcardSubscriptionsNotSupported:
            true
        default: false
        }
    }

    /// §3.11.3 [MQTT-3.11.3-2].
    private var isValidInUnsuback: Bool {
        switch self {
        case .success, .noSubscriptionExisted, .unspecifiedError, .implementationSpecificError, .notAuthorized,
            .topicFilterInvalid, .packetIdentifierInUse:
            true
        default: false
        }
    }

    /// §3.14.2.1, table 3-10 [MQTT-3.14.2-1]; table 2-6 alone adds Bad Authentication Method.
    private var isValidInDisconnect: Bool {
        switch self {
        case .success, .disconnectWithWillMessage, .unspecifiedError, .malformedPacket, .protocolError,
            .implementationSpecificError, .notAuthorized, .serverBusy, .serverShuttingDown,
            .badAuthenticationMethod, .keepAliveTimeout, .sessionTakenOver, .topicFilterInvalid, .topicNameInvalid,
            .receiveMaximumExceeded, .topicAliasInvalid, .packetTooLarge, .messageRateTooHigh, .quotaExceeded,
            .administrativeAction, .payloadFormatInvalid, .retainNotSupported, .qosNotSupported, .useAnotherServer,
            .serverMoved, .sharedSubscriptionsNotSupported, .connectionRateExceeded, .maximumConnectTime,
            .subscriptionIdentifiersNotSupported, .wildcardSubscriptionsNotSupported:
            true
        default: false
        }
    }
}
