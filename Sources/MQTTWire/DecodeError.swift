/// What is wrong with bytes that do not form a packet. `ReasonCode.init(_:)` says it to the peer.
package enum MQTTDecodeError: Error, Equatable {
    /// A Variable Byte Integer of more than four bytes, or longer than it need be [MQTT-1.5.5-1].
    case malformedVarint
    /// The packet is longer than the maximum that the reader allows.
    case packetTooLarge
    /// Packet type 0, which is forbidden (§2.1.2).
    case reservedPacketType
    /// The low four bits of the first byte are not what the type demands [MQTT-2.1.3-1].
    case reservedFlags
    /// A reserved bit behind the fixed header is set: connect flags [MQTT-3.1.2-3], acknowledge flags
    /// [MQTT-3.2.2-1], subscription options [MQTT-3.8.3-5].
    case reservedBits
    /// A field, or the property section, reaches past the end of the packet.
    case truncated
    /// Bytes follow the last field.
    case trailingBytes
    /// A string is not UTF-8, or holds U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2].
    case invalidUTF8
    /// The protocol name is neither `MQTT` nor `MQIsdp` [MQTT-3.1.2-1].
    case unknownProtocolName
    /// A known name with a level that we do not speak [MQTT-3.1.2-2].
    case unsupportedProtocolVersion
    /// Will QoS or Will Retain without Will Flag, or Will QoS 3 [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13].
    case invalidWillFlags
    /// A password without a user name before MQTT 5 [MQTT311-3.1.2-22].
    case passwordWithoutUserName
    /// Session Present in a CONNACK that refuses [MQTT-3.2.2-6].
    case sessionPresentInRefusal
    /// PUBLISH with both QoS bits set [MQTT-3.3.1-4].
    case invalidQoS
    /// PUBLISH with DUP at QoS 0 [MQTT-3.3.1-2].
    case duplicateAtQoSZero
    /// A packet identifier of 0 where there must be one [MQTT-2.2.1-3].
    case zeroPacketIdentifier
    /// A PUBLISH to a name with wildcards [MQTT-3.3.2-2].
    case wildcardInTopicName
    /// A PUBLISH without a topic name, and without an alias in its place (§3.3.2.1).
    case emptyTopicName
    /// A response topic with wildcards [MQTT-3.3.2-14].
    case wildcardInResponseTopic
    /// A SUBSCRIBE or UNSUBSCRIBE without filters [MQTT-3.8.3-2] [MQTT-3.10.3-2].
    case emptyFilterList
    /// A SUBACK or UNSUBACK that answers nothing.
    case emptyReasonCodeList
    /// Maximum QoS 3 or Retain Handling 3 in subscription options (§3.8.3.1).
    case invalidSubscriptionOptions
    /// A reason or return code that is not one of the packet's own.
    case invalidReasonCode
    /// A property identifier that the standard does not know (§2.2.2.2).
    case unknownProperty
    /// A property that does not belong into this packet (§2.2.2.2).
    case misplacedProperty
    /// A property a second time that may stand only once (§2.2.2.2).
    case duplicateProperty
    /// A property whose value is out of its range.
    case invalidPropertyValue
    /// A topic alias of 0 [MQTT-3.3.2-8].
    case zeroTopicAlias
    /// More user properties, or more bytes of them, than `DecodeLimits` allows.
    case tooManyUserProperties
    /// A SUBSCRIBE or UNSUBSCRIBE with more filters than `DecodeLimits` allows.
    case tooManyFilters
    /// Authentication Data without Authentication Method (§3.1.2.11.10), or an AUTH without it (§3.15.2.2.2).
    case missingAuthenticationMethod
    /// AUTH before MQTT 5, where type 15 is forbidden.
    case packetNotInVersion
    /// `PublishPacket.decode` or a sibling was handed another type's frame.
    case unexpectedPacketType
}

extension ReasonCode {
    /// The code that tells the peer about `error`: MQTT 5.0 §4.13. A caller before MQTT 5 just closes.
    package init(_ error: MQTTDecodeError) {
        switch error {
        case .malformedVarint, .reservedFlags, .reservedBits, .truncated, .trailingBytes, .invalidUTF8,
            .invalidWillFlags, .passwordWithoutUserName, .invalidQoS, .duplicateAtQoSZero, .wildcardInTopicName,
            .unknownProperty, .misplacedProperty:
            self = .malformedPacket
        case .reservedPacketType, .sessionPresentInRefusal, .zeroPacketIdentifier, .emptyTopicName,
            .wildcardInResponseTopic, .emptyFilterList, .emptyReasonCodeList, .invalidSubscriptionOptions,
            .invalidReasonCode, .duplicateProperty, .invalidPropertyValue, .missingAuthenticationMethod,
            .packetNotInVersion, .unexpectedPacketType:
            self = .protocolError
        case .unknownProtocolName, .unsupportedProtocolVersion:
            self = .unsupportedProtocolVersion
        case .packetTooLarge:
            self = .packetTooLarge
        case .zeroTopicAlias:
            self = .topicAliasInvalid
        case .tooManyUserProperties, .tooManyFilters:
            self = .quotaExceeded
        }
    }
}
