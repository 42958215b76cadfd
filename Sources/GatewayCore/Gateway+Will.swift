internal import Bytes
internal import MQTTSNWire
internal import Messaging

/// The will: asked for during CONNECT (§6.2), updated later (§6.4).
extension Gateway {
    /// The longest will message that is kept for a device, in bytes.
    static let willMessageBytesMax = 16 * 1024

    /// Sends the request that the handshake is at, or sends it again.
    mutating func askForWill(_ slot: Int) {
        guard case .connecting(let connecting) = table[slot].state else { return }
        switch connecting.step {
        case .willTopic: send(.willTopicReq, to: slot)
        case .willMessage: send(.willMsgReq, to: slot)
        case .attaching: return
        }
        table[slot].retryAt = retryInstant()
        arm(slot)
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
        guard isTopicName(topic.topic) else { return refuseWill(connecting, slot) }
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
            guard message.count <= Self.willMessageBytesMax else { return refuseWill(connecting, slot) }
            will.payload = ByteString(message)
            attach(slot, connecting.request, will, connecting.origin)
        case .active(let active) where active.request.will:
            // CONNACK was lost: the device says the last thing again, and so do we [D-01].
            send(.connack(.accepted), to: slot)
        case .active, .asleep, .awake, .disconnected, .lost:
            counters.unexpected += 1
        }
    }

    private mutating func refuseWill(_ connecting: Connecting, _ slot: Int) {
        let device = table[slot]
        device.clientID.withView { refuse($0, device.path, .notSupported) }
        fallBack(slot, to: connecting.origin)
    }

    /// A topic, with an empty message if there was no will; none at all deletes the will [D-34].
    mutating func willTopicUpdReceived(_ topic: SNWillTopic?, _ slot: Int) {
        guard mayTransact(slot) else { return }
        guard let topic else {
            changeWill(nil, slot)
            return send(.willTopicResp(.accepted), to: slot)  // [SN-6.4]
        }
        guard isTopicName(topic.topic) else { return send(.willTopicResp(.notSupported), to: slot) }
        changeWill(
            Will(
                topic: ByteString(topic.topic), payload: wills[slot]?.payload ?? ByteString(), qos: topic.qos,
                retain: topic.retain), slot)
        send(.willTopicResp(.accepted), to: slot)
    }

    mutating func willMsgUpdReceived(_ message: ByteView, _ slot: Int) {
        guard mayTransact(slot) else { return }
        guard var will = wills[slot], message.count <= Self.willMessageBytesMax else {
            return send(.willMsgResp(.notSupported), to: slot)  // [D-34]
        }
        will.payload = ByteString(message)
        changeWill(will, slot)
        send(.willMsgResp(.accepted), to: slot)
    }

    private mutating func changeWill(_ will: Will?, _ slot: Int) {
        wills[slot] = will
        ask(slot, .setWill(will))
    }

    /// Whether bytes from a device can be the name of a topic.
    func isTopicName(_ name: ByteView) -> Bool {
        configuration.topicRules.allowsName(name) && name.isMQTTString
    }
}
