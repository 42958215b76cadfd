package import Bytes
package import Messaging

/// WILLTOPIC and WILLTOPICUPD with content, §5.4.7 and §5.4.22.
package struct SNWillTopic: Equatable {
    package var qos: QoS
    package var retain: Bool
    /// UTF-8; empty when the message has Flags and nothing behind them, which the gateway refuses.
    package var topic: ByteView

    package init(qos: QoS, retain: Bool, topic: ByteView) {
        self.qos = qos
        self.retain = retain
        self.topic = topic
    }
}

extension SNWillTopic {
    /// Reads the variable part; nil if there is none: the empty message is "exactly 2 octets long". [SN-5.4.7]
    static func decode(from body: inout SNBodyReader) throws(SNDecodeError) -> SNWillTopic? {
        if body.isAtEnd { return nil }
        // "DUP, Will, CleanSession, TopicIdType: not used". [SN-5.4.7] [SN-5.4.22]
        let flags = try body.readFlags()
        let qos = try flags.sessionQoS
        return SNWillTopic(qos: qos, retain: flags.retain, topic: try body.readTopicName())
    }

    var bodyOctets: Int { 1 + topic.count }

    func encodeBody(into output: inout OutputBuffer) {
        output.append(SNFlags(qos: SNQoS(qos), retain: retain).octet)
        output.append(topic)
    }
}
