import Bytes
import GatewayCore
import MQTTSNWire
import Messaging

/// One effect as a line.
func text(_ effect: Gateway.Effect) -> String {
    switch effect {
    case .send(let packet, let path):
        return "\(place(path)) \(text(packet))"
    case .sendPublish(let header, let message, let path):
        let flags = (header.dup ? " dup" : "") + (header.retain ? " retain" : "")
        let topic = "\(header.topicIDType):\(header.topicID)"
        return "\(place(path)) PUBLISH q\(header.qos.rawValue)\(flags) \(topic) m\(header.msgID) #\(message.index)"
    case .sendRegister(let topicID, _, let message, let path):
        return "\(place(path)) REGISTER \(topicID) #\(message.index)"
    case .request(let link, let request):
        return "\(link.slot)? \(text(request))"
    case .multicast(let packet, let link, let hops):
        return "group \(link.listener).\(link.number) hops \(hops) \(text(packet))"
    case .anonymousPublish(let publish, let listener):
        return "anonymous \(text(publish)) @\(listener)"
    case .log(let log):
        return "log \(log)"
    }
}

private func place(_ path: DatagramPath) -> String {
    let host = path.remote.ipv4 & 0xFF
    let node = path.node == 0 ? "" : "/\(path.node)"
    return (host == 1 ? "\(path.remote.port)" : "\(host):\(path.remote.port)") + node
}

private func text(_ packet: SNPacket) -> String {
    switch packet {
    case .advertise(let id, let duration): "ADVERTISE \(id) \(duration)"
    case .gwInfo(let id, let address): "GWINFO \(id) \(address.count)"
    case .connack(let code): "CONNACK \(code.rawValue)"
    case .willTopicReq: "WILLTOPICREQ"
    case .willMsgReq: "WILLMSGREQ"
    case .regack(let id, let msgID, let code): "REGACK \(id) m\(msgID) \(code.rawValue)"
    case .puback(let id, let msgID, let code): "PUBACK \(id) m\(msgID) \(code.rawValue)"
    case .pubrec(let msgID): "PUBREC m\(msgID)"
    case .pubrel(let msgID): "PUBREL m\(msgID)"
    case .pubcomp(let msgID): "PUBCOMP m\(msgID)"
    case .suback(let qos, let id, let msgID, let code): "SUBACK q\(qos.rawValue) \(id) m\(msgID) \(code.rawValue)"
    case .unsuback(let msgID): "UNSUBACK m\(msgID)"
    case .pingreq: "PINGREQ"
    case .pingresp: "PINGRESP"
    case .disconnect: "DISCONNECT"
    case .willTopicResp(let code): "WILLTOPICRESP \(code.rawValue)"
    case .willMsgResp(let code): "WILLMSGRESP \(code.rawValue)"
    case .searchGW, .connect, .willTopic, .willMsg, .register, .publish, .subscribe, .unsubscribe,
        .willTopicUpd, .willMsgUpd, .encapsulated:
        "unexpected"
    }
}

private func text(_ request: LinkRequest) -> String {
    switch request {
    case .attach(let offer):
        "attach \(offer.clientID) \(offer.cleanStart ? "clean" : "keep")" + text(offer.will)
    case .detach(let farewell): farewell.publishesWill ? "detach will" : "detach"
    case .publish(let publish): "publish \(text(publish))"
    case .release(let id): "release \(id)"
    case .acknowledge(let answer): "\(answer.kind) \(answer.packetIdentifier)"
    case .delivered: "delivered"
    case .abandon(let id): "abandon \(id)"
    case .window(let isOpen): isOpen ? "open" : "close"
    case .subscribe(let id, let requests):
        "subscribe \(id) " + requests.map { "\($0.filter) q\($0.options.maximumQoS.rawValue)" }.joined(separator: ",")
    case .unsubscribe(let id, let filters): "unsubscribe \(id) " + filters.map(\.description).joined(separator: ",")
    case .resolve(let token, let name): "resolve \(token) \(name.escaped)"
    case .keep(let topic): "keep \(topic.index)"
    case .forget(let topic): "forget \(topic.index)"
    case .setWill(let will): "setWill" + (will == nil ? " none" : text(will))
    }
}

private func text(_ will: Will?) -> String {
    guard let will else { return "" }
    return " will \(will.topic)=\(will.payload) q\(will.qos.rawValue)" + (will.retain ? " retain" : "")
}

private func text(_ publish: IncomingPublish) -> String {
    let topic =
        switch publish.topic {
        case .name(let name): name.escaped
        case .id(let id): "#\(id.index)"
        }
    let flags = (publish.isDuplicate ? " dup" : "") + (publish.retain ? " retain" : "")
    return "\(topic)=\(publish.payload.escaped) q\(publish.qos.rawValue)\(flags) m\(publish.packetIdentifier)"
}
