import ArgumentParser
import Bytes
import Clockwork
import DeviceCore
import Glibc
import MQTTSNWire
import Messaging
import Reactor

/// `dormouse sn pub`: publishes messages, as mosquitto_pub does for MQTT.
struct SNPub: ParsableCommand {
    // -h names the host, as everywhere in mosquitto's tools.
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish messages as an MQTT-SN device.",
        helpNames: [.long])

    @OptionGroup var gateway: SNGatewayOptions
    @OptionGroup var device: SNDeviceOptions
    @OptionGroup var talk: SNTalkOptions

    @Option(name: .shortAndLong, help: "The topic's name; it is registered first.")
    var topic: String?

    @Flag(help: "Send a topic of two characters as a short name, without registering it.")
    var short = false

    @Option(help: "The topic's predefined id, instead of -t.")
    var predefined: UInt16?

    @OptionGroup(title: "Message") var source: SNSourceOptions

    @Option(
        name: .shortAndLong, parsing: .unconditional,
        help: "Quality of service: -1 (without a connection), 0, 1 or 2.")
    var qos = 0

    @Flag(name: .shortAndLong, help: "The gateway keeps the message for later subscribers.")
    var retain = false

    @OptionGroup(title: "Radio") var radio: SNRadioOptions

    func validate() throws {
        guard (topic == nil) != (predefined == nil) else { throw ValidationError("Name one of -t and --predefined.") }
        guard (-1...2).contains(qos) else { throw ValidationError("The QoS is -1, 0, 1 or 2, not \(qos).") }
        if let topic { try validateTopicName(topic) }
        if let predefined { try validatePredefined(predefined) }
        if topic == nil, short { throw ValidationError("--short goes with -t.") }
        if let topic, short, topic.utf8.count != 2 {
            throw ValidationError("A short topic name has two characters of one byte each, or one of two.")
        }
        if qos == -1, topic != nil, !short {
            throw ValidationError("QoS -1 needs --predefined, or --short with a topic of two characters.")
        }
    }

    func run() throws {
        try talk.reporting {
            var messages = try SNMessages(source)
            var session = try SNSession(gateway, device, radio, talk)
            do {
                if qos != -1 { try session.connect() }
                while let payload = try messages.next(&session) { try publish(payload, &session) }
            } catch {
                // Said in any case; what is reported is the first fault.
                try? session.disconnect()
                throw error
            }
            try session.disconnect()
        }
    }

    /// Publishes a message, until all is said that its quality of service wants.
    private func publish(_ payload: ByteString, _ session: inout SNSession) throws {
        session.perform(
            .publish(
                token: 0, Device.Publication(topic: deviceTopic, qos: deviceQoS, retain: retain, payload: payload)))
        while true {
            switch try session.next() {
            case .device(.published): return
            // Keep-alive; and what an older session under this id still gets, which is not for us.
            case .device(.ponged), .device(.received): break
            case .device(let outcome): throw failure(outcome, session)
            case .interrupted: throw Failure.runtime("interrupted before the gateway acknowledged the message")
            case .timeReached, .input, .outputClosed: break
            }
        }
    }

    private var deviceTopic: Device.Topic {
        if let predefined { return .predefined(predefined) }
        let name = topic ?? ""
        if short, let topic = Device.Topic.short(of: name) { return topic }
        return .name(ByteString(name))
    }

    private var deviceQoS: SNQoS {
        switch qos {
        case 0: .zero
        case 1: .one
        case 2: .two
        default: .minusOne
        }
    }

    private func failure(_ outcome: Device.Effect, _ session: SNSession) -> Failure {
        switch outcome {
        case .failed(_, .refused(.invalidTopicID)):
            .runtime("the gateway does not know topic id \(predefined ?? 0): give it a predefined_topic line")
        case .failed(_, .refused(let code)):
            .runtime("the gateway refused the message (\(code)): look into its log for the reason")
        case .failed(_, .tooLong):
            .usage("topic or message are too long for MQTT-SN: 65,498 bytes at most")
        default: session.failure(outcome)
        }
    }
}

/// Where messages come from.
struct SNSourceOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The message.")
    var message: String?

    @Flag(name: [.customShort("n"), .long], help: "An empty message.")
    var nullMessage = false

    @Flag(name: [.customShort("s"), .customLong("stdin-file")], help: "The message is what comes on standard input.")
    var stdin = false

    @Flag(
        name: [.customShort("l"), .customLong("stdin-line")],
        help: "Each line of standard input is a message, over one connection; empty lines are passed over.")
    var lines = false

    @Option(name: .shortAndLong, help: "The message is what is in this file.")
    var file: String?

    @Option(name: .customLong("repeat"), help: "Publish the message so many times.")
    var count: Int = 1

    @Option(help: "Seconds between these.")
    var repeatDelay = Seconds(0)

    func validate() throws {
        guard [message != nil, nullMessage, stdin, lines, file != nil].count(where: { $0 }) == 1 else {
            throw ValidationError("Give one of -m, -n, -s, -l and -f.")
        }
        guard count > 0 else { throw ValidationError("--repeat is 1 or more.") }
        if lines, count > 1 { throw ValidationError("--repeat does not go with -l.") }
    }

    /// The one message; nil if each line is one.
    fileprivate func payload() throws -> ByteString? {
        if lines { return nil }
        if stdin { return ByteString(try SNInput.whole(STDIN_FILENO)) }
        guard let file else { return ByteString(try SNInput.checked(Array((message ?? "").utf8))) }
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure.runtime("cannot read '\(file)': \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        return ByteString(try SNInput.whole(descriptor))
    }
}

/// The messages to publish, one after the other.
struct SNMessages {
    private let payload: ByteString?
    private let pause: Duration
    private var left: Int
    private var isFirst = true
    private var input = SNInput()

    init(_ options: SNSourceOptions) throws {
        payload = try options.payload()
        left = options.count
        pause = options.repeatDelay.duration
    }

    /// The next message, when it is there; nil at the end. Meanwhile the device lives on.
    mutating func next(_ session: inout SNSession) throws -> ByteString? {
        guard let payload else { return try nextLine(&session) }
        guard left > 0 else { return nil }
        left -= 1
        defer { isFirst = false }
        guard !isFirst, pause > .zero else { return payload }
        let end = SystemClock.monotonic() + pause
        while true {
            switch try session.next(until: end) {
            case .timeReached: return payload
            case .interrupted: return nil
            case .device(let effect): try passOver(effect, session)
            case .input, .outputClosed: break
            }
        }
    }

    private mutating func nextLine(_ session: inout SNSession) throws -> ByteString? {
        while true {
            if let line = try input.nextLine() { return ByteString(line) }
            if input.isAtEnd { return nil }
            switch try session.next(wanted: .input) {
            case .input: try input.read()
            case .interrupted: return nil
            case .device(let effect): try passOver(effect, session)
            case .timeReached, .outputClosed: break
            }
        }
    }

    /// While nothing is asked, only the end of the connection matters.
    private func passOver(_ effect: Device.Effect, _ session: SNSession) throws {
        if effect == .lost || effect == .disconnected { throw session.failure(effect) }
    }
}
