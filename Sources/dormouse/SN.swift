import ArgumentParser

/// `dormouse sn`: a device on the desk.
struct SN: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sn",
        abstract: "Be an MQTT-SN device: try a gateway without hardware.",
        subcommands: [SNPub.self])
}
