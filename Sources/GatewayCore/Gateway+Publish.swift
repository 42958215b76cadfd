internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// PUBLISH from devices (§6.6), and from strangers at QoS -1 (§6.8).
extension Gateway {
    mutating func publishReceived(_ publish: SNPublish, _ slot: Int) {
        switch table[slot].state {
        case .active:
            break
        case .awake:
            if isStrict(slot) { return callBack(slot) }
        case .asleep:
            // One round trip saved is worth a lot to a battery [D-26].
            if isStrict(slot) || publish.qos == .two { return callBack(slot) }
        case .connecting, .disconnected, .lost:
            if publish.qos == .minusOne { return strangerPublished(publish, from: table[slot].path) }
            counters.unexpected += 1
            return
        }
        if publish.qos != .minusOne, publish.data.count > configuration.payloadBytesMax {
            return reject(publish, .notSupported, slot)  // [D-56]
        }
        switch publish.qos {
        case .minusOne: publishWithoutAnswer(publish, slot)
        case .zero: publishOnce(publish, slot)
        case .one, .two: publishWithHandshake(publish, slot)
        }
    }

    private mutating func publishOnce(_ publish: SNPublish, _ slot: Int) {
        guard let topic = topic(of: publish, slot) else { return rejectTopic(publish, slot) }
        table[slot].lastTopicID = publish.topicID
        ask(
            slot,
            .publish(IncomingPublish(topic: topic, qos: .atMostOnce, retain: publish.retain, payload: publish.data)))
    }

    private mutating func publishWithHandshake(_ publish: SNPublish, _ slot: Int) {
        if publish.msgID == 0, isStrict(slot) {  // [D-10]
            return send(.puback(topicID: publish.topicID, msgID: 0, .notSupported), to: slot)
        }
        guard let topic = topic(of: publish, slot) else { return rejectTopic(publish, slot) }
        let isRoom = table[slot].uplinks.insert(
            msgID: publish.msgID, topicID: publish.topicID, limit: configuration.uplinksPerDeviceMax)
        guard isRoom else {  // [D-38]
            counters.tooManyOpen += 1
            return send(.puback(topicID: publish.topicID, msgID: publish.msgID, .congestion), to: slot)
        }
        ask(
            slot,
            .publish(
                IncomingPublish(
                    topic: topic, qos: publish.qos.quality, retain: publish.retain, isDuplicate: publish.dup,
                    packetIdentifier: publish.msgID, payload: publish.data)))
    }

    /// QoS -1 from a device that is connected: with its identity, and without any answer [D-33].
    private mutating func publishWithoutAnswer(_ publish: SNPublish, _ slot: Int) {
        let path = table[slot].path
        guard let (topic, payload) = wordlessTopic(of: publish, from: path, clientID: table[slot].clientID) else {
            counters.unknownTopicID += 1
            return
        }
        table[slot].lastTopicID = 0
        ask(
            slot,
            .publish(
                IncomingPublish(topic: .name(topic), qos: .atMostOnce, retain: publish.retain, payload: payload)))
    }

    /// QoS -1 from somebody who is not connected.
    mutating func strangerPublished(_ publish: SNPublish, from path: DatagramPath) {
        guard !isStopping, configuration.rules(of: path.listener).allowsAnonymousPublish,
            configuration.anonymousPublishesPerSecond == 0 || mayPublishAsStranger(at: path),
            let (topic, payload) = wordlessTopic(of: publish, from: path, clientID: nil)
        else {
            counters.anonymousRejected += 1
            return
        }
        effects.append(
            .anonymousPublish(
                IncomingPublish(topic: .name(topic), qos: .atMostOnce, retain: publish.retain, payload: payload),
                listener: path.listener))
    }

    // MARK: - Topics

    /// The topic that a PUBLISH at QoS 0 to 2 names.
    @inline(__always)
    private func topic(of publish: SNPublish, _ slot: Int) -> IncomingPublish.Topic? {
        if publish.topicIDType == .normal {
            return table[slot].topics.topic(at: Int(publish.topicID) - topicBase - 1).map { .id($0) }
        }
        let reference = TopicReference(type: publish.topicIDType, id: publish.topicID)
        return name(reference, clientID: table[slot].clientID, listener: table[slot].path.listener)
            .map { .name($0) }
    }

    /// The name behind a predefined id or a short name.
    func name(_ reference: TopicReference, clientID: ByteString?, listener: UInt16) -> ByteView? {
        switch reference.type {
        case .predefined:
            return predefinedTopics[place(of: listener)].name(reference.id, clientID: clientID, in: scratch)
        case .short:
            let name = scratch.keep { $0.append(reference.id) }
            return isTopicName(name) ? name : nil
        case .normal, .reserved:
            return nil
        }
    }

    /// Topic and payload of a PUBLISH at QoS -1: by predefined id or short name (§6.8), or with the name at the head
    /// of the data where the listener takes that [D-32]. Nil too if the payload is longer than any may be [D-56].
    private func wordlessTopic(
        of publish: SNPublish, from path: DatagramPath, clientID: ByteString?
    ) -> (topic: ByteView, payload: ByteView)? {
        switch publish.topicIDType {
        case .predefined, .short:
            let reference = TopicReference(type: publish.topicIDType, id: publish.topicID)
            guard publish.data.count <= configuration.payloadBytesMax else { return nil }
            return name(reference, clientID: clientID, listener: path.listener).map { ($0, publish.data) }
        case .normal:
            let count = Int(publish.topicID)
            guard configuration.rules(of: path.listener).allowsInlineNames, count <= publish.data.count else {
                return nil
            }
            let name = publish.data[0..<count]
            let payload = publish.data.dropFirst(count)
            return isTopicName(name) && payload.count <= configuration.payloadBytesMax ? (name, payload) : nil
        case .reserved:
            return nil
        }
    }

    // MARK: - Answers

    /// PUBACK for a topic id that means nothing, at any QoS [D-09].
    private mutating func rejectTopic(_ publish: SNPublish, _ slot: Int) {
        counters.unknownTopicID += 1
        let isReserved = publish.topicIDType == .reserved
        reject(publish, isReserved ? .notSupported : .invalidTopicID, slot)  // [D-31] [SN-6.6]
    }

    private mutating func reject(_ publish: SNPublish, _ code: SNReturnCode, _ slot: Int) {
        switch publish.qos {
        case .zero: reportError(topicID: publish.topicID, code, slot)
        case .one, .two: send(.puback(topicID: publish.topicID, msgID: publish.msgID, code), to: slot)
        case .minusOne: break
        }
    }

    /// An error at QoS 0: once a second at most [D-08].
    private mutating func reportError(topicID: UInt16, _ code: SNReturnCode, _ slot: Int) {
        guard mayReportError(slot) else { return }
        send(.puback(topicID: topicID, msgID: 0, code), to: slot)
    }

    /// Whether the device can be told of an error that it did not ask about.
    mutating func mayReportError(_ slot: Int) -> Bool {
        guard now.instant >= table[slot].errorsFrom else {
            counters.rateLimited += 1
            return false
        }
        table[slot].errorsFrom = now.instant + .seconds(1)
        return true
    }

    mutating func pubrelReceived(msgID: UInt16, _ slot: Int) {
        switch table[slot].state {
        case .active, .asleep, .awake: ask(slot, .release(packetIdentifier: msgID))
        case .connecting, .disconnected, .lost: counters.unexpected += 1
        }
    }

    /// The broker's word on a PUBLISH or PUBREL of the device, or its PUBREL for a delivery.
    mutating func acknowledged(_ answer: Acknowledgement, _ slot: Int) {
        guard table[slot].state.isAttached else { return }
        let msgID = answer.packetIdentifier
        let code = SNReturnCode(answer.outcome)
        switch answer.kind {
        case .puback:
            if let topicID = table[slot].uplinks.take(msgID: msgID) {
                send(.puback(topicID: topicID, msgID: msgID, code), to: slot)
            } else if !answer.outcome.isAccepted, table[slot].lastTopicID != 0 {
                reportError(topicID: table[slot].lastTopicID, code, slot)
            }
        case .pubrec:
            let topicID = table[slot].uplinks.take(msgID: msgID) ?? 0
            if answer.outcome == .receiveMaximumExceeded { counters.tooManyOpen += 1 }
            send(
                answer.outcome.isAccepted
                    ? .pubrec(msgID: msgID) : .puback(topicID: topicID, msgID: msgID, code), to: slot)
        case .pubcomp:
            send(.pubcomp(msgID: msgID), to: slot)
        case .pubrel:
            release(msgID: msgID, slot)
        }
    }
}
