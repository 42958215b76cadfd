internal import MQTTWire

/// What a client is told that broke a rule: more than the code says.
extension ReasonText {
    init(_ violation: Violation, topicAliasMax: UInt16, qosMax: UInt8, _ limits: ConnectionLimits) {
        switch violation {
        case .undecodable(let error), .badConnect(let error, _): self.init(error, limits)
        case .connectExpected: self.init("the first packet must be CONNECT")
        case .protocolError: self.init("the packet has no place here")
        case .topicAliasInvalid:
            self.init(
                "the topic alias is not within Topic Alias Maximum, which is ",
                Int(topicAliasMax))
        case .topicNameInvalid: self.init("the topic name is longer than ", limits.topicBytesMax, " bytes")
        case .payloadTooLarge: self.init("the payload is longer than ", limits.payloadBytesMax, " bytes")
        case .qosNotSupported: self.init("the QoS is above Maximum QoS, which is ", Int(qosMax))
        case .retainNotSupported: self.init("the server keeps no retained messages")
        case .payloadFormatInvalid: self.init("the payload is said to be UTF-8 and is not")
        }
    }

    init(_ error: MQTTDecodeError, _ limits: ConnectionLimits) {
        switch error {
        case .malformedVarint: self.init("a variable byte integer is malformed")
        case .packetTooLarge: self.init("a packet may have so many bytes: ", limits.packetBytesMax)
        case .reservedPacketType: self.init("packet type 0 is forbidden")
        case .reservedFlags: self.init("the flags of the fixed header are not those of the packet type")
        case .reservedBits: self.init("a reserved bit is set")
        case .truncated: self.init("a field reaches past the end of the packet")
        case .trailingBytes: self.init("bytes follow the last field of the packet")
        case .invalidUTF8: self.init("a string is not UTF-8, or has U+0000 in it")
        case .unknownProtocolName, .unsupportedProtocolVersion:
            self.init("the server speaks MQTT 3.1, 3.1.1 and 5.0")
        case .invalidWillFlags: self.init("the flags of the will contradict each other")
        case .passwordWithoutUserName: self.init("a password needs a user name")
        case .sessionPresentInRefusal: self.init("a refusal has no session")
        case .invalidQoS: self.init("there is no QoS 3")
        case .duplicateAtQoSZero: self.init("DUP is set at QoS 0")
        case .zeroPacketIdentifier: self.init("the packet identifier is 0")
        case .wildcardInTopicName: self.init("the topic name has a wildcard")
        case .emptyTopicName: self.init("there is neither a topic name nor a topic alias")
        case .wildcardInResponseTopic: self.init("the response topic has a wildcard")
        case .emptyFilterList: self.init("there is no topic filter")
        case .emptyReasonCodeList: self.init("there is no reason code")
        case .invalidSubscriptionOptions: self.init("the subscription options are out of range")
        case .invalidReasonCode: self.init("the packet has no such reason code")
        case .unknownProperty: self.init("a property is unknown")
        case .misplacedProperty: self.init("a property does not belong into the packet")
        case .duplicateProperty: self.init("a property stands twice")
        case .invalidPropertyValue: self.init("the value of a property is out of range")
        case .zeroTopicAlias: self.init("the topic alias is 0")
        case .tooManyUserProperties: self.init("there are too many user properties")
        case .tooManyFilters: self.init("a packet may have so many topic filters: ", limits.filtersPerPacketMax)
        case .missingAuthenticationMethod: self.init("there is no authentication method")
        case .packetNotInVersion: self.init("the version of the protocol has no such packet")
        case .unexpectedPacketType: self.init("the packet type has no place here")
        }
    }
}
