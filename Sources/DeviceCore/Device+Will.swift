internal import Bytes
internal import MQTTSNWire
internal import Messaging

/// Changes of the will while the connection stands (§6.4).
///
/// Neither the request nor its answer has a MsgId: a late copy of one answer would pass for the answer to the next
/// request of its kind. A device whose datagrams can be doubled leaves time between two of them.
extension Device {
    mutating func sendWillTopic(_ topic: WillTopic?) -> Bool {
        guard let topic else { return send(.willTopicUpd(nil)) }  // [SN-6.4]
        return topic.topic.withView { name in
            send(.willTopicUpd(SNWillTopic(qos: topic.qos, retain: topic.retain, topic: name)))
        }
    }

    mutating func willTopicRespReceived(_ code: SNReturnCode) {
        guard state == .active, let first = work.first, case .willTopic = first.kind else { return }
        willAnswered(code)
    }

    mutating func willMsgRespReceived(_ code: SNReturnCode) {
        guard state == .active, let first = work.first, case .willMessage = first.kind else { return }
        willAnswered(code)
    }

    private mutating func willAnswered(_ code: SNReturnCode) {
        // An answer to what was said before the pause.
        guard let first = work.first, first.restUntil == nil else { return }
        switch code {
        case .accepted: finish(.willUpdated(token: first.token))
        case .congestion: rest()
        default: finish(.failed(token: first.token, .refused(code)))
        }
    }
}
