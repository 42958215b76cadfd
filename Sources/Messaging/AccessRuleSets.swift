package import Bytes

/// The access rules of all listeners: the same for all, or each with its own (`per_listener_settings`).
///
/// A client is under the rules of the listener that it came by. Where that is not known, of somebody who was here
/// before the gateway was started anew, it is enough that one listener's rules allow it [M-130].
package struct AccessRuleSets: Equatable, Sendable {
    private let sets: [AccessRules]

    /// Whether everybody may do everything.
    package var allowsAll: Bool { sets.allSatisfy { $0.allowsAll } }

    /// The same for all listeners.
    package init(_ rules: AccessRules) {
        sets = [rules]
    }

    /// For each listener, as the transport numbers them; none at all is the same as no rules.
    package init(ofListeners rules: [AccessRules]) {
        let first = rules.first ?? .allowAll
        sets = rules.allSatisfy { $0 == first } ? [first] : rules
    }

    /// Everybody may do everything.
    package static let allowAll = AccessRuleSets(.allowAll)

    /// Whether a message on `topic` is taken from this client.
    package func mayPublish(_ topic: ByteView, _ client: ClientIdentity) -> Bool {
        anyOfListener(client) { $0.mayPublish(topic, client) }
    }

    /// Whether this client is sent messages on `topic`.
    package func mayReceive(_ topic: ByteView, _ client: ClientIdentity) -> Bool {
        anyOfListener(client) { $0.mayReceive(topic, client) }
    }

    /// Whether some topic of `filter`, which stands without `$share/…/`, may be received [M-24].
    package func maySubscribe(_ filter: ByteView, _ client: ClientIdentity) -> Bool {
        anyOfListener(client) { $0.maySubscribe(filter, client) }
    }

    private func anyOfListener(_ client: ClientIdentity, _ isAllowed: (AccessRules) -> Bool) -> Bool {
        if sets.count == 1 { return isAllowed(sets[0]) }
        let listener = Int(client.listener)
        return listener < sets.count ? isAllowed(sets[listener]) : sets.contains { isAllowed($0) }
    }
}
