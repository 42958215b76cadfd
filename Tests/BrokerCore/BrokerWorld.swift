import Bytes
import Clockwork
import Foundation
import Journal
import Messaging
import Testing

@testable import BrokerCore

/// A broker, a clock and the answers of its links: what the tests of the broker stand in.
struct BrokerWorld {
    var broker: Broker
    var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_700_000_000)
    var effects = BrokerEffects()
    /// What each link was told, in order, since it was last asked.
    private var told: [LinkID: [Told]] = [:]
    private var links = 100
    private var steps = 0
    /// A store beside the broker; nil in worlds too large for one.
    private var shadow: ShadowStore?
    private var isCompared = true
    /// Whether what the broker wants read back comes at once; else when the test says so, by `answerLoads`.
    var answersLoadsAtOnce = true
    /// Serials of messages that the broker wants and has not got.
    private(set) var loads: [UInt64] = []
    /// Whether no message that waits has its bytes in memory: every test of the broker is to pass that way too, with
    /// DORMOUSE_PAGED in the environment.
    private let isPaged: Bool
    /// What the operator was told about queues.
    var queueLogs: [QueueLog] = []

    /// An answer with the message it showed, which lives no longer than the answer.
    enum Told: Equatable {
        case message(Received)
        case answer(LinkAnswer)
    }

    /// A delivery as its receiver saw it.
    struct Received: Equatable {
        var topic: ByteString
        var payload: ByteString
        var qos: QoS
        var packetIdentifier: UInt16 = 0
        var isDuplicate = false
        var retain = false
        var identifiers: [UInt32] = []
        var expiry: UInt32?
    }

    init(_ limits: BrokerLimits = BrokerLimits()) {
        var limits = limits
        limits.isDurable = true
        let isTiny = limits.queuedMemoryMax < BrokerLimits().queuedMemoryMax
        isPaged = isTiny || ProcessInfo.processInfo.environment["DORMOUSE_PAGED"] != nil
        if isPaged, !isTiny {
            limits.queuedMemoryMax = 0
            limits.queuedMemoryPerSessionMax = 0
        }
        broker = Broker(limits: limits, seed: 1)
        shadow = try? ShadowStore()
    }

    mutating func ask(_ link: LinkID, _ request: LinkRequest) {
        broker.handle(request, from: link, now: now, into: &effects)
        take()
    }

    mutating func advance(_ duration: Duration) {
        now.instant = now.instant + duration
        now.unixSeconds += duration.components.seconds
        broker.advance(to: now, into: &effects)
        take()
    }

    mutating func shutDown() {
        broker.shutDown(now: now, into: &effects)
        take()
    }

    private mutating func take() {
        takeEffects()
        guard isPaged else { return }
        loads += broker.takeLoads()
        if answersLoadsAtOnce, !loads.isEmpty { answerLoads() }
    }

    /// The first of the messages that the broker wants are there, and who waited for them goes on.
    mutating func answerLoads(_ count: Int = .max) {
        for serial in loads.prefix(count) {
            do {
                try shadow?.load(serial).withBytes { broker.loaded(serial, $0) }
            } catch {
                Issue.record(error)
            }
        }
        loads.removeFirst(min(count, loads.count))
        broker.advance(to: now, into: &effects)
        take()
    }

    /// The store is damaged: what it has is no longer compared with what the broker has.
    mutating func stopsComparing() { isCompared = false }

    /// The database loses a message.
    func lose(_ serial: UInt64) throws { try shadow?.lose(serial) }

    private mutating func takeEffects() {
        for effect in effects.list {
            guard case .answer(let link, let answer) = effect else { continue }
            told[link, default: []].append(told(answer))
        }
        effects.list.removeAll()
        queueLogs += effects.logs
        effects.logs.removeAll()
        checkLedger()
        if isPaged { broker.sweep() }
        checkShadow()
        guard isPaged else { return }
        broker.sweep()
        if broker.sessions.count <= 32 { #expect(broker.memoryFaults == []) }
    }

    /// What the journal was told is enough to make the broker anew: after each of the first steps, and after each
    /// eighth of the others; in small worlds only, since it does just that.
    private mutating func checkShadow() {
        let isLarge = broker.sessions.count > 32 || steps > 400
        if isLarge, !isPaged {
            shadow = nil
            _ = broker.journal.takeBatch()
        }
        guard let shadow else { return }
        do {
            try shadow.follow(&broker)
            guard !isLarge, isCompared, steps <= 50 || steps.isMultiple(of: 8) else { return }
            var restored = try shadow.restored(broker.limits, now: now)
            #expect(restored.portrait(shadow) == broker.portrait(shadow))
            restored.tearDown()
        } catch {
            Issue.record(error)
        }
    }

    /// Every delivery owed is accounted for, after each step; in large worlds now and then, since it looks at all.
    private mutating func checkLedger() {
        steps += 1
        guard broker.sessions.count <= 32 || steps.isMultiple(of: 4_096) else { return }
        #expect(broker.ledgerImbalance == 0)
    }

    private func told(_ answer: LinkAnswer) -> Told {
        guard case .deliver(let delivery) = answer, let view = broker.message(delivery.message, now: now) else {
            return .answer(answer)
        }
        var identifiers = delivery.identifiers == .none ? [] : [delivery.identifiers.raw]
        if let list = delivery.identifiers.listIndex { identifiers = broker.identifiers(at: list) }
        return .message(
            Received(
                topic: ByteString(view.topicName), payload: ByteString(view.payload), qos: delivery.qos,
                packetIdentifier: delivery.packetIdentifier, isDuplicate: delivery.isDuplicate,
                retain: delivery.retain, identifiers: identifiers, expiry: view.messageExpiryInterval))
    }

    /// Everything a link was told since the last call.
    mutating func heard(_ link: LinkID) -> [Told] {
        told.removeValue(forKey: link) ?? []
    }

    /// Just the messages among it.
    mutating func messages(_ link: LinkID) -> [Received] {
        heard(link).compactMap { if case .message(let message) = $0 { message } else { nil } }
    }

    // MARK: What clients do

    /// A fresh link with a session; what CONNACK said is passed over.
    mutating func client(
        _ clientID: ClientID, clean: Bool = true, expiry: UInt32 = 0, window: UInt16 = 20, will: Will? = nil,
        isDevice: Bool = false, receiveMaximum: UInt16 = 20, userName: ByteString? = nil, listener: UInt16 = 0,
        sleepQueue: QueueLimits = QueueLimits(messages: 64, bytes: 16 << 10)
    ) -> LinkID {
        links += 1
        let link: LinkID = isDevice ? .device(links) : .connection(links)
        ask(
            link,
            .attach(
                SessionOffer(
                    clientID: clientID, cleanStart: clean, sessionExpiryInterval: expiry,
                    pace: isDevice ? .oneAtATime : .window(window), will: will, receiveMaximum: receiveMaximum,
                    userName: userName, listener: listener, sleepQueue: isDevice ? sleepQueue : nil)))
        return link
    }

    mutating func attached(_ link: LinkID) -> Attached? {
        for case .answer(.attached(let attached)) in heard(link) { return attached }
        return nil
    }

    @discardableResult
    mutating func subscribe(
        _ link: LinkID, _ filter: ByteString, _ qos: QoS = .exactlyOnce, noLocal: Bool = false,
        retainAsPublished: Bool = false, handling: SubscriptionOptions.RetainHandling = .sendAtSubscribe,
        identifier: UInt32 = 0
    ) -> [SubscriptionOutcome] {
        let options = SubscriptionOptions(
            maximumQoS: qos, noLocal: noLocal, retainAsPublished: retainAsPublished, retainHandling: handling,
            identifier: identifier)
        let before = heard(link)
        ask(link, .subscribe(packetIdentifier: 1, [SubscriptionRequest(filter: filter, options: options)]))
        var outcomes: [SubscriptionOutcome] = []
        var rest: [Told] = before
        for told in heard(link) {
            if case .answer(.subscribed(_, let all)) = told { outcomes = all } else { rest.append(told) }
        }
        told[link] = rest
        return outcomes
    }

    mutating func publish(
        _ link: LinkID, _ topic: ByteString, _ payload: ByteString, _ qos: QoS = .atMostOnce, id: UInt16 = 0,
        retain: Bool = false, expiry: UInt32? = nil, isDuplicate: Bool = false
    ) {
        topic.withView { topic in
            payload.withView { payload in
                ask(
                    link,
                    .publish(
                        IncomingPublish(
                            topic: .name(topic), qos: qos, retain: retain, isDuplicate: isDuplicate,
                            packetIdentifier: id, payload: payload, messageExpiryInterval: expiry)))
            }
        }
    }

    mutating func acknowledge(_ link: LinkID, _ kind: Acknowledgement.Kind, _ id: UInt16) {
        ask(link, .acknowledge(Acknowledgement(kind, id)))
    }
}
