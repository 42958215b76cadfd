internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// One thing to be asked of the gateway.
struct Work {
    let token: Int
    let kind: Kind
    /// Of REGISTER, SUBSCRIBE, UNSUBSCRIBE, and of a publication's REGISTER; 0 before it is first sent.
    var msgID: UInt16 = 0
    /// Of PUBLISH and PUBREL; 0 before PUBLISH is first sent at QoS 1 or 2.
    var publishID: UInt16 = 0
    /// Whether PUBREC has come, so that PUBREL is next.
    var isReleasing = false
    /// Whether the gateway did not know the topic id once before.
    var isSecondChance = false
    /// When to try again after "congestion".
    var restUntil: Instant?

    init(token: Int, kind: Kind) {
        self.token = token
        self.kind = kind
    }

    enum Kind: Equatable {
        case register(ByteString)
        case publish(Device.Publication)
        case subscribe(Device.Topic, QoS)
        case unsubscribe(Device.Topic)
        case willTopic(Device.WillTopic?)
        case willMessage(ByteString)
        case ping
    }

    var publication: Device.Publication? {
        if case .publish(let publication) = kind { publication } else { nil }
    }
}

/// What the application wants of the gateway, one thing after the other: REGISTER (§6.5), PUBLISH (§6.6), SUBSCRIBE
/// and UNSUBSCRIBE (§6.9).
extension Device {
    mutating func append(_ item: Work) {
        guard work.count < settings.workMax else {
            effects.append(.failed(token: item.token, .workFull))
            return
        }
        work.append(item)
        if work.count == 1 { proceed() }
    }

    mutating func publish(_ token: Int, _ publication: Publication) {
        guard publication.qos == .minusOne else { return append(Work(token: token, kind: .publish(publication))) }
        if case .name = publication.topic {
            effects.append(.failed(token: token, .needsTopicID))
        } else {
            let isSent = send(publication, msgID: 0, isDuplicate: false)
            effects.append(isSent ? .published(token: token) : .failed(token: token, .tooLong))
        }
    }

    /// Starts with the first item, if the device is active and it is time.
    mutating func proceed() {
        guard state == .active, let first = work.first else { return }
        if let until = first.restUntil, until > now {
            retry = Retry(due: until, left: 0)
            return
        }
        work[0].restUntil = nil
        supervise()
        transmitWork()
    }

    /// Sends the message that the first item is at.
    mutating func transmitWork() {
        guard let first = work.first, first.restUntil == nil else { return }
        let isSent: Bool
        switch first.kind {
        case .ping:
            isSent = send(.pingreq(clientID: .empty))
        case .register(let name):
            isSent = sendRegister(name)
        case .publish(let publication):
            return transmit(publication)
        case .subscribe(let topic, let qos):
            let isDuplicate = first.msgID != 0
            isSent = withWireTopic(topic) { device, topic in
                let msgID = device.firstMsgID()
                return device.send(.subscribe(SNSubscribe(dup: isDuplicate, qos: qos, msgID: msgID, topic: topic)))
            }
        case .unsubscribe(let topic):
            isSent = withWireTopic(topic) { device, topic in
                device.send(.unsubscribe(SNSubscribe(msgID: device.firstMsgID(), topic: topic)))
            }
        case .willTopic(let topic): isSent = sendWillTopic(topic)
        case .willMessage(let message): isSent = message.withView { send(.willMsgUpd($0)) }
        }
        if !isSent { finish(.failed(token: first.token, .tooLong)) }
    }

    private mutating func transmit(_ publication: Publication) {
        let first = work[0]
        if first.isReleasing {
            send(.pubrel(msgID: first.publishID))
            return
        }
        if case .name(let name) = publication.topic, ids[name] == nil {
            if !sendRegister(name) { finish(.failed(token: first.token, .tooLong)) }
            return
        }
        if publication.qos != .zero, first.publishID == 0 { work[0].publishID = nextMsgID() }
        guard send(publication, msgID: work[0].publishID, isDuplicate: first.publishID != 0) else {
            return finish(.failed(token: first.token, .tooLong))
        }
        if publication.qos == .zero { finish(.published(token: first.token)) }
    }

    private mutating func send(_ publication: Publication, msgID: UInt16, isDuplicate: Bool) -> Bool {
        let reference: (type: SNTopicIDType, id: UInt16)
        switch publication.topic {
        case .name(let name): reference = (.normal, ids[name] ?? 0)
        case .predefined(let id): reference = (.predefined, id)
        case .short(let id): reference = (.short, id)
        }
        return publication.payload.withView { data in
            send(
                .publish(
                    SNPublish(
                        dup: isDuplicate, qos: publication.qos, retain: publication.retain,
                        topicIDType: reference.type, topicID: reference.id, msgID: msgID, data: data)))
        }
    }

    private mutating func sendRegister(_ name: ByteString) -> Bool {
        let msgID = firstMsgID()
        return name.withView { send(.register(topicID: 0, msgID: msgID, topicName: $0)) }
    }

    /// The MsgId of the first item, given when it is first needed.
    private mutating func firstMsgID() -> UInt16 {
        if work[0].msgID == 0 { work[0].msgID = nextMsgID() }
        return work[0].msgID
    }

    private mutating func withWireTopic(
        _ topic: Topic, _ body: (inout Device, SNSubscribe.Topic) -> Bool
    ) -> Bool {
        switch topic {
        case .name(let name): name.withView { body(&self, .name($0)) }
        case .predefined(let id): body(&self, .predefined(id))
        case .short(let id): body(&self, .short(id))
        }
    }

    /// The first item is done; the next one follows.
    mutating func finish(_ effect: Effect?) {
        work.removeFirst()
        retry = nil
        if let effect { effects.append(effect) }
        proceed()
    }

    /// "Congestion": the first item comes again after T_WAIT.
    mutating func rest() {
        work[0].restUntil = now + settings.waitInterval
        proceed()
    }

    /// A new session: the gateway forgets the handshakes that are open, so they can only be begun again, and at QoS 2
    /// not even that.
    mutating func endSession() {
        received = ReceivedIdentifiers()
        guard let first = work.first, let publication = first.publication, first.publishID != 0 else { return }
        if publication.qos == .two {
            work.removeFirst()
            effects.append(.failed(token: first.token, .sessionEnded))
        } else {
            work[0].publishID = 0
        }
    }

    // MARK: - Answers

    mutating func regackReceived(_ topicID: UInt16, _ msgID: UInt16, _ code: SNReturnCode) {
        guard state == .active, let first = work.first, first.msgID == msgID else { return }
        switch first.kind {
        case .register(let name):
            switch code {
            case .accepted:
                let isLearned = learn(name, topicID)
                finish(
                    isLearned
                        ? .registered(token: first.token, topicID: topicID)
                        : .failed(token: first.token, .topicsFull))
            case .congestion: rest()
            default: finish(.failed(token: first.token, .refused(code)))
            }
        case .publish(let publication):
            guard case .name(let name) = publication.topic, ids[name] == nil, !first.isReleasing else { return }
            switch code {
            case .accepted:
                if learn(name, topicID) { proceed() } else { finish(.failed(token: first.token, .topicsFull)) }
            case .congestion: rest()
            default: finish(.failed(token: first.token, .refused(code)))
            }
        case .subscribe, .unsubscribe, .willTopic, .willMessage, .ping: return
        }
    }

    mutating func pubackReceived(_ topicID: UInt16, _ msgID: UInt16, _ code: SNReturnCode) {
        if msgID == 0, code == .invalidTopicID { return forget(topicID) }
        guard state == .active, let first = work.first, let publication = first.publication,
            first.publishID == msgID, msgID != 0, !first.isReleasing
        else { return }
        switch code {
        case .accepted:
            if publication.qos == .one { finish(.published(token: first.token)) }
        case .congestion:
            rest()
        case .invalidTopicID where publication.topic.isName && !first.isSecondChance:
            work[0].isSecondChance = true
            work[0].msgID = 0
            forget(topicID)
            proceed()
        default:
            finish(.failed(token: first.token, .refused(code)))
        }
    }

    mutating func pubrecReceived(_ msgID: UInt16) {
        guard state == .active, let first = work.first, first.publication?.qos == .two, first.publishID == msgID else {
            // Of a handshake that is over: PUBREL lets the gateway forget it, too.
            if state == .active, msgID != 0 { send(.pubrel(msgID: msgID)) }
            return
        }
        work[0].isReleasing = true
        work[0].restUntil = nil
        proceed()
    }

    mutating func pubcompReceived(_ msgID: UInt16) {
        guard state == .active, let first = work.first, first.isReleasing, first.publishID == msgID else { return }
        finish(.published(token: first.token))
    }

    mutating func subackReceived(_ qos: QoS, _ topicID: UInt16, _ msgID: UInt16, _ code: SNReturnCode) {
        guard state == .active, let first = work.first, first.msgID == msgID,
            case .subscribe(let topic, _) = first.kind
        else { return }
        switch code {
        case .accepted:
            if case .name(let name) = topic, topicID != 0 { learn(name, topicID) }
            finish(.subscribed(token: first.token, qos))
        case .congestion: rest()
        default: finish(.failed(token: first.token, .refused(code)))
        }
    }

    mutating func unsubackReceived(_ msgID: UInt16) {
        guard state == .active, let first = work.first, first.msgID == msgID, case .unsubscribe = first.kind else {
            return
        }
        finish(.unsubscribed(token: first.token))
    }
}

extension Device.Topic {
    fileprivate var isName: Bool {
        if case .name = self { true } else { false }
    }
}
