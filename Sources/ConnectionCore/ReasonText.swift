internal import Bytes
internal import MQTTWire

/// What a Reason String says (MQTT 5.0 §3.2.2.3.9): fixed words around at most one number of ours. Nothing that a
/// client sent is ever part of it.
struct ReasonText {
    private let words: StaticString
    private let number: Int?
    private let rest: StaticString
    /// Which filter of a SUBSCRIBE or UNSUBSCRIBE it is about, from 1.
    var filter: Int?

    init(_ words: StaticString, _ number: Int? = nil, _ rest: StaticString = "") {
        self.words = words
        self.number = number
        self.rest = rest
    }

    /// Appends the property.
    func append(to output: inout OutputBuffer) {
        output.append(PropertyID.reasonString.rawValue)
        let lengthOffset = output.count
        output.append(UInt16(0))
        if let filter {
            append("filter ", to: &output)
            append(filter, to: &output)
            append(": ", to: &output)
        }
        append(words, to: &output)
        if let number { append(number, to: &output) }
        append(rest, to: &output)
        output.patch(UInt16(clamping: output.count - lengthOffset - 2), at: lengthOffset)
    }

    private func append(_ text: StaticString, to output: inout OutputBuffer) {
        output.append(ByteView(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func append(_ number: Int, to output: inout OutputBuffer) {
        output.append(ByteString(String(number)))
    }
}

extension ReasonText {
    /// What can be said of a code by itself, in a packet of `type`.
    init(_ code: ReasonCode, in type: PacketType, _ limits: ConnectionLimits) {
        switch code {
        case .clientIdentifierNotValid:
            self.init("the client identifier is missing where it must not, or longer than ", limits.clientIDBytesMax)
        case .topicNameInvalid:
            self.init(
                "the topic name is empty, has a wildcard or too many levels, or is longer than ",
                limits.topicBytesMax)
        case .topicFilterInvalid:
            self.init(
                "the topic filter has a wildcard out of place or too many levels, or is longer than ",
                limits.topicBytesMax)
        case .packetTooLarge where type == .connack:
            self.init("the payload of the will is longer than ", limits.payloadBytesMax)
        case .packetTooLarge: self.init("the answer is longer than the client's Maximum Packet Size")
        case .receiveMaximumExceeded:
            self.init("more messages are open than Receive Maximum, which is ", Int(limits.receiveMaximum))
        case .quotaExceeded: self = Self.quota(type)
        case .notAuthorized: self = Self.access(type)
        default: self = Self.plain(code)
        }
    }

    private static func quota(_ type: PacketType) -> ReasonText {
        switch type {
        case .connack: ReasonText("the server has no room for another session")
        case .puback, .pubrec: ReasonText("the server has no room to keep the message")
        case .suback: ReasonText("a limit on the number of subscriptions is reached")
        default: ReasonText("a limit of the server is reached")
        }
    }

    private static func access(_ type: PacketType) -> ReasonText {
        switch type {
        case .connack: ReasonText("this client may not connect, or its will may not be published")
        case .puback, .pubrec: ReasonText("this client may not publish to the topic")
        case .suback: ReasonText("this client may not subscribe to the topic filter")
        default: ReasonText("this client may not do that")
        }
    }

    private static func plain(_ code: ReasonCode) -> ReasonText {
        switch code {
        case .malformedPacket: ReasonText("the packet cannot be decoded")
        case .protocolError: ReasonText("the packet has no place here")
        case .unsupportedProtocolVersion: ReasonText("the server speaks MQTT 3.1, 3.1.1 and 5.0")
        case .badUserNameOrPassword: ReasonText("the user name or the password is wrong")
        case .serverUnavailable: ReasonText("the server cannot take clients now")
        case .serverBusy: ReasonText("the server has as many clients as it may; try again later")
        case .banned: ReasonText("this client is banned")
        case .serverShuttingDown: ReasonText("the server is shutting down")
        case .badAuthenticationMethod: ReasonText("the server does not know the authentication method")
        case .keepAliveTimeout: ReasonText("nothing came for one and a half times the keep-alive")
        case .sessionTakenOver: ReasonText("another connection has come with the same client identifier")
        case .packetIdentifierInUse: ReasonText("the packet identifier is still in use")
        case .packetIdentifierNotFound: ReasonText("no message is open under the packet identifier")
        case .topicAliasInvalid: ReasonText("the topic alias is not within Topic Alias Maximum")
        case .messageRateTooHigh: ReasonText("messages come too fast")
        case .administrativeAction: ReasonText("the operator has ended the connection")
        case .payloadFormatInvalid: ReasonText("the payload is said to be UTF-8 and is not")
        case .retainNotSupported: ReasonText("the server keeps no retained messages")
        case .qosNotSupported: ReasonText("the QoS is above Maximum QoS")
        case .useAnotherServer: ReasonText("another server is to be used for now")
        case .serverMoved: ReasonText("the server has moved")
        case .sharedSubscriptionsNotSupported: ReasonText("there are no shared subscriptions")
        case .connectionRateExceeded: ReasonText("connections come too fast")
        case .maximumConnectTime: ReasonText("the connection has lasted as long as it may")
        case .subscriptionIdentifiersNotSupported: ReasonText("there are no subscription identifiers")
        case .wildcardSubscriptionsNotSupported: ReasonText("there are no wildcard subscriptions")
        default: ReasonText("the server could not do what was asked")
        }
    }
}
