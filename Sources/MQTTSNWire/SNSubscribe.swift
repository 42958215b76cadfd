package import Bytes
package import Messaging

/// SUBSCRIBE and UNSUBSCRIBE, §5.4.15 and §5.4.17. `dup` and `qos` have no meaning in UNSUBSCRIBE.
package struct SNSubscribe: Equatable {
    package var dup: Bool
    package var qos: QoS
    package var msgID: UInt16
    package var topic: Topic

    /// What TopicIdType says stands in the last field.
    package enum Topic: Equatable {
        /// 0b00: a topic name or filter; it may contain wildcards, or be empty.
        case name(ByteView)
        /// 0b01: a predefined topic id.
        case predefined(UInt16)
        /// 0b10: a short topic name, two characters.
        case short(UInt16)
        /// 0b11: reserved; for the gateway to refuse [D-31]. What stood in the field is not kept.
        case reserved
    }

    package init(dup: Bool = false, qos: QoS = .atMostOnce, msgID: UInt16, topic: Topic) {
        self.dup = dup
        self.qos = qos
        self.msgID = msgID
        self.topic = topic
    }
}

extension SNSubscribe {
    /// Reads a SUBSCRIBE: "Retain, Will, CleanSession: not used". [SN-5.4.15]
    static func decodeSubscribe(from body: inout SNBodyReader) throws(SNDecodeError) -> SNSubscribe {
        let flags = try body.readFlags()
        let msgID = try body.readUInt16()
        let qos = try flags.sessionQoS
        return SNSubscribe(dup: flags.dup, qos: qos, msgID: msgID, topic: try Topic(flags.topicIDType, from: &body))
    }

    /// Reads an UNSUBSCRIBE: of the flags, only TopicIdType is used. [SN-5.4.17]
    static func decodeUnsubscribe(from body: inout SNBodyReader) throws(SNDecodeError) -> SNSubscribe {
        let flags = try body.readFlags()
        let msgID = try body.readUInt16()
        return SNSubscribe(msgID: msgID, topic: try Topic(flags.topicIDType, from: &body))
    }

    var bodyOctets: Int { 3 + topic.octets }

    func encodeSubscribe(into output: inout OutputBuffer) {
        output.append(SNFlags(dup: dup, qos: SNQoS(qos), topicIDType: topic.type).octet)
        output.append(msgID)
        topic.encode(into: &output)
    }

    func encodeUnsubscribe(into output: inout OutputBuffer) {
        output.append(SNFlags(topicIDType: topic.type).octet)
        output.append(msgID)
        topic.encode(into: &output)
    }
}

extension SNSubscribe.Topic {
    /// The value of TopicIdType that announces this.
    package var type: SNTopicIDType {
        switch self {
        case .name: .normal
        case .predefined: .predefined
        case .short: .short
        case .reserved: .reserved
        }
    }

    init(_ type: SNTopicIDType, from body: inout SNBodyReader) throws(SNDecodeError) {
        switch type {
        case .normal:
            self = .name(try body.readTopicName())
        case .predefined:
            self = .predefined(try Self.twoOctets(of: body.readRest()))
        case .short:
            let name = try Self.twoOctets(of: body.readRest())
            guard name.isShortTopicName else { throw .malformedTopicName }
            self = .short(name)
        case .reserved:
            _ = body.readRest()
            self = .reserved
        }
    }

    /// The field as a number: octets 5 and 6 and no other (Table 19). [SN-5.4.15]
    private static func twoOctets(of field: ByteView) throws(SNDecodeError) -> UInt16 {
        var reader = ByteReader(field)
        guard let number = reader.readUInt16(), reader.remaining == 0 else { throw .topicIDNotTwoOctets }
        return number
    }

    var octets: Int {
        switch self {
        case .name(let name): name.count
        case .predefined, .short: 2
        case .reserved: 0
        }
    }

    func encode(into output: inout OutputBuffer) {
        switch self {
        case .name(let name): output.append(name)
        case .predefined(let number), .short(let number): output.append(number)
        case .reserved: break
        }
    }
}
