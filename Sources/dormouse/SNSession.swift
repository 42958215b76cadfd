import Bytes
import Clockwork
import DeviceCore
import MQTTSNWire
import Messaging
import Reactor

/// A device of `DeviceCore` behind a radio link that may be bad, on a UDP socket.
struct SNSession {
    private let place: String
    private let socket: SNSocket
    private let watch: SNWatch
    private let talk: SNTalk
    private let connection: Device.Connect
    private var device: Device
    private var link: BadLink
    private var effects: [Device.Effect] = []
    /// What happened and was not asked for yet.
    private var outcomes: [Device.Effect] = []
    /// Whether the gateway has ever answered: then its silence is a matter of time.
    private var hasConnected = false
    /// Whether nothing more is wanted: messages that come now are left to the gateway, for the next time.
    private var isLeaving = false

    /// What `next` waited for.
    enum Event: Equatable {
        case device(Device.Effect)
        case timeReached
        /// Standard input has something to read, or has ended.
        case input
        /// The user wants an end.
        case interrupted
        /// Nobody reads standard output any more.
        case outputClosed
    }

    init(
        _ gateway: SNGatewayOptions, _ device: SNDeviceOptions, _ radio: SNRadioOptions, _ talk: SNTalkOptions,
        workMax: Int = 64
    ) throws {
        place = "\(gateway.host):\(gateway.port) (UDP)"
        watch = try SNWatch()
        socket = try SNSocket(host: gateway.host, port: gateway.port)
        self.talk = SNTalk(talk)
        connection = device.connect
        let seed = radio.seed ?? Process.seed
        link = radio.link(seed: seed)
        if let words = radio.words { self.talk.debug("\(words) (--seed \(seed))") }
        var settings = Device.Settings()
        settings.retryInterval = radio.retry.duration
        settings.retryCount = radio.retries
        // A person waits: sooner than on the air.
        settings.waitInterval = .seconds(5)
        settings.workMax = workMax
        settings.topicsMax = 65_535
        // Whoever was this client before may have left handshakes open.
        settings.firstMsgID = UInt16(truncatingIfNeeded: seed >> 16)
        self.device = Device(settings: settings)
    }

    var state: Device.State { device.state }

    /// Tells the device what to do; its datagrams leave.
    mutating func perform(_ command: Device.Command) {
        device.handle(command, now: SystemClock.monotonic(), into: &effects)
        takeEffects()
        carry()
    }

    /// CONNECT; the outcome is an event.
    mutating func beginConnecting() { perform(.connect(connection)) }

    /// CONNECT, until CONNACK.
    mutating func connect() throws {
        beginConnecting()
        while true {
            switch try next() {
            case .device(.connected): return
            case .device(let outcome): throw failure(outcome)
            case .interrupted: throw Failure.runtime("interrupted before the gateway at \(place) answered")
            case .timeReached, .input, .outputClosed: break
            }
        }
    }

    /// DISCONNECT, if there is a connection, and its answer. What was to be done is done, so a missing answer is no
    /// fault; whoever interrupts does not want to wait for it.
    mutating func disconnect() throws {
        isLeaving = true
        if device.state != .disconnected { perform(.disconnect) }
        while hasConnected, device.state != .disconnected {
            if try next() == .interrupted { return }
        }
        while link.isCarryingUp {
            if try next(until: link.nextDeadline) == .interrupted { return }
        }
    }

    /// Lives on until something happens that concerns the user. Beside what the device says and signals, these are the
    /// time and what is wanted of `input` and `outputEnd`.
    mutating func next(until end: Deadline? = nil, wanted: SNWatch.Notice = []) throws -> Event {
        while true {
            if !outcomes.isEmpty { return .device(outcomes.removeFirst()) }
            carry()
            let now = SystemClock.monotonic()
            if let due = device.nextDeadline, due <= now {
                device.advance(to: now, into: &effects)
                takeEffects()
                carry()
            }
            guard outcomes.isEmpty else { continue }
            if let end, end <= now { return .timeReached }
            let due = [device.nextDeadline, link.nextDeadline, end].compactMap { $0 }.min()
            let notice = watch.wait([socket], for: wanted, until: due)
            if notice.contains(.datagram) { try receive() }
            if notice.contains(.interruption) { return .interrupted }
            if notice.contains(.outputEnd) { return .outputClosed }
            if notice.contains(.input), outcomes.isEmpty { return .input }
        }
    }

    private mutating func receive() throws {
        switch socket.receive() {
        case .datagram(let bytes, _):
            let fate = link.take(bytes, .down, now: SystemClock.monotonic())
            talk.debug(bytes, .down, fate)
            carry()
        case .refused where !hasConnected:
            throw Failure.runtime("nobody listens at \(place): start the gateway, or name it with -h and -p")
        case .refused, .nothing: break
        }
    }

    /// Lets arrive what is due: at the socket on the way up, at the device on the way down.
    private mutating func carry() {
        while let passage = link.arrived(by: SystemClock.monotonic()) {
            switch passage.direction {
            case .up: socket.send(passage.datagram)
            case .down:
                passage.datagram.withView { view in
                    if isLeaving, view.isPublish { return }
                    device.received(view, now: SystemClock.monotonic(), into: &effects)
                }
                takeEffects()
            }
        }
    }

    private mutating func takeEffects() {
        for effect in effects {
            guard case .send(let bytes) = effect else {
                if effect == .connected { hasConnected = true }
                outcomes.append(effect)
                continue
            }
            talk.debug(bytes, .up, link.take(bytes, .up, now: SystemClock.monotonic()))
        }
        effects.removeAll(keepingCapacity: true)
    }

    /// What an outcome that nobody wanted means to the user.
    func failure(_ outcome: Device.Effect) -> Failure {
        switch outcome {
        case .refused(.congestion): .runtime("the gateway at \(place) is congested: try again later")
        case .refused(let code):
            .runtime("the gateway at \(place) refused the connection (\(code)): try another client id with -i")
        case .lost:
            .runtime("no answer from \(place): start the gateway, or name it with -h and -p")
        case .disconnected:
            .runtime(
                "the gateway at \(place) ended the connection: try again, with another client id (-i) if it stays so")
        default: .runtime("unexpected: \(outcome)")
        }
    }

    /// Something that the user should know and that ends nothing.
    func note(_ text: String) { talk.note(text) }
}

extension ByteView {
    fileprivate var isPublish: Bool {
        if case .publish? = try? SNPacket.decode(self) { true } else { false }
    }
}

/// What a command says beside its output, on standard error.
struct SNTalk {
    private let options: SNTalkOptions
    private let start = SystemClock.monotonic()

    init(_ options: SNTalkOptions) {
        self.options = options
    }

    func note(_ text: String) {
        if !options.quiet { Console.error(text) }
    }

    func debug(_ text: @autoclosure () -> String) {
        guard options.debug else { return }
        let milliseconds = SystemClock.monotonic().since(start).wholeNanoseconds / 1_000_000
        let fraction = String(milliseconds % 1_000)
        let zeros = String(repeating: "0", count: 3 - fraction.utf8.count)
        Console.error("\(milliseconds / 1_000).\(zeros)\(fraction) \(text())")
    }

    /// A packet in words, and what the link did to it.
    func debug(_ datagram: ByteString, _ direction: BadLink.Direction, _ fate: BadLink.Fate) {
        debug("\(direction == .up ? ">" : "<") \(words(datagram))\(words(fate))")
    }

    private func words(_ datagram: ByteString) -> String {
        datagram.withView { view in
            do throws(SNDecodeError) {
                return try SNPacket.decode(view).description
            } catch {
                return "malformed: \(error)"
            }
        }
    }

    private func words(_ fate: BadLink.Fate) -> String {
        switch fate {
        case .lost: " (lost)"
        case .carried(.zero): ""
        case .carried(let delay): " (after \(milliseconds(delay)) ms)"
        case .doubled(let first, let second) where first == second && first == .zero: " (twice)"
        case .doubled(let first, let second): " (after \(milliseconds(first)) ms and \(milliseconds(second)) ms)"
        }
    }

    private func milliseconds(_ duration: Duration) -> UInt64 { duration.wholeNanoseconds / 1_000_000 }
}
