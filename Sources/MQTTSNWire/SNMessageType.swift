/// The MsgType field (§5.2.2, Table 3): the 28 values that are not reserved.
package enum SNMessageType: UInt8, CaseIterable, Sendable {
    case advertise = 0x00
    case searchGW = 0x01
    case gwInfo = 0x02
    case connect = 0x04
    case connack = 0x05
    case willTopicReq = 0x06
    case willTopic = 0x07
    case willMsgReq = 0x08
    case willMsg = 0x09
    case register = 0x0A
    case regack = 0x0B
    case publish = 0x0C
    case puback = 0x0D
    case pubcomp = 0x0E
    case pubrec = 0x0F
    case pubrel = 0x10
    case subscribe = 0x12
    case suback = 0x13
    case unsubscribe = 0x14
    case unsuback = 0x15
    case pingreq = 0x16
    case pingresp = 0x17
    case disconnect = 0x18
    case willTopicUpd = 0x1A
    case willTopicResp = 0x1B
    case willMsgUpd = 0x1C
    case willMsgResp = 0x1D
    case encapsulated = 0xFE

    /// Who sends messages of this type.
    package enum Direction: Sendable {
        case fromClient, fromGateway, either
    }

    /// Who sends messages of this type, as the section of each message (§5.4, §5.5) says.
    package var direction: Direction {
        switch self {
        case .searchGW, .connect, .willTopic, .willMsg, .subscribe, .unsubscribe, .willTopicUpd, .willMsgUpd:
            .fromClient
        case .advertise, .connack, .willTopicReq, .willMsgReq, .suback, .unsuback, .willTopicResp, .willMsgResp:
            .fromGateway
        // A client answers SEARCHGW for a gateway it knows (§5.4.3); keep-alive flows both ways (§5.4.20).
        case .gwInfo, .register, .regack, .publish, .puback, .pubcomp, .pubrec, .pubrel, .pingreq, .pingresp,
            .disconnect, .encapsulated:
            .either
        }
    }

    /// Whether a client may send it; for `encapsulated`, the forwarder in front of clients.
    package var isFromClient: Bool { direction != .fromGateway }

    /// Whether a gateway may send it.
    package var isFromGateway: Bool { direction != .fromClient }

    /// The standard's word for the message, for logs.
    package var name: String {
        switch self {
        case .advertise: "ADVERTISE"
        case .searchGW: "SEARCHGW"
        case .gwInfo: "GWINFO"
        case .connect: "CONNECT"
        case .connack: "CONNACK"
        case .willTopicReq: "WILLTOPICREQ"
        case .willTopic: "WILLTOPIC"
        case .willMsgReq: "WILLMSGREQ"
        case .willMsg: "WILLMSG"
        case .register: "REGISTER"
        case .regack: "REGACK"
        case .publish: "PUBLISH"
        case .puback: "PUBACK"
        case .pubcomp: "PUBCOMP"
        case .pubrec: "PUBREC"
        case .pubrel: "PUBREL"
        case .subscribe: "SUBSCRIBE"
        case .suback: "SUBACK"
        case .unsubscribe: "UNSUBSCRIBE"
        case .unsuback: "UNSUBACK"
        case .pingreq: "PINGREQ"
        case .pingresp: "PINGRESP"
        case .disconnect: "DISCONNECT"
        case .willTopicUpd: "WILLTOPICUPD"
        case .willTopicResp: "WILLTOPICRESP"
        case .willMsgUpd: "WILLMSGUPD"
        case .willMsgResp: "WILLMSGRESP"
        case .encapsulated: "ENCAPSULATED"
        }
    }
}
