package import Bytes

extension SNPacket {
    /// Appends the message: one octet of Length up to 255 octets, three above (§5.2.1). Flags that the message does
    /// not use are zero.
    ///
    /// Returns false and writes nothing for what cannot be encoded: a message longer than 65,535 octets, an
    /// encapsulation without a message or without a node id of 1 to 252 bytes. Only packets that carry names, data or
    /// a node id can be so.
    @discardableResult
    package func encode(into output: inout OutputBuffer) -> Bool {
        switch self {
        case .publish(let publish):
            return publish.encode(into: &output)
        case .encapsulated(let radius, let wirelessNodeID, let message):
            return SNEncapsulation.encode(
                radius: radius, wirelessNodeID: wirelessNodeID, message: message, into: &output)
        default:
            guard SNHeader.encode(type, bodyOctets: bodyOctets, into: &output) else { return false }
            encodeBody(into: &output)
            return true
        }
    }

    /// How many octets `encode` appends; above 65,535 it refuses.
    package var encodedByteCount: Int {
        if case .encapsulated(_, let wirelessNodeID, let message) = self {
            return SNEncapsulation.overheadOctets + wirelessNodeID.count + message.count
        }
        return SNHeader.messageOctets(bodyOctets: bodyOctets)
    }

    /// Octets behind MsgType.
    private var bodyOctets: Int {
        switch self {
        case .willTopicReq, .willMsgReq, .pingresp: 0
        case .searchGW, .connack, .willTopicResp, .willMsgResp: 1
        case .pubrec, .pubrel, .pubcomp, .unsuback: 2
        case .advertise: 3
        case .regack, .puback: 5
        case .suback: 6
        case .gwInfo(_, let gwAdd): 1 + gwAdd.count
        case .connect(let connect): connect.bodyOctets
        case .willTopic(let will), .willTopicUpd(let will): will?.bodyOctets ?? 0
        case .willMsg(let message), .willMsgUpd(let message): message.count
        case .register(_, _, let topicName): 4 + topicName.count
        case .publish(let publish): publish.bodyOctets
        case .subscribe(let subscribe), .unsubscribe(let subscribe): subscribe.bodyOctets
        case .pingreq(let clientID): clientID.count
        case .disconnect(let duration): duration == nil ? 0 : 2
        case .encapsulated(_, let wirelessNodeID, let message): 1 + wirelessNodeID.count + message.count
        }
    }

    private func encodeBody(into output: inout OutputBuffer) {
        switch self {
        case .advertise(let gwID, let duration):
            output.append(gwID)
            output.append(duration)
        case .searchGW(let radius):
            output.append(radius)
        case .gwInfo(let gwID, let gwAdd):
            output.append(gwID)
            output.append(gwAdd)
        case .connect(let connect):
            connect.encodeBody(into: &output)
        case .connack(let returnCode), .willTopicResp(let returnCode), .willMsgResp(let returnCode):
            output.append(returnCode.rawValue)
        case .willTopic(let will), .willTopicUpd(let will):
            will?.encodeBody(into: &output)
        case .willMsg(let bytes), .willMsgUpd(let bytes), .pingreq(let bytes):
            output.append(bytes)
        case .register(let topicID, let msgID, let topicName):
            output.append(topicID)
            output.append(msgID)
            output.append(topicName)
        case .regack(let topicID, let msgID, let returnCode), .puback(let topicID, let msgID, let returnCode):
            output.append(topicID)
            output.append(msgID)
            output.append(returnCode.rawValue)
        case .pubrec(let msgID), .pubrel(let msgID), .pubcomp(let msgID), .unsuback(let msgID):
            output.append(msgID)
        case .subscribe(let subscribe):
            subscribe.encodeSubscribe(into: &output)
        case .suback(let qos, let topicID, let msgID, let returnCode):
            output.append(SNFlags(qos: SNQoS(qos)).octet)
            output.append(topicID)
            output.append(msgID)
            output.append(returnCode.rawValue)
        case .unsubscribe(let subscribe):
            subscribe.encodeUnsubscribe(into: &output)
        case .disconnect(let duration):
            if let duration { output.append(duration) }
        // Nothing behind MsgType, or written by `encode` itself.
        case .willTopicReq, .willMsgReq, .pingresp, .publish, .encapsulated: break
        }
    }
}
