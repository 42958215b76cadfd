internal import BrokerCore
package import Clockwork
package import ConnectionCore
package import GatewayCore
package import Messaging

extension Engine {
    /// Other access rules from now on: for what is published and subscribed, and for what waits.
    package mutating func setAccessRules(_ rules: AccessRuleSets) {
        broker.setAccessRules(rules)
    }

    /// Other rules for which devices may come by the listeners and who they are: see `Gateway.setAdmission`.
    package mutating func setDeviceRules(_ listeners: [Gateway.Configuration.Listener]) {
        gateway.setAdmission(listeners)
    }

    /// Other rules for who may come by the listeners, from now on: see `Connections.setListenerRules`.
    package mutating func setListenerRules(_ listeners: [ConnectionLimits.Listener], now: Now) {
        connections.setListenerRules(listeners, into: &connectionEffects)
        settle(now)
    }
}
