import ArgumentParser
import Bytes
import DeviceCore
import Glibc
import MQTTSNWire
import Messaging

/// `dormouse sn pub`: publishes one message, as mosquitto_pub does for MQTT.
struct SNPub: ParsableCommand {
    // -h names the host, as everywhere in mosquitto's tools.
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish one message as an MQTT-SN device.",
        helpNames: [.long])

    @OptionGroup var gateway: SNGatewayOptions

    @Option(name: .shortAndLong, help: "The topic's name; it is registered first.")
    var topic: String?

    @Flag(help: "Send a topic of two characters as a short name, without registering it.")
    var short = false

    @Option(help: "The topic's predefined id, instead of -t.")
    var predefined: UInt16?

    @Option(name: .shortAndLong, help: "The message.")
    var message: String?

    @Flag(name: [.customShort("n"), .long], help: "An empty message.")
    var nullMessage = false

    @Flag(name: [.customShort("s"), .customLong("stdin-file")], help: "The message is what comes on standard input.")
    var stdin = false

    @Option(
        name: .shortAndLong, parsing: .unconditional,
        help: "Quality of service: -1 (without a connection), 0, 1 or 2.")
    var qos = 0

    @Flag(name: .shortAndLong, help: "The gateway keeps the message for later subscribers.")
    var retain = false

    func validate() throws {
        guard (topic == nil) != (predefined == nil) else { throw ValidationError("Name one of -t and --predefined.") }
        guard [message != nil, nullMessage, stdin].count(where: { $0 }) == 1 else {
            throw ValidationError("Give one of -m, -n and -s.")
        }
        guard (-1...2).contains(qos) else { throw ValidationError("The QoS is -1, 0, 1 or 2, not \(qos).") }
        if let topic { try validate(topic) }
        if let predefined, predefined == 0 || predefined == .max {
            throw ValidationError("A predefined topic id is 1 to 65534.")
        }
        if topic == nil, short { throw ValidationError("--short goes with -t.") }
        if qos == -1, topic != nil, !short {
            throw ValidationError("QoS -1 needs --predefined, or --short with a topic of two characters.")
        }
    }

    private func validate(_ topic: String) throws {
        let isName = ByteString(topic).withView { $0.isMQTTString && TopicRules(bytesMax: 65_000).allowsName($0) }
        guard isName else { throw ValidationError("'\(topic)' is no topic to publish to: empty, or with + or #.") }
        guard !short || topic.utf8.count == 2 else {
            throw ValidationError("A short topic name has two characters of one byte each, or one of two.")
        }
    }

    func run() throws {
        var session = try SNSession(gateway)
        let publication = Device.Publication(
            topic: deviceTopic, qos: deviceQoS, retain: retain, payload: try payload())
        if publication.qos == .minusOne {
            session.perform(.publish(token: 0, publication))
            return try check(try session.nextOutcome(), session)
        }
        try session.connect(cleanSession: true, keepAlive: 60)
        session.perform(.publish(token: 0, publication))
        let outcome = try session.nextOutcome()
        try session.disconnect()
        try check(outcome, session)
    }

    private var deviceTopic: Device.Topic {
        if let predefined { return .predefined(predefined) }
        let name = ByteString(topic ?? "")
        if short, name.count == 2 { return .short(UInt16(name.bytes[0]) << 8 | UInt16(name.bytes[1])) }
        return .name(name)
    }

    private var deviceQoS: SNQoS {
        switch qos {
        case 0: .zero
        case 1: .one
        case 2: .two
        default: .minusOne
        }
    }

    private func payload() throws -> ByteString {
        guard stdin else { return ByteString(message ?? "") }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count == 0 { return ByteString(bytes) }
            guard count > 0 else { throw Failure.runtime("cannot read standard input") }
            bytes += buffer[..<count]
            guard bytes.count <= Int(UInt16.max) else {
                throw Failure.usage("the message is longer than 65,526 bytes, the most that MQTT-SN can carry")
            }
        }
    }

    private func check(_ outcome: Device.Effect, _ session: SNSession) throws {
        switch outcome {
        case .published: return
        case .failed(_, .refused(.invalidTopicID)):
            throw Failure.runtime(
                "the gateway does not know topic id \(predefined ?? 0): give it a predefined_topic line")
        case .failed(_, .refused(.congestion)):
            throw Failure.runtime("the gateway is congested: try again later")
        case .failed(_, .refused(let code)):
            throw Failure.runtime("the gateway refused the message (\(code)): look into its log for the reason")
        case .failed(_, .tooLong):
            throw Failure.usage("topic or message are too long for MQTT-SN: 65,526 bytes at most")
        default:
            throw session.failure(outcome)
        }
    }
}

/// How to reach a gateway, for all commands of `dormouse sn`.
struct SNGatewayOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The gateway's name or address.")
    var host = "127.0.0.1"

    @Option(name: .shortAndLong, help: "The gateway's UDP port.")
    var port: UInt16 = 1883

    @Option(name: .shortAndLong, help: "The client id (default: sn- and the process's number).")
    var id: String?

    func validate() throws {
        guard let id else { return }
        guard !id.isEmpty, ByteString(id).withView({ $0.isMQTTString }), id.utf8.count <= 65_000 else {
            throw ValidationError("The client id is empty or no text.")
        }
    }

    var clientID: ClientID { ByteString(id ?? "sn-\(Process.id)") }
}
