import Bytes
import Configuration
import ConnectionCore
import Engine
import GatewayCore
import Glibc
import Logging
import Messaging
import Reactor
import Transport
import WebSocket

/// The gateway's log: what the server reports, in words, by way of swift-log.
final class Log {
    private let settings: LogSettings
    private let isVerbose: Bool
    private let loggers: [Logger]

    init(_ settings: LogSettings, isVerbose: Bool) {
        self.settings = settings
        self.isVerbose = isVerbose
        loggers = settings.destinations.map { destination in
            let descriptor = destination == .stderr ? STDERR_FILENO : STDOUT_FILENO
            return Logger(label: "dormouse") { _ in
                LineHandler(descriptor: descriptor, hasTimestamps: settings.hasTimestamps)
            }
        }
    }

    /// One line of this kind, if it is wanted.
    func say(_ type: LogTypes, _ text: @autoclosure () -> String) {
        guard isVerbose || settings.types.contains(type) else { return }
        let message = Logger.Message(stringLiteral: text())
        for logger in loggers { logger.log(level: level(of: type), message) }
    }

    private func level(of type: LogTypes) -> Logger.Level {
        switch type {
        case .error: .error
        case .warning: .warning
        case .notice: .notice
        case .debug: .debug
        default: .info
        }
    }

    func report(_ event: ServerEvent) {
        switch event {
        case .listening(let kind, let address, let isSecured):
            say(.notice, "listening on \(address) (\(isSecured ? kind.securedTitle : kind.title))")
        case .skipped(let kind, let error): say(.warning, "not listening (\(kind.title)): \(error)")
        case .joined(let group, let interface):
            say(.notice, "in the multicast group \(group)\(interface.map { " on \($0)" } ?? "") (MQTT-SN discovery)")
        case .rejoining(let group, let interface, let error):
            say(
                .warning,
                "nothing is heard or said in the multicast group \(group)\(interface.map { " on \($0)" } ?? ""): "
                    + "\(error); it is joined again as soon as that is possible")
        case .datagramsLost(let count):
            say(
                .warning,
                "\(count) datagrams of devices were lost: they came faster than they were handled, and the system's "
                    + "buffer was full; it may be larger (sysctl net.core.rmem_max)")
        case .acceptPaused(let error): say(.warning, "accepting no connections for a moment: \(error)")
        case .turnedAway(let peer): say(.notice, "\(peer) turned away: too many connections")
        case .connection(let peer, let log): report(log, peer)
        case .secured(let peer, let words): say(.debug, "\(peer) is secured (\(words))")
        case .handshakesFailed(let count):
            say(.notice, "\(count) more connections ended before MQTT began: handshakes that failed come in numbers")
        case .webSocketOpened(let peer, let request):
            say(.websockets, "\(peer) opened a WebSocket (\(request.words))")
        case .device(let log): report(log)
        case .subscription(.subscribe(let clientID, filter: let filter, let qos)):
            say(.subscribe, "\(clientID) subscribes to \(filter) (QoS \(qos.rawValue))")
        case .subscription(.unsubscribe(let clientID, filter: let filter)):
            say(.unsubscribe, "\(clientID) unsubscribes from \(filter)")
        case .queue(let log): say(.warning, log.words)
        case .store(let report): self.report(report)
        case .stopping: say(.notice, "stopping")
        }
    }

    private func report(_ report: StoreReport) {
        let refused = "what cannot be kept is refused, and nothing of it is acknowledged"
        switch report {
        case .blocked(let error): say(.error, "no space for what has to be kept: \(error); until there is, \(refused)")
        case .resumed: say(.notice, "there is space again: what has to be kept is taken")
        case .failed(let error): say(.error, "the disk failed: \(error); until the gateway is started anew, \(refused)")
        }
    }

    private func report(_ log: ConnectionLog, _ peer: PeerAddress) {
        guard settings.hasConnectionMessages else { return }
        switch log {
        case .connected(let clientID, let version, let cleanStart, let keepAlive):
            say(
                .notice,
                "\(clientID) connected from \(peer) (\(version.title), clean \(cleanStart), keep-alive \(keepAlive) s)")
        case .refused(let clientID, let code):
            say(.notice, "\(clientID) refused at \(peer): \(code)")
        case .authenticated(let clientID, userName: let userName):
            say(.notice, "\(clientID) from \(peer) is \(userName)")
        case .authenticationFailed(let clientID, let failure):
            say(.notice, "\(clientID) from \(peer) has not shown who it is: \(failure.words)")
        case .ended(let clientID, let end):
            say(.notice, "\(clientID.map(\.description) ?? "a connection") from \(peer) ended: \(end.words)")
        }
    }

    private func report(_ log: GatewayLog) {
        let type: LogTypes =
            switch log {
            case .tooLong, .topicTableFull, .topicRefused, .predefinedTopicRefused, .claimRejected, .lost,
                .gatewayIDTaken, .forwarderRefused, .forwarderFull, .nodeIDTooLong, .clientRefused, .outsiderIgnored:
                .warning
            case .connected, .disconnected, .refused: .notice
            case .fellAsleep, .moved: .information
            }
        if settings.hasConnectionMessages || !log.isAboutComingAndGoing { say(type, log.line) }
    }
}

/// Writes each message as one line.
private struct LineHandler: LogHandler {
    let descriptor: Int32
    let hasTimestamps: Bool
    let lost = LostLines()
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    init(descriptor: Int32, hasTimestamps: Bool) {
        self.descriptor = descriptor
        self.hasTimestamps = hasTimestamps
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let time = hasTimestamps ? "\(Self.timestamp()) " : ""
        if lost.count > 0 {
            let note = "\(time)warning: \(lost.count) lines of the log are lost: nobody read them in time"
            guard Console.writeIfReady(note, to: descriptor) else { return lost.count += 1 }
            lost.count = 0
        }
        if !Console.writeIfReady("\(time)\(event.level): \(event.message)", to: descriptor) { lost.count += 1 }
    }

    /// Local time, as `2026-11-22T17:05:09`.
    private static func timestamp() -> String {
        var seconds = time(nil)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%S", &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// How many lines found no reader since one last did. Only the loop's thread logs.
private final class LostLines: @unchecked Sendable {
    var count = 0
}
