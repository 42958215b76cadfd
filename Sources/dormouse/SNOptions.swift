import ArgumentParser
import Bytes
import DeviceCore
import MQTTSNWire
import Messaging

/// How much a command of `dormouse sn` says.
struct SNTalkOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Say each packet that goes out (>) and comes in (<), on standard error.")
    var debug = false

    @Flag(help: "Say nothing of errors; the exit code still tells.")
    var quiet = false

    /// Runs a command whose errors `--quiet` hides.
    func reporting(_ command: () throws -> Void) throws {
        do {
            try command()
        } catch let failure as Failure where quiet {
            Process.exit(failure.code)
        }
    }
}

/// How to reach a gateway.
struct SNGatewayOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The gateway's name or address.")
    var host = "127.0.0.1"

    @Option(name: .shortAndLong, help: "The gateway's UDP port.")
    var port: UInt16 = 1883
}

/// Who the device is, and what it says in CONNECT.
struct SNDeviceOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The client id (default: sn- and the process's number).")
    var id: String?

    @Option(name: [.customShort("I"), .long], help: "The client id is this and the process's number.")
    var idPrefix: String?

    @Option(
        name: [.customShort("k"), .customLong("keepalive")],
        help: "Seconds after which the gateway may take a silent device for lost; 0 for no limit.")
    var keepAlive: UInt16 = 60

    @Flag(
        name: [.customShort("c"), .customLong("disable-clean-session")],
        help: "Keep subscriptions and messages for the next time under the same id.")
    var isPersistent = false

    @Option(help: "Where the will is published when the device is lost.")
    var willTopic: String?

    @Option(help: "The will's message.")
    var willPayload: String?

    @Option(help: "The will's quality of service: 0, 1 or 2.")
    var willQos: UInt8?

    @Flag(help: "The gateway keeps the will for later subscribers.")
    var willRetain = false

    func validate() throws {
        guard id == nil || idPrefix == nil else { throw ValidationError("Give one of -i and -I.") }
        guard clientID.withView({ $0.isMQTTString }), (1...65_000).contains(clientID.count) else {
            throw ValidationError("The client id is empty or no text.")
        }
        if isPersistent, id == nil { throw ValidationError("-c needs an id to come back under: give one with -i.") }
        if willTopic == nil, willPayload != nil || willQos != nil || willRetain {
            throw ValidationError("A will needs --will-topic.")
        }
        if let willTopic { try validateTopicName(willTopic) }
        guard (willQos ?? 0) <= 2 else { throw ValidationError("The will's QoS is 0, 1 or 2.") }
    }

    var clientID: ClientID { ByteString(id ?? "\(idPrefix ?? "sn-")\(Process.id)") }

    var connect: Device.Connect {
        let will = willTopic.map { topic in
            Will(
                topic: ByteString(topic), payload: ByteString(willPayload ?? ""),
                qos: QoS(rawValue: willQos ?? 0) ?? .atMostOnce, retain: willRetain)
        }
        return Device.Connect(clientID: clientID, keepAlive: keepAlive, cleanSession: !isPersistent, will: will)
    }
}

/// How often to repeat, and how bad the radio is.
struct SNRadioOptions: ParsableArguments {
    @Option(help: "Seconds to wait for an answer before sending again (T_retry).")
    var retry = Seconds(2)

    @Option(help: "How often to send again before giving up (N_retry).")
    var retries = 3

    @Option(help: "Lose so many percent of all packets, both ways.")
    var loss: UInt64 = 0

    @Option(help: ArgumentHelp("Milliseconds that packets take, or a range to draw from.", valueName: "ms[-ms]"))
    var delay = Delay()

    @Option(help: "Double so many percent of all packets, both ways.")
    var duplicate: UInt64 = 0

    @Option(help: "The same number gives the same losses, delays and duplicates again.")
    var seed: UInt64?

    func validate() throws {
        guard loss <= 100, duplicate <= 100 else {
            throw ValidationError("--loss and --duplicate are 0 to 100 percent.")
        }
        guard retry.duration > .zero, (0...1_000).contains(retries) else {
            throw ValidationError("--retry is more than 0 seconds, --retries 0 to 1000.")
        }
    }

    /// The link between the device and the socket.
    func link(seed: UInt64) -> BadLink {
        var settings = BadLink.Settings()
        settings.loss = loss
        settings.duplication = duplicate
        settings.delay = delay.range
        return BadLink(settings, seed: seed)
    }

    /// What the link does, if it does anything.
    var words: String? {
        guard loss > 0 || duplicate > 0 || delay.range.upperBound > .zero else { return nil }
        return "bad link: \(loss) % lost, \(duplicate) % doubled, delayed by \(delay)"
    }
}

/// A time on the command line: seconds, with a fraction if need be, up to a thousand million.
struct Seconds: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration
    let description: String

    init(_ seconds: Int) {
        duration = .seconds(seconds)
        description = "\(seconds)"
    }

    init?(argument: String) {
        guard let seconds = Double(argument), seconds >= 0, seconds <= 1e9 else { return nil }
        duration = .nanoseconds(Int64(seconds * 1e9))
        description = argument
    }

    var defaultValueDescription: String { description }
}

/// `20` or `20-500`: milliseconds, up to an hour.
struct Delay: ExpressibleByArgument, CustomStringConvertible {
    let range: ClosedRange<Duration>
    let description: String

    init() {
        range = .zero ... .zero
        description = "0 ms"
    }

    init?(argument: String) {
        let bounds = argument.split(separator: "-", omittingEmptySubsequences: false).map { UInt32($0) }
        guard (1...2).contains(bounds.count), let first = bounds.first, let last = bounds.last, let first, let last,
            first <= last, last <= 3_600_000
        else { return nil }
        range = .milliseconds(first) ... .milliseconds(last)
        description = "\(argument) ms"
    }

    var defaultValueDescription: String { "0" }
}

/// Refuses what is no topic name.
func validateTopicName(_ topic: String) throws {
    let isName = ByteString(topic).withView { $0.isMQTTString && TopicRules(bytesMax: 65_000).allowsName($0) }
    guard isName else { throw ValidationError("'\(topic)' is no topic to publish to: empty, or with + or #.") }
}

/// Refuses what the standard reserves.
func validatePredefined(_ topicID: UInt16) throws {
    guard topicID != 0, topicID != .max else { throw ValidationError("A predefined topic id is 1 to 65534.") }
}

extension Device.Topic {
    /// The short topic name of these two bytes; nil for another number of bytes.
    static func short(of name: String) -> Device.Topic? {
        let bytes = Array(name.utf8)
        guard bytes.count == 2 else { return nil }
        return .short(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
    }

    /// What the user calls it: a predefined topic by its number.
    var bytes: [UInt8] {
        switch self {
        case .name(let name): name.bytes
        case .predefined(let topicID): Array(String(topicID).utf8)
        case .short(let name): [UInt8(name >> 8), UInt8(truncatingIfNeeded: name)]
        }
    }

    var words: String {
        if case .predefined(let topicID) = self { return "predefined topic \(topicID)" }
        return "'\(ByteString(bytes))'"
    }
}
