import Clockwork
import DeviceCore
import Glibc
import MQTTSNWire
import Messaging
import Reactor

/// A device that subscribes and prints what comes, awake or by sleeping and waking.
struct SNListener {
    private var session: SNSession
    private let topics: [Device.Topic]
    private let qos: QoS
    private let output: SNOutputOptions
    private let printer: SNPrinter
    private let sleep: Sleep?
    /// Whether all is done once the subscriptions are acknowledged.
    var endsWhenSubscribed = false

    private var isOver = false
    /// Whether the gateway has ever answered: then the device comes back to it until the user ends that.
    private var hasConnected = false
    private var subscribed = 0
    private var printed = 0
    private var wakes = 0
    private var endAt: Instant?
    private var wakeAt: Instant?
    private var reconnectAt: Instant?

    /// How a device sleeps.
    struct Sleep {
        /// What DISCONNECT announces.
        var seconds: UInt16
        /// From wake to wake.
        var interval: Duration
        var wakesMax: Int?
    }

    /// The pause before a connection that ended is opened again.
    private static let reconnectPause = Duration.seconds(1)

    init(_ session: SNSession, _ topics: SNTopicOptions, _ output: SNOutputOptions, sleep: Sleep?) {
        self.session = session
        self.topics = topics.deviceTopics
        qos = topics.quality
        self.output = output
        printer = SNPrinter(output)
        self.sleep = sleep
    }

    /// Lives until the user, a count or the time ends it. Says DISCONNECT in any case.
    mutating func run() throws {
        do {
            try listen()
        } catch {
            try? session.disconnect()
            throw error
        }
        let isTimedOut = endAt.map { $0 <= SystemClock.monotonic() } ?? false
        try session.disconnect()
        guard isTimedOut else { return }
        guard hasConnected else { throw session.failure(.lost) }
        if let wanted = output.countMax, printed < wanted {
            throw Failure.runtime("only \(printed) of \(wanted) messages came in time")
        }
    }

    private mutating func listen() throws {
        if let timeout = output.timeout { endAt = SystemClock.monotonic() + timeout.duration }
        session.beginConnecting()
        while !isOver {
            let due = [endAt, wakeAt, reconnectAt].compactMap { $0 }.min()
            switch try session.next(until: due, wanted: .outputEnd) {
            case .device(let effect): try happened(effect)
            case .timeReached: timeReached(SystemClock.monotonic())
            case .interrupted, .outputClosed: isOver = true
            case .input: break
            }
        }
    }

    private mutating func happened(_ effect: Device.Effect) throws {
        switch effect {
        case .connected: connected()
        case .subscribed:
            subscribed += 1
            if subscribed == topics.count { allSubscribed() }
        case .failed(let token, let failure): throw refusal(token, failure)
        case .received(let message): try received(message)
        case .fellAsleep: fellAsleep()
        case .wakeUnanswered:
            session.note("the gateway did not answer this wake; the device sleeps on")
            fellAsleep()
        case .refused: throw session.failure(effect)
        case .lost, .disconnected:
            guard hasConnected else { throw session.failure(effect) }
            session.note(effect == .lost ? "the gateway is silent; connecting again" : "disconnected; connecting again")
            wakeAt = nil
            reconnectAt = SystemClock.monotonic() + Self.reconnectPause
        case .send, .ponged, .registered, .published, .unsubscribed, .willUpdated: break
        }
    }

    private mutating func connected() {
        hasConnected = true
        subscribed = 0
        for (token, topic) in topics.enumerated() { session.perform(.subscribe(token: token, topic, qos)) }
        if topics.isEmpty { allSubscribed() }
    }

    private mutating func allSubscribed() {
        if endsWhenSubscribed { isOver = true }
        if let sleep { session.perform(.sleep(seconds: sleep.seconds)) }
    }

    // MARK: - Sleep

    /// The first time after DISCONNECT, then after each wake.
    private mutating func fellAsleep() {
        guard let sleep else { return }
        if wakeAt == nil {
            wakeAt = SystemClock.monotonic() + sleep.interval
        } else {
            wakes += 1
            if wakes == sleep.wakesMax { isOver = true }
        }
    }

    private mutating func timeReached(_ now: Instant) {
        if let endAt, endAt <= now { isOver = true }
        if let due = reconnectAt, due <= now {
            reconnectAt = nil
            session.beginConnecting()
        }
        guard let sleep, var due = wakeAt, due <= now else { return }
        // A wake that takes longer than the interval is not followed by another at once.
        while due <= now { due = due + sleep.interval }
        wakeAt = due
        if session.state == .asleep { session.perform(.wake) }
    }

    // MARK: - Messages

    private mutating func received(_ message: Device.Received) throws {
        guard !isOver else { return }
        if output.retainedOnly, !message.retain {
            isOver = true
            return
        }
        if output.omitsRetained, message.retain { return }
        guard try printer.show(message) else {
            isOver = true
            return
        }
        printed += 1
        if printed == output.countMax { isOver = true }
    }

    private func refusal(_ token: Int, _ failure: Device.Failure) -> Failure {
        let topic = topics.indices.contains(token) ? topics[token].words : "the topic"
        return switch failure {
        case .refused(.invalidTopicID):
            .runtime("the gateway does not know \(topic): give it a predefined_topic line")
        case .refused(let code):
            .runtime("the gateway refused the subscription to \(topic) (\(code)): look into its log for the reason")
        case .tooLong: .usage("\(topic) is too long for MQTT-SN")
        default: .runtime("cannot subscribe to \(topic): \(failure)")
        }
    }
}

/// Messages on standard output, each complete at once.
struct SNPrinter {
    private let format: SNFormat?
    private let lineEnd: [UInt8]

    init(_ options: SNOutputOptions) {
        format = options.parsedFormat
        lineEnd = options.omitsLineEnds ? [] : [UInt8(ascii: "\n")]
    }

    /// False if nobody reads it any more, which is no fault; a disk that is full is one.
    func show(_ message: Device.Received) throws -> Bool {
        let line = (format?.bytes(of: message) ?? []) + lineEnd
        var written = 0
        while written < line.count {
            let count = line.withUnsafeBytes { bytes in
                write(STDOUT_FILENO, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EPIPE { return false }
            guard count > 0 else {
                throw Failure.runtime("cannot write the message: \(String(cString: strerror(errno)))")
            }
            written += count
        }
        return true
    }
}
