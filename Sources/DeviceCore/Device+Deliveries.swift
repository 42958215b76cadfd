internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// MsgIds of messages that came at QoS 2.
struct ReceivedIdentifiers {
    /// Come and not released: the message must not be taken again.
    private var open: [UInt16] = []
    /// Released lately: a copy of PUBLISH that was long under way must not pass for a new message. The gateway goes
    /// through all ids before it uses one again, but another gateway, or a restarted one, begins anew: so this memory
    /// is short.
    private var closed: [(msgID: UInt16, at: Instant)] = []

    private static let countMax = 16

    func contains(_ msgID: UInt16, after horizon: Instant) -> Bool {
        open.contains(msgID) || closed.contains { $0.msgID == msgID && $0.at > horizon }
    }

    mutating func insert(_ msgID: UInt16) {
        if open.count == Self.countMax { open.removeFirst() }
        open.append(msgID)
    }

    mutating func release(_ msgID: UInt16, at now: Instant) {
        guard let place = open.firstIndex(of: msgID) else { return }
        open.remove(at: place)
        if closed.count == Self.countMax { closed.removeFirst() }
        closed.append((msgID, now))
    }
}

/// What the gateway brings: REGISTER and PUBLISH (§6.10), and their handshakes.
extension Device {
    /// Whether the radio listens and the connection stands.
    private var isListening: Bool {
        switch state {
        case .active, .awake, .leaving: true
        case .disconnected, .connecting, .asleep: false
        }
    }

    mutating func registerReceived(_ topicID: UInt16, _ msgID: UInt16, _ name: ByteView) {
        guard isListening else { return }
        heardWhileAwake()
        let code: SNReturnCode = learn(ByteString(name), topicID) ? .accepted : .notSupported
        send(.regack(topicID: topicID, msgID: msgID, code))
    }

    mutating func publishReceived(_ publish: SNPublish) {
        guard isListening else { return }
        heardWhileAwake()
        guard let topic = topic(of: publish) else {
            send(.puback(topicID: publish.topicID, msgID: publish.msgID, .invalidTopicID))  // [SN-6.10]
            return
        }
        let message = Received(
            topic: topic, qos: publish.qos.quality, retain: publish.retain, payload: ByteString(publish.data))
        switch publish.qos {
        case .minusOne, .zero:
            effects.append(.received(message))
        case .one:
            effects.append(.received(message))
            send(.puback(topicID: publish.topicID, msgID: publish.msgID, .accepted))
        case .two:
            if !isKnown(publish.msgID) {
                received.insert(publish.msgID)
                effects.append(.received(message))
            }
            send(.pubrec(msgID: publish.msgID))
        }
    }

    mutating func pubrelReceived(_ msgID: UInt16) {
        guard isListening else { return }
        heardWhileAwake()
        received.release(msgID, at: now)
        send(.pubcomp(msgID: msgID))
    }

    private func isKnown(_ msgID: UInt16) -> Bool {
        let memory = settings.retryInterval.wholeNanoseconds
        let horizon = now.nanoseconds > memory ? now.nanoseconds - memory : 0
        return received.contains(msgID, after: Instant(nanoseconds: horizon))
    }

    private func topic(of publish: SNPublish) -> Topic? {
        switch publish.topicIDType {
        case .normal: names[publish.topicID].map { .name($0) }
        case .predefined: .predefined(publish.topicID)
        case .short: .short(publish.topicID)
        case .reserved: nil
        }
    }

    // MARK: - Topic ids

    /// Notes an id; false if there is no room for it.
    @discardableResult
    mutating func learn(_ name: ByteString, _ topicID: UInt16) -> Bool {
        guard names[topicID] != nil || names.count < settings.topicsMax else { return false }
        if let old = names[topicID], old != name, ids[old] == topicID { ids[old] = nil }
        names[topicID] = name
        ids[name] = topicID
        return true
    }

    /// The gateway does not know the id.
    mutating func forget(_ topicID: UInt16) {
        guard let name = names.removeValue(forKey: topicID) else { return }
        if ids[name] == topicID { ids[name] = nil }
    }
}
