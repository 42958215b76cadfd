import ArgumentParser

/// `dormouse sn`: a device on the desk.
struct SN: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sn",
        abstract: "Be an MQTT-SN device: try a gateway without hardware.",
        discussion: """
            Options mean what they mean to mosquitto_pub and mosquitto_sub. --loss, --delay and --duplicate make a \
            bad radio link of a good one.
            """,
        subcommands: [SNPub.self, SNSub.self, SNSleep.self, SNSearch.self])
}
