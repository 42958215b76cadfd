package import Bytes

/// PUBLISH, §5.4.12.
package struct SNPublish: Equatable {
    package var dup: Bool
    package var qos: SNQoS
    package var retain: Bool
    package var topicIDType: SNTopicIDType
    /// A number, or the two characters of a short topic name.
    package var topicID: UInt16
    /// As received at every QoS; sent as 0x0000 at QoS 0 and -1.
    package var msgID: UInt16
    package var data: ByteView

    package init(
        dup: Bool = false, qos: SNQoS, retain: Bool = false, topicIDType: SNTopicIDType, topicID: UInt16,
        msgID: UInt16, data: ByteView
    ) {
        self.dup = dup
        self.qos = qos
        self.retain = retain
        self.topicIDType = topicIDType
        self.topicID = topicID
        self.msgID = msgID
        self.data = data
    }
}

extension SNPublish {
    /// Octets of a PUBLISH besides its data, while one octet of Length suffices (Table 16).
    package static let overheadOctets = 7

    /// Appends a PUBLISH made of its pieces: the way of every delivery, without a packet value in between.
    ///
    /// Returns false and writes nothing if the data is longer than 65,526 bytes: Length cannot say it (§5.2.1).
    @discardableResult
    package static func encode(
        dup: Bool = false, qos: SNQoS, retain: Bool = false, topicIDType: SNTopicIDType, topicID: UInt16,
        msgID: UInt16, data: ByteView, into output: inout OutputBuffer
    ) -> Bool {
        guard SNHeader.encode(.publish, bodyOctets: 5 + data.count, into: &output) else { return false }
        output.append(SNFlags(dup: dup, qos: qos, retain: retain, topicIDType: topicIDType).octet)
        output.append(topicID)
        // "only relevant in case of QoS levels 1 and 2, otherwise coded 0x0000" [SN-5.4.12]
        output.append(qos == .one || qos == .two ? msgID : 0)
        output.append(data)
        return true
    }

    /// "Will, CleanSession: not used". TopicIdType 0b11 decodes: the gateway answers it [D-31]. [SN-5.4.12]
    init(from body: inout SNBodyReader) throws(SNDecodeError) {
        let flags = try body.readFlags()
        dup = flags.dup
        qos = flags.qos
        retain = flags.retain
        topicIDType = flags.topicIDType
        topicID = try body.readUInt16()
        msgID = try body.readUInt16()
        data = body.readRest()
        if topicIDType == .short, !topicID.isShortTopicName { throw .malformedTopicName }
    }

    var bodyOctets: Int { 5 + data.count }

    func encode(into output: inout OutputBuffer) -> Bool {
        SNPublish.encode(
            dup: dup, qos: qos, retain: retain, topicIDType: topicIDType, topicID: topicID, msgID: msgID, data: data,
            into: &output)
    }
}
