/// What is wrong with a datagram. Such a datagram is dropped and counted, never answered; the raw value is the name
/// for logs and counters.
package enum SNDecodeError: String, Error, CaseIterable, Sendable {
    /// Fewer octets than Length and MsgType take: 2, or 4 where Length begins with 0x01 (§5.2).
    case headerIncomplete
    /// Length is not the number of octets in the datagram; for an encapsulated message, is more, or less than a
    /// header (§5.2.1) [D-36].
    case lengthMismatch
    /// MsgType 0x03, 0x11, 0x19, 0x1E to 0xFD or 0xFF (§5.2.2).
    case reservedMessageType
    /// The message ends before its last fixed field (§5.4).
    case messageTooShort
    /// Octets follow the last field of a message that has no variable one (§5.4).
    case messageTooLong
    /// QoS 0b11 in a message other than PUBLISH that uses the field (§5.3.4).
    case qosMinusOneNotAllowed
    /// A topic name, the short one of two octets included, that is not a well-formed MQTT string (§5.3.12, §6.7).
    case malformedTopicName
    /// TopicIdType says two octets, but the last field of SUBSCRIBE or UNSUBSCRIBE has another length (Table 19).
    case topicIDNotTwoOctets
    /// A client id that is not a well-formed MQTT string (§5.3.1).
    case malformedClientID
    /// An encapsulated message with a 3-octet Length: §5.5 allows one octet.
    case encapsulationLengthNotOneOctet
    /// An encapsulated message without a Wireless Node Id (§5.5).
    case wirelessNodeIDMissing
    /// An encapsulation with nothing behind it (§5.5).
    case encapsulatedMessageMissing
}
