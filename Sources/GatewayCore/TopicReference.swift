internal import MQTTSNWire

/// How a PUBLISH names its topic: TopicIdType and TopicId (§5.3.4, §5.3.11).
struct TopicReference: Equatable {
    var type: SNTopicIDType
    /// A number, or the two characters of a short topic name.
    var id: UInt16
}
