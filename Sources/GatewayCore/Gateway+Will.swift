internal import Bytes
internal import MQTTSNWire
internal import Messaging

/// The will: asked for during CONNECT (§6.2), updated later (§6.4).
extension Gateway {
    /// Sends the request that the handshake is at, or sends it again.
    mutating func askForWill(_ slot: Int) {
        guard case .connecting(let connecting) = table[slot].state else { return }
        switch connecting.step {
        case .willTopic: send(.willTopicReq, to: slot)
        case .willMessage: send(.willMsgReq, to: slot)
        case .attaching: return
        }
        awaitAnswer(slot)
    }

    mutating func willTopicReceived(_ topic: SNWillTopic?, _ slot: Int) {
        switch table[slot].state {
        case .connecting(let connecting):
            switch connecting.step {
            case .willTopic: takeWillTopic(topic, connecting, slot)
            // WILLMSGREQ was lost: the topic comes again.
            case .willMessage: takeWillTopic(topic, connecting, slot)
            case .attaching: break
            }
        case .active(let active) where active.request.will && topic == nil:
            // CONNACK was lost, and the empty WILLTOPIC was the last that the device said.
            send(.connack(.accepted), to: slot)
        case .active, .asleep, .awake, .disconnected, .lost:
            counters.unexpected += 1
        }
    }

    private mutating func takeWillTopic(_ topic: SNWillTopic?, _ connecting: Connecting, _ slot: Int) {
        guard let topic else {
            return attach(slot, connecting.request, nil, connecting.origin)  // [SN-6.3]
        }
        guard isTopicName(topic.topic) else { return refuseWill(.notSupported, connecting, slot) }
        var next = connecting
        next.step = .willMessage(
            Will(topic: ByteString(topic.topic), payload: ByteString(), qos: topic.qos, retain: topic.retain))
        enter(.connecting(next), slot)
        table[slot].retries = 0
        askForWill(slot)
    }

    mutating func willMsgReceived(_ message: ByteView, _ slot: Int) {
        switch table[slot].state {
        case .connecting(let connecting):
            guard case .willMessage(var will) = connecting.step else {
                counters.unexpected += 1
                return
            }
            will.payload = ByteString(message)
            if let code = refusal(of: will, slot) { return refuseWill(code, connecting, slot) }
            attach(slot, connecting.request, will, connecting.origin)
        case .active(let active) where active.request.will:
            // CONNACK was lost: the device says the last thing again, and so do we [D-01].
            send(.connack(.accepted), to: slot)
        case .active, .asleep, .awake, .disconnected, .lost:
            counters.unexpected += 1
        }
    }

    private mutating func refuseWill(_ code: SNReturnCode, _ connecting: Connecting, _ slot: Int) {
        let device = table[slot]
        device.clientID.withView { refuse($0, device.path, code) }
        fallBack(slot, to: connecting.origin)
    }

    /// Why a will cannot be kept: it is too long, or all of them together are.
    private func refusal(of will: Will, _ slot: Int) -> SNReturnCode? {
        let bytesMax = min(configuration.willMessageBytesMax, configuration.payloadBytesMax)
        if will.payload.count > bytesMax { return .notSupported }
        let others = willBytes - (wills[slot]?.storedBytes ?? 0)
        return others + will.storedBytes > configuration.willBytesMax ? .congestion : nil
    }

    /// Keeps the will for as long as the session lives (§6.3).
    mutating func store(_ will: Will?, _ slot: Int) {
        willBytes += (will?.storedBytes ?? 0) - (wills[slot]?.storedBytes ?? 0)
        if wills[slot] != will { noteDurable(slot) }
        wills[slot] = will
    }

    /// A topic, with an empty message if there was no will; none at all deletes the will [D-34].
    mutating func willTopicUpdReceived(_ topic: SNWillTopic?, _ slot: Int) {
        guard mayTransact(slot) else { return }
        guard let topic else {
            return send(.willTopicResp(change(to: nil, slot)), to: slot)  // [SN-6.4]
        }
        guard isTopicName(topic.topic) else { return send(.willTopicResp(.notSupported), to: slot) }
        let will = Will(
            topic: ByteString(topic.topic), payload: wills[slot]?.payload ?? ByteString(), qos: topic.qos,
            retain: topic.retain)
        send(.willTopicResp(change(to: will, slot)), to: slot)
    }

    mutating func willMsgUpdReceived(_ message: ByteView, _ slot: Int) {
        guard mayTransact(slot) else { return }
        guard var will = wills[slot] else { return send(.willMsgResp(.notSupported), to: slot) }  // [D-34]
        will.payload = ByteString(message)
        send(.willMsgResp(change(to: will, slot)), to: slot)
    }

    private mutating func change(to will: Will?, _ slot: Int) -> SNReturnCode {
        if let will, let code = refusal(of: will, slot) { return code }
        store(will, slot)
        ask(slot, .setWill(will))
        return .accepted
    }

    /// Whether bytes from a device can be the name of a topic.
    func isTopicName(_ name: ByteView) -> Bool {
        configuration.topicRules.allowsName(name) && name.isMQTTString
    }
}

extension Will {
    /// What it takes to keep it, nearly.
    var storedBytes: Int { topic.count + payload.count }
}
