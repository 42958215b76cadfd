import ArgumentParser
import Bytes
import DeviceCore
import Messaging

/// `dormouse sn sub`: subscribes and prints what comes, as mosquitto_sub does for MQTT.
struct SNSub: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribe as an MQTT-SN device, and print what comes.",
        helpNames: [.long])

    @OptionGroup var gateway: SNGatewayOptions
    @OptionGroup var device: SNDeviceOptions
    @OptionGroup var talk: SNTalkOptions
    @OptionGroup(title: "Subscriptions") var topics: SNTopicOptions
    @OptionGroup(title: "Output") var output: SNOutputOptions

    @Flag(name: [.customShort("E")], help: "End as soon as the gateway has acknowledged all subscriptions.")
    var endsWhenSubscribed = false

    @OptionGroup(title: "Radio") var radio: SNRadioOptions

    func validate() throws {
        if topics.isEmpty { throw ValidationError("Name a topic with -t or --predefined.") }
    }

    func run() throws {
        try talk.reporting {
            let session = try SNSession(gateway, device, radio, talk, workMax: topics.count + 64)
            var listener = SNListener(session, topics, output, sleep: nil)
            listener.endsWhenSubscribed = endsWhenSubscribed
            try listener.run()
        }
    }
}

/// `dormouse sn sleep`: a device that sleeps, and wakes to ask for what has come.
struct SNSleep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sleep",
        abstract: "Be an MQTT-SN device that sleeps, wakes to take what has come, and sleeps again.",
        discussion: "Without -t it only uses the subscriptions that its session (-c) has from before.",
        helpNames: [.long])

    @OptionGroup var gateway: SNGatewayOptions
    @OptionGroup var device: SNDeviceOptions
    @OptionGroup var talk: SNTalkOptions

    @Option(
        name: [.customShort("D"), .long],
        help: "Seconds of sleep that DISCONNECT announces: 1 to 65535.")
    var duration: UInt16

    @Option(help: "Seconds between two wakes (default: the duration).")
    var wake: Seconds?

    @Option(help: "End after so many wakes.")
    var wakes: Int?

    @OptionGroup(title: "Subscriptions") var topics: SNTopicOptions
    @OptionGroup(title: "Output") var output: SNOutputOptions
    @OptionGroup(title: "Radio") var radio: SNRadioOptions

    func validate() throws {
        guard duration > 0 else { throw ValidationError("The duration is 1 to 65535 seconds.") }
        if let wake, wake.duration <= .zero || wake.duration > .seconds(duration) {
            throw ValidationError("--wake is more than 0 seconds and not more than the duration.")
        }
        if let wakes, wakes < 1 { throw ValidationError("--wakes is 1 or more.") }
        if topics.isEmpty, !device.isPersistent {
            throw ValidationError("Name a topic with -t or --predefined, or go on with a session by -c.")
        }
    }

    func run() throws {
        try talk.reporting {
            let session = try SNSession(gateway, device, radio, talk, workMax: topics.count + 64)
            let sleep = SNListener.Sleep(
                seconds: duration, interval: wake?.duration ?? .seconds(duration), wakesMax: wakes)
            var listener = SNListener(session, topics, output, sleep: sleep)
            try listener.run()
        }
    }
}

/// What to subscribe to.
struct SNTopicOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "A topic, perhaps with + or #; may be repeated.")
    var topic: [String] = []

    @Flag(help: "Send topics of two characters as short names.")
    var short = false

    @Option(help: "The predefined id of a topic; may be repeated.")
    var predefined: [UInt16] = []

    @Option(name: .shortAndLong, help: "Quality of service: 0, 1 or 2.")
    var qos: UInt8 = 0

    func validate() throws {
        guard qos <= 2 else { throw ValidationError("The QoS is 0, 1 or 2, not \(qos).") }
        for name in topic {
            let isFilter = ByteString(name).withView {
                $0.isMQTTString && TopicRules(bytesMax: 65_000).allowsFilter($0)
            }
            guard isFilter else {
                throw ValidationError("'\(name)' is no topic to subscribe to: + is a level of its own, # the last one.")
            }
        }
        try predefined.forEach(validatePredefined)
        if short, !topic.contains(where: { $0.utf8.count == 2 }) {
            throw ValidationError("--short goes with a -t of two characters.")
        }
    }

    var isEmpty: Bool { count == 0 }

    var count: Int { topic.count + predefined.count }

    var quality: QoS { QoS(rawValue: qos) ?? .atMostOnce }

    var deviceTopics: [Device.Topic] {
        topic.map { name in
            if short, let topic = Device.Topic.short(of: name) { return topic }
            return .name(ByteString(name))
        } + predefined.map { .predefined($0) }
    }
}

/// What to print, and until when.
struct SNOutputOptions: ParsableArguments {
    @Option(name: [.customShort("C"), .customLong("count")], help: "End after so many messages.")
    var countMax: Int?

    @Option(
        name: [.customShort("W"), .customLong("timeout")],
        help: "End after so many seconds; if -C messages have not come by then, with exit code 1.")
    var timeout: Seconds?

    @Flag(name: .shortAndLong, help: "Print the topic before each message.")
    var verbose = false

    @Flag(name: [.customShort("N")], help: "Print no end of line after a message.")
    var omitsLineEnds = false

    @Option(name: [.customShort("F"), .customLong("format")], help: ArgumentHelp(SNFormat.help))
    var format: String?

    @Flag(name: [.customShort("R")], help: "Print no retained messages.")
    var omitsRetained = false

    @Flag(help: "Print retained messages only, and end with the first other one.")
    var retainedOnly = false

    func validate() throws {
        if let countMax, countMax < 1 { throw ValidationError("-C is 1 or more.") }
        guard parsedFormat != nil else {
            throw ValidationError("'\(format ?? "")' is no format: " + SNFormat.help)
        }
        if verbose, format != nil { throw ValidationError("Give one of -v and -F.") }
        if omitsRetained, retainedOnly { throw ValidationError("Give one of -R and --retained-only.") }
    }

    var parsedFormat: SNFormat? { SNFormat(format ?? (verbose ? "%t %p" : "%p")) }
}
