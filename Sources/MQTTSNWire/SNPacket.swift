package import Bytes
package import Messaging

/// One MQTT-SN 1.2 message (§5.4), as a value whose bytes are views of the datagram it came in.
///
/// A case for each message type, its fields in the order and under the names of the standard.
package enum SNPacket: Equatable {
    case advertise(gwID: UInt8, duration: UInt16)
    case searchGW(radius: UInt8)
    /// `gwAdd` is empty when the gateway itself speaks (§5.4.3).
    case gwInfo(gwID: UInt8, gwAdd: ByteView)
    case connect(SNConnect)
    case connack(SNReturnCode)
    case willTopicReq
    /// nil is the empty WILLTOPIC, which deletes the will (§5.4.7).
    case willTopic(SNWillTopic?)
    case willMsgReq
    case willMsg(ByteView)
    /// `topicID` is 0x0000 from a client (§5.4.10).
    case register(topicID: UInt16, msgID: UInt16, topicName: ByteView)
    case regack(topicID: UInt16, msgID: UInt16, SNReturnCode)
    case publish(SNPublish)
    case puback(topicID: UInt16, msgID: UInt16, SNReturnCode)
    case pubrec(msgID: UInt16)
    case pubrel(msgID: UInt16)
    case pubcomp(msgID: UInt16)
    case subscribe(SNSubscribe)
    case suback(qos: QoS, topicID: UInt16, msgID: UInt16, SNReturnCode)
    case unsubscribe(SNSubscribe)
    case unsuback(msgID: UInt16)
    /// With the client id of a sleeping client that wakes, or empty (§5.4.19).
    case pingreq(clientID: ByteView)
    case pingresp
    /// With the sleep duration in seconds, or without (§5.4.21).
    case disconnect(duration: UInt16?)
    case willTopicUpd(SNWillTopic?)
    case willTopicResp(SNReturnCode)
    case willMsgUpd(ByteView)
    case willMsgResp(SNReturnCode)
    /// Forwarder encapsulation (§5.5): the message of a node behind a forwarder, still encoded. `radius` has two
    /// bits, the node id 1 to 252 bytes.
    case encapsulated(radius: UInt8, wirelessNodeID: ByteView, message: ByteView)
}

extension SNPacket {
    /// The MsgType that stands for this packet on the wire (§5.2.2).
    package var type: SNMessageType {
        switch self {
        case .advertise: .advertise
        case .searchGW: .searchGW
        case .gwInfo: .gwInfo
        case .connect: .connect
        case .connack: .connack
        case .willTopicReq: .willTopicReq
        case .willTopic: .willTopic
        case .willMsgReq: .willMsgReq
        case .willMsg: .willMsg
        case .register: .register
        case .regack: .regack
        case .publish: .publish
        case .puback: .puback
        case .pubrec: .pubrec
        case .pubrel: .pubrel
        case .pubcomp: .pubcomp
        case .subscribe: .subscribe
        case .suback: .suback
        case .unsubscribe: .unsubscribe
        case .unsuback: .unsuback
        case .pingreq: .pingreq
        case .pingresp: .pingresp
        case .disconnect: .disconnect
        case .willTopicUpd: .willTopicUpd
        case .willTopicResp: .willTopicResp
        case .willMsgUpd: .willMsgUpd
        case .willMsgResp: .willMsgResp
        case .encapsulated: .encapsulated
        }
    }

    /// Whether a client (or the forwarder in front of it) may send such a message.
    package var isFromClient: Bool { type.isFromClient }

    /// Whether a gateway may send such a message.
    package var isFromGateway: Bool { type.isFromGateway }
}
