internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// Who a message is from, and which procedure it belongs to.
extension Gateway {
    /// A message of whoever is reached by `path`, unwrapped if a forwarder brought it.
    mutating func received(_ packet: SNPacket, from path: DatagramPath) {
        guard let slot = table.slot(at: path) else { return strangerSent(packet, from: path) }
        heard(slot, path)
        if case .connect(let connect) = packet { return connectReceived(connect, from: path) }
        table[slot].hasSpoken = true
        spoke(packet, from: path, slot)
    }

    /// A message other than CONNECT from a device.
    private mutating func spoke(_ packet: SNPacket, from path: DatagramPath, _ slot: Int) {
        switch packet {
        case .publish(let publish): publishReceived(publish, slot)
        case .puback(let topicID, let msgID, let code): pubackReceived(topicID: topicID, msgID: msgID, code, slot)
        case .pubrec(let msgID): pubrecReceived(msgID: msgID, slot)
        case .pubrel(let msgID): pubrelReceived(msgID: msgID, slot)
        case .pubcomp(let msgID): pubcompReceived(msgID: msgID, slot)
        case .register(_, let msgID, let name): registerReceived(name, msgID: msgID, slot)
        case .regack(let topicID, let msgID, let code): regackReceived(topicID: topicID, msgID: msgID, code, slot)
        case .subscribe(let subscribe): subscribeReceived(subscribe, slot)
        case .unsubscribe(let unsubscribe): unsubscribeReceived(unsubscribe, slot)
        case .pingreq(let clientID): pingreqReceived(clientID, from: path, slot)
        // That the device was heard is all that PINGRESP says.
        case .pingresp: break
        case .willTopic(let topic): willTopicReceived(topic, slot)
        case .willMsg(let message): willMsgReceived(message, slot)
        case .willTopicUpd(let topic): willTopicUpdReceived(topic, slot)
        case .willMsgUpd(let message): willMsgUpdReceived(message, slot)
        case .disconnect(let duration): disconnectReceived(seconds: duration ?? 0, slot)
        case .searchGW: answerSearch(from: path)
        case .connect, .advertise, .gwInfo, .connack, .willTopicReq, .willMsgReq, .suback, .unsuback, .willTopicResp,
            .willMsgResp, .encapsulated:
            counters.unexpected += 1
        }
    }

    /// Notes a sign of life.
    private mutating func heard(_ slot: Int, _ path: DatagramPath) {
        // The peer is the same; which of our addresses it asked may have changed.
        table[slot].path = path
        table[slot].heard = now.instant
        table[slot].pings = 0
        if table[slot].isChallenged { ownerAnswered(slot) }
    }

    /// Messages from addresses that no device is known at [D-14] [D-16].
    private mutating func strangerSent(_ packet: SNPacket, from path: DatagramPath) {
        switch packet {
        case .connect(let connect):
            connectReceived(connect, from: path)
        case .publish(let publish) where publish.qos == .minusOne:
            strangerPublished(publish, from: path)
        case .pingreq(let clientID) where !clientID.isEmpty:
            wakeFromElsewhere(clientID, from: path)
        case .searchGW:
            answerSearch(from: path)
        case .advertise, .gwInfo, .connack, .willTopicReq, .willMsgReq, .regack, .suback, .unsuback, .willTopicResp,
            .willMsgResp, .encapsulated:
            // What only gateways say is never answered: two of them would not find an end.
            counters.unexpected += 1
        case .disconnect where !goodbyes.allows(path, at: now.instant):
            counters.rateLimited += 1  // [D-70]
        case .willTopic, .willMsg, .register, .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe,
            .unsubscribe, .pingreq, .pingresp, .disconnect, .willTopicUpd, .willMsgUpd:
            turnAway(path)
        }
    }

    /// Tells somebody that is not connected to CONNECT: two bytes, so never more than was received [D-16] [D-25].
    mutating func turnAway(_ path: DatagramPath) {
        counters.unknownAddress += 1
        guard mayAnswerStranger(at: path) else {
            counters.rateLimited += 1
            return
        }
        send(.disconnect(duration: nil), to: path)  // [SN-6.12]
    }

    /// SEARCHGW: GWINFO to the asker, three bytes for three [D-41].
    private mutating func answerSearch(from path: DatagramPath) {
        guard mayAnswerSearch(from: path) else {
            counters.rateLimited += 1
            return
        }
        send(.gwInfo(gwID: configuration.rules(of: path.listener).gatewayID, gwAdd: .empty), to: path)  // [SN-6.1]
    }

    /// What the broker says to the device in `slot`.
    mutating func answered(_ slot: Int, _ answer: LinkAnswer, _ message: MessageView?) {
        guard table.contains(slot) else { return answeredTooLate(slot, answer) }
        switch answer {
        case .attached(let attached): self.attached(attached, slot)
        case .refused(let refusal): attachRefused(refusal, slot)
        case .close(let reason): closed(reason, slot)
        case .acknowledge(let acknowledgement): acknowledged(acknowledgement, slot)
        case .deliver(let delivery): delivered(delivery, message, slot)
        case .subscribed(let id, let outcomes): subscribed(msgID: id, outcomes.first, slot)
        case .unsubscribed(let id, _): unsubscribed(msgID: id, slot)
        case .resolved(let token, let topic, let refusal): resolved(msgID: token, topic, refusal, slot)
        case .drained: drained(slot)
        }
    }

    /// An answer to a device that went meanwhile: what the broker gave is given back.
    private mutating func answeredTooLate(_ slot: Int, _ answer: LinkAnswer) {
        switch answer {
        case .resolved(_, let topic?, _): ask(slot, .forget(topic))
        case .attached: ask(slot, .detach(Farewell(publishesWill: false)))
        case .resolved, .refused, .close, .acknowledge, .deliver, .subscribed, .unsubscribed, .drained: break
        }
    }
}
