import ArgumentParser
import Bytes
import Configuration

/// `dormouse topics`: the predefined topic ids that devices and gateway share.
struct Topics: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the predefined topic ids of the configuration.")

    @OptionGroup var file: ConfigurationFile

    func run() throws {
        let configuration = try file.load(showingNotes: false)
        for listener in configuration.listeners {
            guard case .mqttsn(let settings) = listener.kind else { continue }
            for topic in settings.predefinedTopics {
                Console.output("\(listener.port)/udp \(topic.id) \(topic.name)")
            }
        }
    }
}
