import ArgumentParser
import Bytes
import Configuration
import ConnectionCore
import Engine
import Glibc
import Logging
import Reactor
import SecureTransport
import Store
import Transport

/// `dormouse run`: the gateway.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run the gateway (the default).")

    /// Files that are always to be had beside the sockets: the store's, those of a reload, the log's.
    private static let reservedDescriptors = 24

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
        if descriptors - Self.reservedDescriptors < clients {
            log.say(.warning, "max_clients is \(clients), but this process may open only \(descriptors) files")
        }
        var limits = LoopLimits()
        limits.socketsMax = max(1, descriptors - Self.reservedDescriptors)
        let manager = ServiceManager()
        let path = try file.path()
        let server: Server
        do throws(ReactorError) {
            server = try Server(
                settings: settings, seed: Process.seed, limits: limits,
                report: { event in
                    if case .stopping = event { manager.isStopping() }
                    log.report(event)
                })
            try server.loop.watchSignals()
            log.say(.notice, "\(Version.text) starting with \(path)")
        } catch {
            throw Failure.runtime(error.description)
        }
        try openStore(configuration, server, log)
        do throws(ReactorError) {
            // Also where there are none: SIGHUP may bring some.
            try server.checkPasswords()
        } catch {
            throw Failure.runtime(error.description)
        }
        let plans = try listenerPlans(configuration, log)
        do throws(ReactorError) {
            try server.open(plans)
        } catch {
            throw Failure.runtime(error.description)
        }
        log.say(.notice, configuration.durability.words)
        try writeProcessID(configuration.pidFile)
        let reload = Reload(path, configuration, server, log)
        server.whenHungUp = {
            manager.reloads()
            reload()
            manager.isReady()
        }
        if let watchdog = manager.watchdog { server.beat(each: watchdog) { manager.isAlive() } }
        manager.isReady()
        server.run()
        if let pidFile = configuration.pidFile { unlink(pidFile) }
        log.say(.notice, "stopped")
    }

    /// What the gateway had when it ended is there again, and what has to survive is kept from now on.
    private func openStore(_ configuration: GatewayConfiguration, _ server: Server, _ log: Log) throws {
        guard let persistence = configuration.persistence else { return }
        do throws(DatabaseError) {
            let profile = configuration.durability == .disk ? StoreProfile.disk : .process
            let store = try StoreDirectory(
                path: persistence.directory, isDurable: profile == .disk, unixSeconds: Int64(time(nil)))
            for loss in store.losses { log.say(.error, "\(persistence.directory): \(loss)") }
            let restored = try server.restore(from: store)
            // Tests kill the process where it matters (Tests/Crash).
            let crashPoint = getenv("DORMOUSE_CRASH").flatMap { CrashPoint(String(cString: $0)) }
            try server.keep(in: store.takeWriter(), profile, crashPoint: crashPoint)
            log.say(.notice, "data in \(persistence.directory): \(restored.words)")
            guard restored.omitted > 0 else { return }
            log.say(
                .warning,
                "\(restored.omitted) records refer to what is not there, or make no sense: they were left out")
        } catch {
            throw Failure.runtime("persistence_location \(persistence.directory): \(error)")
        }
    }

    private func listenerPlans(_ configuration: GatewayConfiguration, _ log: Log) throws -> [ListenerPlan] {
        do throws(SecureTransportError) {
            return try configuration.listeners.map { listener throws(SecureTransportError) in
                let plan = try ListenerPlan(listener)
                if let security = plan.security { log.warn(of: security, on: listener.port) }
                return plan
            }
        } catch {
            throw Failure.runtime(error.description)
        }
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
