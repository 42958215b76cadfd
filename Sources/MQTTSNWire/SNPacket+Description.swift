import Bytes
import Messaging

extension SNPacket: CustomStringConvertible {
    /// The packet on one line, for logs and `dormouse decode`: the message's name, then its fields as `name=value`
    /// in the standard's order. Names are escaped and cut after 128 bytes; of data only the length is shown.
    package var description: String {
        let fields = self.fields
        return fields.isEmpty ? type.name : type.name + " " + fields
    }

    private var fields: String {
        switch self {
        case .advertise(let gwID, let duration): "gwID=\(gwID) duration=\(duration)s"
        case .searchGW(let radius): "radius=\(radius)"
        case .gwInfo(let gwID, let gwAdd):
            gwAdd.isEmpty ? "gwID=\(gwID)" : "gwID=\(gwID) gwAdd=\(quoted(gwAdd))"
        case .connect(let connect): connect.fields
        case .connack(let returnCode), .willTopicResp(let returnCode), .willMsgResp(let returnCode):
            "returnCode=\(returnCode)"
        case .willTopic(let will), .willTopicUpd(let will): will?.fields ?? "empty"
        case .willMsg(let message), .willMsgUpd(let message): "message=\(message.count) bytes"
        case .register(let topicID, let msgID, let topicName):
            "topicID=\(hex(topicID)) msgID=\(msgID) topicName=\(quoted(topicName))"
        case .regack(let topicID, let msgID, let returnCode), .puback(let topicID, let msgID, let returnCode):
            "topicID=\(hex(topicID)) msgID=\(msgID) returnCode=\(returnCode)"
        case .publish(let publish): publish.fields
        case .pubrec(let msgID), .pubrel(let msgID), .pubcomp(let msgID), .unsuback(let msgID): "msgID=\(msgID)"
        case .subscribe(let subscribe):
            "qos=\(subscribe.qos.rawValue)\(word("dup", if: subscribe.dup)) \(subscribe.fields)"
        case .suback(let qos, let topicID, let msgID, let returnCode):
            "qos=\(qos.rawValue) topicID=\(hex(topicID)) msgID=\(msgID) returnCode=\(returnCode)"
        case .unsubscribe(let subscribe): subscribe.fields
        case .pingreq(let clientID): clientID.isEmpty ? "" : "clientID=\(quoted(clientID))"
        case .disconnect(let duration): duration.map { "duration=\($0)s" } ?? ""
        case .willTopicReq, .willMsgReq, .pingresp: ""
        case .encapsulated(let radius, let wirelessNodeID, let message):
            "radius=\(radius) wirelessNodeID=\(quoted(wirelessNodeID)) message=\(message.count) bytes"
        }
    }
}

extension SNConnect {
    fileprivate var fields: String {
        "protocolID=\(protocolID) duration=\(duration)s\(word("will", if: will))"
            + "\(word("cleanSession", if: cleanSession)) clientID=\(quoted(clientID))"
    }
}

extension SNWillTopic {
    fileprivate var fields: String {
        "qos=\(qos.rawValue)\(word("retain", if: retain)) topic=\(quoted(topic))"
    }
}

extension SNPublish {
    fileprivate var fields: String {
        let shownTopicID = topicIDType == .short ? quoted(topicID) : hex(topicID)
        return "qos=\(qos)\(word("dup", if: dup))\(word("retain", if: retain)) type=\(topicIDType)"
            + " topicID=\(shownTopicID) msgID=\(msgID) data=\(data.count) bytes"
    }
}

extension SNSubscribe {
    fileprivate var fields: String {
        let shownTopic =
            switch topic {
            case .name(let name): "topicName=\(quoted(name))"
            case .predefined(let number): "type=predefined topicID=\(hex(number))"
            case .short(let number): "type=short topicID=\(quoted(number))"
            case .reserved: "type=reserved"
            }
        return "msgID=\(msgID) \(shownTopic)"
    }
}

extension SNQoS: CustomStringConvertible {
    /// The level as the standard writes it: 0, 1, 2 or -1.
    package var description: String {
        self == .minusOne ? "-1" : String(rawValue)
    }
}

extension SNReturnCode: CustomStringConvertible {
    /// The meaning that Table 5 gives, without "rejected"; a reserved code as a number.
    package var description: String {
        switch self {
        case .accepted: "accepted"
        case .congestion: "congestion"
        case .invalidTopicID: "invalidTopicID"
        case .notSupported: "notSupported"
        default: "reserved(\(rawValue))"
        }
    }
}

/// Bytes of a name that a log line shows: nobody fills the log with one datagram (attack case I.105).
private let shownBytesMax = 128

private func quoted(_ name: ByteView) -> String {
    if name.count <= shownBytesMax { return "'\(name.escaped)'" }
    return "'\(name[0..<shownBytesMax].escaped)' (\(name.count) bytes)"
}

/// The two characters of a short topic name.
private func quoted(_ shortName: UInt16) -> String {
    withUnsafeBytes(of: shortName.bigEndian) { quoted(ByteView($0)) }
}

private func hex(_ number: UInt16) -> String {
    let digits = stride(from: 12, through: 0, by: -4).map { hexDigit(UInt8(truncatingIfNeeded: number >> $0)) }
    return "0x" + String(digits)
}

private func word(_ word: String, if isSet: Bool) -> String {
    isSet ? " " + word : ""
}
