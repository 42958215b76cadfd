import BrokerCore
import Bytes
import Clockwork
import Glibc
import Messaging

/// A broker without a wire, and what each step took: time by the monotonic clock, memory as the system counts it.
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

/// What a series of equal operations took: the processor's time, so that what else runs on the machine does not count.
struct Series {
    private(set) var count = 0
    private var total = 0
    private(set) var longest = 0

    /// What looking at the clock takes.
    private static let overhead: Int = {
        let begin = processorNanoseconds()
        for _ in 0..<10_000 { _ = processorNanoseconds() }
        return (processorNanoseconds() - begin) / 10_000
    }()

    /// Times one operation.
    mutating func time(_ body: () -> Void) {
        let begin = processorNanoseconds()
        body()
        let took = max(processorNanoseconds() - begin - Self.overhead, 0)
        count += 1
        total += took
        longest = max(longest, took)
    }

    /// The average.
    var nanoseconds: Int { total / max(count, 1) }
    var milliseconds: String { decimal(Double(longest) / 1e6) }
}

/// How long this thread has run.
private func processorNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// The process's memory that is resident, in bytes.
func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 128)
    guard fgets(&text, 128, file) != nil else { return 0 }
    let fields = String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
}

/// A row of the report, in Markdown.
func report(_ what: String, _ values: String...) {
    print("| \(what) | " + values.joined(separator: " | ") + " |")
}

func report(_ what: String, _ series: Series) {
    report(what, "\(series.nanoseconds) ns", "\(series.milliseconds) ms")
}

func decimal(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
}
