package import ConnectionCore
internal import Engine
package import GatewayCore
package import Messaging
internal import Reactor
package import SecureTransport

/// What can change while the server serves.
extension Server {
    /// Other rules for who may come by the listeners of MQTT.
    package func setListenerRules(_ listeners: [ConnectionLimits.Listener]) {
        engine.setListenerRules(listeners, now: loop.now)
    }

    /// Other certificates, keys and rules for those who come from now on; who is there keeps what it came by. A
    /// listener that was opened without security stays without, and one with it never loses it.
    package func replaceSecurity(listener: Int, with context: SecureContext) {
        guard securities.indices.contains(listener), securities[listener] != nil else { return }
        securities[listener] = context
    }

    /// Other access rules, for everybody who is here and for what waits.
    package func setAccessRules(_ rules: AccessRuleSets) {
        engine.setAccessRules(rules)
    }

    /// Other rules for which devices may come, and who they are.
    package func setDeviceRules(_ listeners: [Gateway.Configuration.Listener]) {
        engine.setDeviceRules(listeners)
    }
}
