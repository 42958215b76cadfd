package import Authentication
package import Clockwork
package import ConnectionCore
internal import Messaging

/// A password that is to be checked beside the engine, which goes on meanwhile.
package struct PasswordCheck: Sendable {
    /// The connection that waits for it, as `Engine.passwordChecked` wants to hear.
    package let slot: Int
    package let ticket: UInt32
    package let check: PasswordUsers.Check
}

extension Engine {
    /// The passwords to be checked since the last time; the adapter hears of each once.
    package mutating func takePasswordChecks() -> [PasswordCheck] {
        guard !passwordChecks.isEmpty else { return [] }
        defer { passwordChecks = [] }
        return passwordChecks
    }

    /// A check is done.
    package mutating func passwordChecked(
        _ slot: Int, ticket: UInt32, _ verdict: Connections.Verdict, now: Now
    ) {
        if let request = connections.checked(slot, ticket: ticket, verdict, into: &connectionEffects) {
            handle(request, from: .connection(slot), now)
        }
        settle(now)
    }
}
