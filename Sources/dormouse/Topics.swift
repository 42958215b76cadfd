import ArgumentParser
import Bytes
import Configuration

/// `dormouse topics`: the predefined topic ids that devices and gateway share.
struct Topics: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the predefined topic ids of the configuration, or write them as a C header for firmware.")

    @OptionGroup var file: ConfigurationFile

    @Flag(name: .customLong("c-header"), help: "Write a C header with a constant for each topic.")
    var asHeader = false

    @Option(name: .shortAndLong, help: "Only the topics of the listener on this UDP port.")
    var port: UInt16?

    func run() throws {
        let configuration = try file.load(showingNotes: false)
        let listeners = configuration.listeners.compactMap { listener -> (UInt16, SNListenerSettings)? in
            guard case .mqttsn(let settings) = listener.kind, port == nil || port == listener.port else { return nil }
            return (listener.port, settings)
        }
        if let port, listeners.isEmpty {
            throw Failure.usage("no listener for devices has port \(port): look for `protocol mqttsn` in the file")
        }
        if asHeader { return try writeHeader(listeners) }
        for (port, settings) in listeners {
            for topic in settings.predefinedTopics {
                let clients = topic.clients.map { " for clients \($0.text)" } ?? ""
                Console.output("\(port)/udp \(topic.id) \(topic.name)\(clients)")
            }
        }
    }

    private func writeHeader(_ listeners: [(port: UInt16, settings: SNListenerSettings)]) throws {
        guard let first = listeners.first else {
            throw Failure.usage("no listener for devices: below a `listener` line write `protocol mqttsn`")
        }
        guard listeners.allSatisfy({ $0.settings.predefinedTopics == first.settings.predefinedTopics }) else {
            let ports = listeners.map { String($0.port) }.joined(separator: ", ")
            throw Failure.usage("the listeners on ports \(ports) have different topics: choose one with --port")
        }
        let header = CHeader(first.settings)
        for line in header.lines { Console.output(line) }
    }
}
