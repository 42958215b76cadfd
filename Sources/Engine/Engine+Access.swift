internal import BrokerCore
package import ConnectionCore
package import Messaging

extension Engine {
    /// Other access rules from now on: for what is published and subscribed, and for what waits.
    package mutating func setAccessRules(_ rules: AccessRules) {
        broker.setAccessRules(rules)
    }

    /// Other rules for who may come by the listeners, from now on.
    package mutating func setListenerRules(_ listeners: [ConnectionLimits.Listener]) {
        connections.setListenerRules(listeners)
    }
}
