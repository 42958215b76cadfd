import BrokerCore
import Bytes
import Clockwork
import Messaging

/// A broker without a wire.
struct Bench {
    var broker: Broker
    private var effects = BrokerEffects()
    private let now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_700_000_000)
    private var turns: Int64 = 0
    /// The answers of the last request.
    private(set) var deliveries = 0

    init(_ configure: (inout BrokerLimits) -> Void = { _ in }) {
        var limits = BrokerLimits()
        limits.sessionsMax = 10_000_000
        limits.subscriptionsMax = 10_000_000
        limits.subscriptionsPerSessionMax = 10_000_000
        limits.subscriptionLevelsMax = 10_000_000
        limits.routeEntriesMax = 10_000_000
        configure(&limits)
        broker = Broker(limits: limits, seed: 1)
    }

    mutating func attach(_ number: Int) -> LinkID {
        let link = LinkID.connection(number)
        let offer = SessionOffer(
            clientID: ByteString("client-\(number)"), cleanStart: true, sessionExpiryInterval: 0, pace: .window(20))
        ask(link, .attach(offer))
        return link
    }

    mutating func subscribe(_ link: LinkID, _ filter: ByteString) {
        let options = SubscriptionOptions(maximumQoS: .atLeastOnce)
        ask(link, .subscribe(packetIdentifier: 1, [SubscriptionRequest(filter: filter, options: options)]))
    }

    mutating func unsubscribe(_ link: LinkID, _ filter: ByteString) {
        ask(link, .unsubscribe(packetIdentifier: 1, [filter]))
    }

    mutating func publish(_ link: LinkID, _ topic: ByteString, _ payload: ByteString = "x", retain: Bool = false) {
        topic.withView { topic in
            payload.withView { payload in
                let publish = IncomingPublish(topic: .name(topic), qos: .atMostOnce, retain: retain, payload: payload)
                ask(link, .publish(publish))
            }
        }
    }

    mutating func detach(_ link: LinkID) {
        ask(link, .detach(Farewell(publishesWill: false)))
    }

    /// Whether something waits for the next turn.
    var hasMore: Bool { broker.nextDeadline != nil }

    /// One turn of what waits.
    mutating func turn() {
        turns += 1
        let later = Now(instant: now.instant + .milliseconds(turns), unixSeconds: now.unixSeconds)
        broker.advance(to: later, into: &effects)
        take()
    }

    private mutating func ask(_ link: LinkID, _ request: LinkRequest) {
        broker.handle(request, from: link, now: now, into: &effects)
        take()
    }

    private mutating func take() {
        deliveries = 0
        for case .answer(_, .deliver) in effects.list { deliveries += 1 }
        effects.list.removeAll(keepingCapacity: true)
    }
}
