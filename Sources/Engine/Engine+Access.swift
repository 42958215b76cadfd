internal import BrokerCore
package import Messaging

extension Engine {
    /// Other access rules from now on: for what is published and subscribed, and for what waits.
    package mutating func setAccessRules(_ rules: AccessRules) {
        broker.setAccessRules(rules)
    }
}
