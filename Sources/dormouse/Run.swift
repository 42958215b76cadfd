import ArgumentParser
import Bytes
import Configuration
import ConnectionCore
import Engine
import Glibc
import Logging
import Reactor
import Transport

/// `dormouse run`: the gateway.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run the gateway (the default).")

    @OptionGroup var file: ConfigurationFile

    @Flag(name: .shortAndLong, help: "Log everything, whatever log_type says.")
    var verbose = false

    func run() throws {
        let configuration = try file.load(showingNotes: verbose)
        try refuseWrongUser(configuration)
        let log = Log(configuration.logging, isVerbose: verbose)
        var settings = EngineSettings(configuration)
        if verbose { settings.logsSubscriptions = true }
        settings.connections.nonceSecret = ByteString(Process.randomBytes(32))
        // The usual soft limit of 1,024 descriptors is less than the clients that may come.
        let descriptors = raiseDescriptorLimit()
        let clients = configuration.limits.clientsMax
        if descriptors < clients {
            log.say(.warning, "max_clients is \(clients), but this process may open only \(descriptors) files")
        }
        let server: Server
        do throws(ReactorError) {
            server = try Server(settings: settings, seed: Process.seed, report: { log.report($0) })
            try server.loop.watchSignals()
            log.say(.notice, "\(Version.text) starting with \(try? file.path(), default: "")")
            try server.open(configuration.listeners.map { ListenerPlan($0) })
        } catch {
            throw Failure.runtime(error.description)
        }
        log.say(.notice, "data: in memory only; persistence comes with a later version")
        log.say(
            .notice,
            "durability \(configuration.durability.rawValue): sessions, queues and retained messages end "
                + "with the process")
        try writeProcessID(configuration.pidFile)
        server.run()
        if let pidFile = configuration.pidFile { unlink(pidFile) }
        log.say(.notice, "stopped")
    }

    private func refuseWrongUser(_ configuration: GatewayConfiguration) throws {
        guard Process.isRoot, let user = configuration.user, user != "root" else { return }
        throw Failure.usage(
            "the configuration names user '\(user)': start the gateway as that user; it does not change its own")
    }

    private func writeProcessID(_ path: String?) throws {
        guard let path else { return }
        do throws(SourceFailure) {
            let descriptor = try RegularFile.open(path, O_WRONLY | O_CREAT)
            ftruncate(descriptor, 0)
            Console.write("\(Process.id)", to: descriptor)
            close(descriptor)
        } catch {
            throw Failure.runtime("cannot write pid_file \(path): \(error.reason)")
        }
    }
}
