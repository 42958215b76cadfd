import Configuration
import ConnectionCore
import Engine
import GatewayCore
import Messaging
import SecureTransport
import Transport

/// What SIGHUP does: reads the configuration and the files that it names anew, and puts in force what can change while
/// the gateway serves. Where anything is wrong, all stays as it was: a half of two configurations is neither.
final class Reload {
    private let path: String
    private let log: Log
    private let server: Server
    /// What is in force.
    private var current: GatewayConfiguration

    init(_ path: String, _ current: GatewayConfiguration, _ server: Server, _ log: Log) {
        self.path = path
        self.current = current
        self.server = server
        self.log = log
    }

    func callAsFunction() {
        let outcome = GatewayConfiguration.load(path: path)
        for diagnostic in outcome.diagnostics where diagnostic.severity != .note {
            log.say(diagnostic.severity == .error ? .error : .warning, diagnostic.description)
        }
        guard let fresh = outcome.configuration else {
            return log.say(.error, "\(path) was read again and has faults: all stays as it was")
        }
        let next = current.taking(from: fresh)
        apply(next)
        current = next
        log.say(.notice, "\(path) was read again: who may come and what they may do is as it says now")
        if next != fresh {
            log.say(.warning, "other directives have changed too: they take effect when the gateway is started anew")
        }
    }

    private func apply(_ configuration: GatewayConfiguration) {
        server.setListenerRules(ConnectionLimits(configuration).listeners)
        server.setDeviceRules(Gateway.Configuration(configuration).listeners)
        server.setAccessRules(AccessRuleSets(configuration))
        for (number, listener) in configuration.listeners.enumerated() {
            if let security = listener.security { secure(number, listener.port, security) }
        }
    }
}

extension Reload {
    /// Other certificates and keys for those who come from now on.
    private func secure(_ listener: Int, _ port: UInt16, _ settings: SecureSettings) {
        do throws(SecureTransportError) {
            let context = try SecureContext(settings)
            server.replaceSecurity(listener: listener, with: context)
            log.warn(of: context, on: port)
        } catch {
            log.say(.error, "the certificates of listener \(port) stay as they were: \(error)")
        }
    }
}

extension GatewayConfiguration {
    /// This configuration, with what can change while the gateway serves from another one.
    fileprivate func taking(from fresh: GatewayConfiguration) -> GatewayConfiguration {
        var result = self
        guard fresh.listeners.count == listeners.count else { return result }
        for index in listeners.indices where listeners[index].isSamePlace(as: fresh.listeners[index]) {
            result.listeners[index].takeSecurity(from: fresh.listeners[index])
        }
        return result
    }
}

extension ListenerConfiguration {
    /// Whether two sections open the same sockets for the same protocol.
    fileprivate func isSamePlace(as other: ListenerConfiguration) -> Bool {
        port == other.port && addresses == other.addresses && isForDevices == other.isForDevices
    }

    /// Who may come.
    fileprivate mutating func takeSecurity(from fresh: ListenerConfiguration) {
        allowsAnonymous = fresh.allowsAnonymous
        origin = fresh.origin
        // What is plain stays plain, and what is secured stays so, until the gateway is started anew.
        if security != nil, let security = fresh.security { self.security = security }
        accessRules = fresh.accessRules
        switch (kind, fresh.kind) {
        case (.mqtt(var settings), .mqtt(let new)):
            settings.scramUsers = new.scramUsers
            settings.passwordUsers = new.passwordUsers
            kind = .mqtt(settings)
        case (.mqttsn(var settings), .mqttsn(let new)):
            settings.allowsAnonymousPublish = new.allowsAnonymousPublish
            settings.networks = new.networks
            settings.clients = new.clients
            settings.users = new.users
            settings.user = new.user
            settings.anonymousPublishUser = new.anonymousPublishUser
            kind = .mqttsn(settings)
        default: break
        }
    }
}
