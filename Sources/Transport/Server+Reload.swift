package import ConnectionCore
internal import Engine
package import GatewayCore
package import Messaging

/// What can change while the server serves.
extension Server {
    /// Other rules for who may come by the listeners of MQTT.
    package func setListenerRules(_ listeners: [ConnectionLimits.Listener]) {
        engine.setListenerRules(listeners)
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
