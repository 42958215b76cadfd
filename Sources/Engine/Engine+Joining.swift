internal import BrokerCore
internal import Bytes
internal import Clockwork
internal import ConnectionCore
internal import GatewayCore
internal import Journal
internal import Messaging
internal import MQTTSNWire

extension Engine {
    /// Lets everything happen that follows from what has happened: answers go to their links, what the links then
    /// ask goes to the broker, one request after the other, until nothing is left.
    ///
    /// The broker's answers are handed on before it is asked again: a passing message lives no longer.
    mutating func settle(_ now: Now) {
        while true {
            deliverAnswers(now)
            takeConnectionEffects()
            guard firstPending < pending.count else {
                guard connections.hasHeld, handleHeld(now) else { break }
                continue
            }
            let request = pending[firstPending]
            firstPending += 1
            switch request {
            case .link(let link, let request):
                handle(request, from: link, now)
            case .anonymous(let publish, let stranger):
                broker.publish(publish, isOwn: false, as: stranger, now: now, into: &brokerEffects)
            }
        }
        guard firstPending > 0 else { return }
        pending.removeAll(keepingCapacity: true)
        firstPending = 0
    }

    /// One request out of what came before a CONNACK; false if there is none. Not inlined, for it is rare and `settle`
    /// is not.
    @inline(never)
    private mutating func handleHeld(_ now: Now) -> Bool {
        guard let (slot, request) = connections.nextHeld(now: now, into: &connectionEffects) else { return false }
        handle(request, from: .connection(slot), now)
        return true
    }

    mutating func handle(_ request: LinkRequest, from link: LinkID, _ now: Now) {
        if settings.logsSubscriptions { logSubscriptions(request, link) }
        let before = broker.journal.promises
        broker.handle(request, from: link, now: now, into: &brokerEffects)
        waiting = broker.journal.promises == before ? nil : link
    }

    mutating func handle(_ request: BriefRequest, from link: LinkID, _ now: Now) {
        let before = broker.journal.promises
        switch request {
        case .publish(let publish): broker.handle(publish, from: link, now: now, into: &brokerEffects)
        case .acknowledge(let step): broker.handle(step, from: link, now: now, into: &brokerEffects)
        case .release(let identifier): broker.handle(release: identifier, from: link, now: now, into: &brokerEffects)
        }
        waiting = broker.journal.promises == before ? nil : link
    }

    private mutating func logSubscriptions(_ request: LinkRequest, _ link: LinkID) {
        guard let clientID = broker.clientID(of: link) else { return }
        switch request {
        case .subscribe(_, let requests):
            for request in requests {
                logs.append(
                    .subscription(.subscribe(clientID, filter: request.filter, request.options.maximumQoS)))
            }
        case .unsubscribe(_, let filters):
            for filter in filters { logs.append(.subscription(.unsubscribe(clientID, filter: filter))) }
        default: break
        }
    }

    private mutating func deliverAnswers(_ now: Now) {
        if !brokerEffects.logs.isEmpty {
            logs += brokerEffects.logs.map { .queue($0) }
            brokerEffects.logs = []
        }
        guard !brokerEffects.list.isEmpty else { return }
        // A message for many is looked up once.
        var shown: (handle: MessageHandle, view: MessageView)?
        for index in brokerEffects.list.indices {
            switch brokerEffects.list[index] {
            case .answer(let link, .deliver(let delivery)):
                if shown?.handle != delivery.message {
                    shown = broker.message(delivery.message, now: now).map { (delivery.message, $0) }
                }
                if let shown { deliver(delivery, shown.view, to: link, now: now) }
            case .answer(let link, let answer):
                if link.isDevice {
                    gateway.handle(.answered(slot: link.slot, answer, nil), now: now, into: &gatewayEffects)
                    takeGatewayEffects(now, isHeld: link == waiting)
                } else {
                    let position = connections.outputCount(of: link.slot)
                    connections.answer(link.slot, answer, now: now, into: &connectionEffects)
                    if link == waiting { hold(link.slot, from: position) }
                }
            }
        }
        waiting = nil
        brokerEffects.list.removeAll(keepingCapacity: true)
    }

    private mutating func deliver(_ delivery: Delivery, _ message: MessageView, to link: LinkID, now: Now) {
        statistics.payloadBytesSent += UInt64(message.payload.count)
        if link.isDevice {
            let answer = LinkAnswer.deliver(delivery)
            gateway.handle(.answered(slot: link.slot, answer, message), now: now, into: &gatewayEffects)
            return takeGatewayEffects(now)
        }
        let identifiers = delivery.identifiers.listIndex.map { broker.identifiers(at: $0) } ?? []
        let position = delivery.isRecorded ? connections.outputCount(of: link.slot) : 0
        connections.deliver(link.slot, delivery, message, identifiers: identifiers, into: &connectionEffects)
        if delivery.isRecorded { hold(link.slot, from: position) }
    }

    private mutating func takeConnectionEffects() {
        guard !connectionEffects.isEmpty else { return }
        for effect in connectionEffects {
            switch effect {
            case .request(let link, let request): pending.append(.link(link, request))
            case .check(let slot, let ticket, let check):
                passwordChecks.append(PasswordCheck(slot: slot, ticket: ticket, check: check))
            case .log(let slot, let log): logs.append(.connection(slot, log))
            }
        }
        connectionEffects.removeAll(keepingCapacity: true)
    }

    /// Writes the gateway's datagrams at once, since their bytes may be the gateway's until it is called again, and
    /// lines its requests up.
    ///
    /// - Parameter isHeld: whether what is sent waits for the disk.
    mutating func takeGatewayEffects(_ now: Now, isHeld: Bool = false) {
        let isHeld = noteDeviceRecords() || isHeld
        guard !gatewayEffects.isEmpty else { return }
        for index in gatewayEffects.indices {
            switch gatewayEffects[index] {
            case .send(let packet, let path): send(packet, to: path, isHeld: isHeld)
            case .sendPublish(let header, let handle, let path):
                guard let message = broker.message(handle, now: now) else { continue }
                send(
                    .publish(SNPublish(header, data: message.payload)), to: path, isHeld: isHeld || header.isRecorded)
            case .sendRegister(let topicID, let msgID, let handle, let path):
                guard let message = broker.message(handle, now: now) else { continue }
                let register = SNPacket.register(topicID: topicID, msgID: msgID, topicName: message.topicName)
                send(register, to: path, isHeld: isHeld)
            case .multicast(let packet, let link, let hops): multicast(packet, to: link, hops: hops)
            case .request(let link, let request): pending.append(.link(link, request))
            case .anonymousPublish(let publish, let listener):
                pending.append(.anonymous(publish, as: gateway.stranger(at: listener)))
            case .log(let log): logs.append(.device(log))
            }
        }
        gatewayEffects.removeAll(keepingCapacity: true)
    }

    private mutating func send(_ packet: SNPacket, to path: DatagramPath, isHeld: Bool) {
        let count = path.node == 0 ? outbox.append(packet, to: path) : forward(packet, to: path)
        guard let count else {
            datagramCounters.tooLong += 1
            return
        }
        datagramCounters.sent += 1
        datagramCounters.bytesSent += UInt64(count)
        if broker.journal.isOn, !(safety.isRefusing && packet.promisesNothing) {
            holdLastDatagram(to: path, isHeld: isHeld)
        }
    }

    /// For a node behind a forwarder. Not inlined, for most devices have none in front of them.
    @inline(never)
    private mutating func forward(_ packet: SNPacket, to path: DatagramPath) -> Int? {
        guard let node = gateway.node(of: path) else { return nil }
        return outbox.append(packet, to: path, behind: node)
    }

    mutating func handleDatagram(_ bytes: ByteView, from path: DatagramPath, now: Now) {
        guard bytes.count <= settings.datagramBytesMax else {
            return gateway.handle(.undecodable(from: path), now: now, into: &gatewayEffects)
        }
        do throws(SNDecodeError) {
            gateway.handle(.received(try SNPacket.decode(bytes), from: path), now: now, into: &gatewayEffects)
        } catch {
            gateway.handle(.undecodable(from: path), now: now, into: &gatewayEffects)
        }
        takeGatewayEffects(now)
    }
}

extension SNPublish {
    init(_ header: Gateway.PublishHeader, data: ByteView) {
        self.init(
            dup: header.dup, qos: SNQoS(header.qos), retain: header.retain, topicIDType: header.topicIDType,
            topicID: header.topicID, msgID: header.msgID, data: data)
    }
}

extension SNPacket {
    /// Whether the message may be sent whatever the disk does: a refusal, a question, a farewell.
    fileprivate var promisesNothing: Bool {
        switch self {
        case .connack(let code), .regack(_, _, let code), .suback(_, _, _, let code), .puback(_, _, let code):
            code != .accepted
        case .disconnect, .pingreq, .pingresp, .willTopicReq, .willMsgReq, .gwInfo: true
        default: false
        }
    }
}
