package import Bytes

extension SNPacket {
    /// Decodes one datagram, which holds one message (§5.1). The packet's views look into the datagram.
    ///
    /// The whole datagram must be that message: no octet more or less than Length says [D-36], no octet more than the
    /// message has fields, no reserved MsgType. What can be answered (an unknown protocol id, an empty name, a
    /// reserved TopicIdType or ReturnCode) decodes, and the gateway decides.
    package static func decode(_ datagram: ByteView) throws(SNDecodeError) -> SNPacket {
        let header = try SNHeader(datagram)
        if header.type == .encapsulated { return try SNEncapsulation.decode(header) }
        var body = SNBodyReader(header.body)
        let packet = try decode(header.type, from: &body, header)
        guard body.isAtEnd else { throw .messageTooLong }
        return packet
    }

    private static func decode(
        _ type: SNMessageType, from body: inout SNBodyReader, _ header: SNHeader
    ) throws(SNDecodeError) -> SNPacket {
        switch type {
        case .publish: return .publish(try SNPublish(from: &body))
        case .advertise: return .advertise(gwID: try body.readUInt8(), duration: try body.readUInt16())
        case .searchGW: return .searchGW(radius: try body.readUInt8())
        case .gwInfo: return .gwInfo(gwID: try body.readUInt8(), gwAdd: body.readRest())
        case .connect: return .connect(try SNConnect(from: &body))
        case .connack: return .connack(try body.readReturnCode())
        case .willTopicReq: return .willTopicReq
        case .willTopic: return .willTopic(try SNWillTopic.decode(from: &body))
        case .willMsgReq: return .willMsgReq
        case .willMsg: return .willMsg(body.readRest())
        case .register:
            return .register(
                topicID: try body.readUInt16(), msgID: try body.readUInt16(), topicName: try body.readTopicName())
        case .regack:
            return .regack(
                topicID: try body.readUInt16(), msgID: try body.readUInt16(), try body.readReturnCode())
        case .puback:
            return .puback(
                topicID: try body.readUInt16(), msgID: try body.readUInt16(), try body.readReturnCode())
        case .pubcomp: return .pubcomp(msgID: try body.readUInt16())
        case .pubrec: return .pubrec(msgID: try body.readUInt16())
        case .pubrel: return .pubrel(msgID: try body.readUInt16())
        case .subscribe: return .subscribe(try SNSubscribe.decodeSubscribe(from: &body))
        case .suback: return try decodeSuback(from: &body)
        case .unsubscribe: return .unsubscribe(try SNSubscribe.decodeUnsubscribe(from: &body))
        case .unsuback: return .unsuback(msgID: try body.readUInt16())
        case .pingreq: return .pingreq(clientID: try body.readClientID())
        case .pingresp: return .pingresp
        case .disconnect: return .disconnect(duration: body.isAtEnd ? nil : try body.readUInt16())
        case .willTopicUpd: return .willTopicUpd(try SNWillTopic.decode(from: &body))
        case .willTopicResp: return .willTopicResp(try body.readReturnCode())
        case .willMsgUpd: return .willMsgUpd(body.readRest())
        case .willMsgResp: return .willMsgResp(try body.readReturnCode())
        case .encapsulated: return try SNEncapsulation.decode(header)
        }
    }

    /// SUBACK: of the flags, only QoS is used. [SN-5.4.16]
    private static func decodeSuback(from body: inout SNBodyReader) throws(SNDecodeError) -> SNPacket {
        let flags = try body.readFlags()
        let topicID = try body.readUInt16()
        let msgID = try body.readUInt16()
        let returnCode = try body.readReturnCode()
        return .suback(qos: try flags.sessionQoS, topicID: topicID, msgID: msgID, returnCode)
    }
}
