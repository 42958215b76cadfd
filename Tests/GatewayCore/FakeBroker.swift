import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

/// A broker that keeps books on its links instead of messages: who is attached, what is kept, what is out. It answers
/// as `LinkRequest` promises, in order, and complains about requests that make no sense.
struct FakeBroker {
    private struct Link {
        var isAttached = false
        var isOpen = true
        var awaitsDrained = false
        var waiting: [Delivery] = []
        var out: Delivery?
    }

    private var links: [Int: Link] = [:]
    private var topics: [String: UInt32] = [:]
    private(set) var kept: [UInt32: Int] = [:]
    private(set) var complaints: [String] = []
    private(set) var abandoned = 0
    private(set) var completed = 0
    private var lastID: UInt16 = 0

    var attachedLinks: Int { links.values.filter(\.isAttached).count }

    /// A message for the device, if it is attached.
    mutating func publish(topic: UInt32, qos: QoS, to slot: Int) -> [LinkAnswer] {
        guard links[slot]?.isAttached == true else { return [] }
        lastID = lastID % 60_000 + 1
        links[slot]?.waiting.append(
            Delivery(
                message: MessageHandle(index: UInt32(lastID)), topic: TopicID(index: topic),
                packetIdentifier: qos == .atMostOnce ? 0 : lastID, qos: qos, retain: false))
        return drain(slot)
    }

    mutating func handle(_ link: LinkID, _ request: LinkRequest) -> [LinkAnswer] {
        let slot = link.slot
        if case .attach(let offer) = request {
            if links[slot]?.isAttached == true { complaints.append("attached twice: \(slot)") }
            links[slot] = Link(isAttached: true)
            return [.attached(Attached(sessionPresent: false, sessionExpiryInterval: offer.sessionExpiryInterval))]
        }
        switch request {
        case .keep(let topic): kept[topic.index, default: 0] += 1
        case .forget(let topic):
            kept[topic.index, default: 0] -= 1
            if kept[topic.index] == 0 { kept[topic.index] = nil }
            if kept[topic.index, default: 0] < 0 { complaints.append("forgotten too often: \(topic.index)") }
        case .attach, .detach, .publish, .release, .acknowledge, .delivered, .abandon, .window, .subscribe,
            .unsubscribe, .resolve, .setWill:
            break
        }
        guard links[slot]?.isAttached == true else {
            complain(about: request, slot)
            return []
        }
        return attachedAsks(slot, request)
    }

    /// Requests of a link that is not attached: only topics may be named.
    private mutating func complain(about request: LinkRequest, _ slot: Int) {
        switch request {
        case .keep, .forget: break
        default: complaints.append("not attached: \(slot) \(text(.request(.device(slot), request)))")
        }
    }

    private mutating func attachedAsks(_ slot: Int, _ request: LinkRequest) -> [LinkAnswer] {
        switch request {
        case .attach, .keep, .forget, .setWill: return []
        case .detach:
            links[slot] = Link()
            return []
        case .publish(let publish):
            switch publish.qos {
            case .atMostOnce: return []
            case .atLeastOnce: return [.acknowledge(Acknowledgement(.puback, publish.packetIdentifier))]
            case .exactlyOnce: return [.acknowledge(Acknowledgement(.pubrec, publish.packetIdentifier))]
            }
        case .release(let id): return [.acknowledge(Acknowledgement(.pubcomp, id))]
        case .acknowledge(let answer): return acknowledged(slot, answer)
        case .delivered: return complete(slot, id: 0, isQoS0: true)
        case .abandon(let id):
            abandoned += 1
            return complete(slot, id: id, isQoS0: id == 0)
        case .window(let isOpen):
            links[slot]?.isOpen = isOpen
            links[slot]?.awaitsDrained = isOpen
            return drain(slot)
        case .subscribe(let id, let requests):
            let filter = requests[0].filter
            let isWild = filter.withView { $0.hasWildcard }
            return [.subscribed(packetIdentifier: id, [.granted(.atLeastOnce, isWild ? nil : topic(filter))])]
        case .unsubscribe(let id, _): return [.unsubscribed(packetIdentifier: id, [.removed])]
        case .resolve(let token, let name):
            let topic = topic(ByteString(name))
            kept[topic.index, default: 0] += 1
            return [.resolved(token: token, topic, nil)]
        }
    }

    private mutating func topic(_ name: ByteString) -> TopicID {
        let next = UInt32(topics.count)
        let index = topics[name.description, default: next]
        topics[name.description] = index
        return TopicID(index: index)
    }

    private mutating func acknowledged(_ slot: Int, _ answer: Acknowledgement) -> [LinkAnswer] {
        guard let out = links[slot]?.out, out.packetIdentifier == answer.packetIdentifier else {
            complaints.append("acknowledged what is not out: \(slot) \(answer)")
            return []
        }
        switch (answer.kind, out.qos) {
        case (.puback, .atLeastOnce), (.pubcomp, .exactlyOnce):
            return complete(slot, id: answer.packetIdentifier, isQoS0: false)
        case (.pubrec, .exactlyOnce): return [.acknowledge(Acknowledgement(.pubrel, answer.packetIdentifier))]
        default:
            complaints.append("wrong acknowledgement: \(answer)")
            return []
        }
    }

    private mutating func complete(_ slot: Int, id: UInt16, isQoS0: Bool) -> [LinkAnswer] {
        guard let out = links[slot]?.out, out.packetIdentifier == id, (out.qos == .atMostOnce) == isQoS0 else {
            complaints.append("completed what is not out: \(slot) \(id)")
            return []
        }
        completed += 1
        links[slot]?.out = nil
        return drain(slot)
    }

    private mutating func drain(_ slot: Int) -> [LinkAnswer] {
        guard var link = links[slot], link.isAttached, link.isOpen, link.out == nil else { return [] }
        defer { links[slot] = link }
        if !link.waiting.isEmpty {
            let next = link.waiting.removeFirst()
            link.out = next
            return [.deliver(next)]
        }
        guard link.awaitsDrained else { return [] }
        link.awaitsDrained = false
        return [.drained]
    }
}
