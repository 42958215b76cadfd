internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// Deliveries to devices, one at a time: REGISTER where needed, PUBLISH, the handshake (§6.10) [D-05].
extension Gateway {
    mutating func delivered(_ delivery: Delivery, _ message: MessageView?, _ slot: Int) {
        guard table[slot].state.isAttached else { return }
        guard let message, table[slot].exchange.isIdle else {
            counters.deliveriesOutOfTurn += 1
            return
        }
        let bytesMax = messageBytesMax(slot)
        let bytes = encodedBytes(fields: 5, message.payload.count) + wrappingBytes(slot)
        guard bytes <= bytesMax else { return dropTooLong(bytes, delivery, slot) }
        if let alias = table[slot].topics.alias(of: delivery.topic) {
            return start(.publishing(Downlink(delivery, alias)), slot)
        }
        let isServers = message.topicName.beginsWithDollar
        guard let index = placeForDelivery(of: delivery.topic, isServers: isServers, slot) else {
            return ask(slot, .abandon(packetIdentifier: delivery.packetIdentifier))
        }
        let downlink = Downlink(delivery, TopicReference(type: .normal, id: topicID(at: index)))
        switch table[slot].topics.entries[index].knowledge {
        case .known:
            start(.publishing(downlink), slot)
        case .unknown:
            let bytes = encodedBytes(fields: 4, message.topicName.count) + wrappingBytes(slot)
            guard bytes <= bytesMax else { return dropTooLong(bytes, delivery, slot) }
            start(register(downlink, slot), slot)
        case .refused:
            counters.droppedTopicRefused += 1
            ask(slot, .abandon(packetIdentifier: delivery.packetIdentifier))
        }
    }

    /// The longest message that the device may be sent, in bytes [D-43].
    private func messageBytesMax(_ slot: Int) -> Int {
        configuration.rule(
            { rules in
                if rules.messageBytesMaxOfClients.isEmpty { return rules.messageBytesMax }
                return table[slot].clientID.withView { name in
                    rules.messageBytesMaxOfClients.first { $0.clients.matches(name) }?.bytes ?? rules.messageBytesMax
                }
            }, of: table[slot].path.listener)
    }

    /// Bytes of a message with header, `fields` and `content` (§5.2.1).
    private func encodedBytes(fields: Int, _ content: Int) -> Int {
        let short = 2 + fields + content
        return short <= 255 ? short : short + 2
    }

    private mutating func dropTooLong(_ bytes: Int, _ delivery: Delivery, _ slot: Int) {
        counters.droppedTooLong += 1  // [D-43]
        log(.tooLong(table[slot].clientID, bytes: bytes))
        ask(slot, .abandon(packetIdentifier: delivery.packetIdentifier))  // [SN-6.10]
    }

    // MARK: - Steps

    /// REGISTER with the next MsgId for the delivery's topic. The ids stay below 0x8000: devices are about that read
    /// a MsgId as a signed number, the Python package mqtt-sn-12 among them.
    private mutating func register(_ downlink: Downlink, _ slot: Int) -> Exchange {
        table[slot].registerID = table[slot].registerID >= 0x7FFF ? 1 : table[slot].registerID + 1
        return .registering(downlink, msgID: table[slot].registerID)
    }

    /// Takes the next step, or keeps it for when the device listens.
    private mutating func start(_ exchange: Exchange, _ slot: Int) {
        table[slot].exchange = exchange
        endWait(slot)
        if isListening(slot) { transmit(slot) }
    }

    /// What the exchange awaited has come, or is awaited no longer. A will handshake that goes on in the meantime, from
    /// sleep, keeps its own wait: a late answer to a delivery says nothing about it.
    private mutating func endWait(_ slot: Int) {
        if case .connecting = table[slot].state { return }
        table[slot].retries = 0
        table[slot].retryAt = nil
    }

    /// Whether the device takes deliveries now.
    private func isListening(_ slot: Int) -> Bool {
        switch table[slot].state {
        case .active, .awake: true
        case .connecting, .asleep, .disconnected, .lost: false
        }
    }

    /// Sends what the exchange is at, for the first time or again.
    mutating func transmit(_ slot: Int) {
        let path = table[slot].path
        switch table[slot].exchange {
        case .idle, .recording:
            table[slot].retryAt = nil
            return
        case .registering(let downlink, let msgID):
            effects.append(
                .sendRegister(topicID: downlink.reference.id, msgID: msgID, message: downlink.message, to: path))
        case .publishing(var downlink):
            effects.append(.sendPublish(downlink.header, message: downlink.message, to: path))
            if downlink.qos == .atMostOnce { return finish(.delivered, slot) }
            downlink.dup = true
            table[slot].exchange = .publishing(downlink)
        case .releasing(let msgID):
            send(.pubrel(msgID: msgID), to: path)
        case .resting(let downlink, let until):
            if until > now.instant {
                table[slot].retryAt = until
                return arm(slot, for: until)
            }
            return begin(downlink, slot)
        }
        awaitAnswer(slot)
    }

    /// Goes on with a delivery: REGISTER first, if the device does not know the id.
    private mutating func begin(_ downlink: Downlink, _ slot: Int) {
        let index = Int(downlink.reference.id) - topicBase - 1
        let isKnown =
            downlink.reference.type != .normal || !table[slot].topics.entries.indices.contains(index)
            || table[slot].topics.entries[index].knowledge == .known
        start(isKnown ? .publishing(downlink) : register(downlink, slot), slot)
    }

    /// The exchange is over: the broker hears how, and sends what comes next.
    private mutating func finish(_ request: LinkRequest, _ slot: Int) {
        table[slot].exchange = .idle
        endWait(slot)
        guard countInWake(slot) else { return ask(slot, request) }
        // The window closes first, so that nothing comes after the last message of this wake [D-17].
        ask(slot, .window(isOpen: false))
        ask(slot, request)
        endWake(slot)
    }

    /// Goes on with what sleep interrupted.
    mutating func resumeExchange(_ slot: Int) {
        table[slot].retries = 0
        transmit(slot)
    }

    /// Goes on after a CONNECT with what was under way: the device may have to be told its topic id first [D-03]. A
    /// REGISTER gets a new MsgId: REGACK to the one before may come from the time before a restart [D-51].
    mutating func restartExchange(_ slot: Int) {
        switch table[slot].exchange {
        case .publishing(let downlink), .registering(let downlink, _): begin(downlink, slot)
        case .idle, .recording, .releasing, .resting: resumeExchange(slot)
        }
    }

    /// The device wants a pause: the same delivery comes again after T_WAIT [D-06] [D-46].
    private mutating func rest(_ downlink: Downlink, _ slot: Int) {
        endWait(slot)
        let interval = configuration.rule({ $0.waitInterval }, of: table[slot].path.listener)
        table[slot].exchange = .resting(downlink, until: now.instant + interval)
        switch table[slot].state {
        case .awake:
            ask(slot, .window(isOpen: false))
            endWake(slot)
        case .active:
            transmit(slot)
        case .connecting, .asleep, .disconnected, .lost:
            break
        }
    }

    // MARK: - Answers of the device

    mutating func regackReceived(topicID: UInt16, msgID: UInt16, _ code: SNReturnCode, _ slot: Int) {
        // Who has sent CONNECT may have been restarted since it said that, and know nothing of it [D-51].
        if case .connecting = table[slot].state { return }
        guard case .registering(let downlink, msgID) = table[slot].exchange, downlink.reference.id == topicID else {
            return
        }
        let index = Int(topicID) - topicBase - 1
        switch code {
        case .accepted:
            table[slot].topics.setKnowledge(.known, at: index)
            start(.publishing(downlink), slot)
        case .congestion:
            rest(downlink, slot)
        default:
            table[slot].topics.setKnowledge(.refused, at: index)  // [D-06]
            log(.topicRefused(table[slot].clientID, topicID: topicID, code))
            drop(downlink, slot)
        }
    }

    mutating func pubackReceived(topicID: UInt16, msgID: UInt16, _ code: SNReturnCode, _ slot: Int) {
        guard let published = table[slot].exchange.published, published.msgID == msgID else {
            return pubackForQoS0(topicID: topicID, msgID: msgID, code, slot)
        }
        if code == .accepted {
            // At QoS 2 it is the wrong answer.
            guard published.qos == .atLeastOnce else { return }
            return finish(.acknowledge(Acknowledgement(.puback, msgID)), slot)
        }
        if case .publishing(let downlink) = table[slot].exchange { refused(downlink, code, slot) }
    }

    private mutating func refused(_ downlink: Downlink, _ code: SNReturnCode, _ slot: Int) {
        switch code {
        case .congestion:
            rest(downlink, slot)
        case .invalidTopicID where downlink.reference.type == .normal && !downlink.isSecondChance:
            var again = downlink
            again.isSecondChance = true
            table[slot].topics.setKnowledge(.unknown, at: Int(downlink.reference.id) - topicBase - 1)
            start(register(again, slot), slot)  // [D-07]
        default:
            logRefusal(downlink.reference, code, slot)
            drop(downlink, slot)
        }
    }

    /// A device that does not know the id of a message at QoS 0 is told before the next one.
    private mutating func pubackForQoS0(topicID: UInt16, msgID: UInt16, _ code: SNReturnCode, _ slot: Int) {
        let index = Int(topicID) - topicBase - 1
        guard msgID == 0, code == .invalidTopicID, table[slot].topics.entries.indices.contains(index),
            table[slot].topics.entries[index].knowledge == .known
        else { return }
        table[slot].topics.setKnowledge(.unknown, at: index)
    }

    private mutating func logRefusal(_ reference: TopicReference, _ code: SNReturnCode, _ slot: Int) {
        let clientID = table[slot].clientID
        guard reference.type != .normal else {
            return log(.topicRefused(clientID, topicID: reference.id, code))
        }
        guard table[slot].topics.shouldLogRefusal(of: reference) else { return }
        log(.predefinedTopicRefused(clientID, topicID: reference.id, code))  // [D-07]
    }

    private mutating func drop(_ downlink: Downlink, _ slot: Int) {
        counters.droppedTopicRefused += 1
        finish(.abandon(packetIdentifier: downlink.msgID), slot)
    }

    mutating func pubrecReceived(msgID: UInt16, _ slot: Int) {
        if let published = table[slot].exchange.published, published.msgID == msgID {
            // At QoS 1 it is the wrong answer.
            guard published.qos == .exactlyOnce else { return }
            start(.recording(msgID: msgID), slot)
            return ask(slot, .acknowledge(Acknowledgement(.pubrec, msgID)))
        }
        switch table[slot].exchange {
        case .releasing(msgID):
            // PUBREL was lost.
            if isListening(slot) { transmit(slot) }
        case .recording(msgID):
            break
        case .idle, .registering, .publishing, .recording, .releasing, .resting:
            // Of an exchange that is over: PUBREL lets the device forget it.
            if isListening(slot) { send(.pubrel(msgID: msgID), to: slot) }
        }
    }

    /// The broker's PUBREL, for the exchange under way or for one that an earlier connection began.
    mutating func release(msgID: UInt16, _ slot: Int) {
        switch table[slot].exchange {
        case .idle, .recording(msgID), .releasing(msgID):
            start(.releasing(msgID: msgID), slot)
        case .registering, .publishing, .recording, .releasing, .resting:
            counters.deliveriesOutOfTurn += 1
        }
    }

    mutating func pubcompReceived(msgID: UInt16, _ slot: Int) {
        guard case .releasing(msgID) = table[slot].exchange else { return }
        finish(.acknowledge(Acknowledgement(.pubcomp, msgID)), slot)
    }
}
