internal import Clockwork
internal import ConnectionCore
internal import Engine
package import Reactor

/// Passwords in CONNECT are checked on a thread of their own; the connection is not read meanwhile.
extension Server {
    /// The thread, as the loop knows it.
    struct PasswordDesk {
        let thread: PasswordThread
        let mailbox: Mailbox<PasswordThread.Outcome>
    }

    /// Lets passwords be checked from now on. Before `open`.
    package func checkPasswords() throws(ReactorError) {
        let mailbox = try Mailbox<PasswordThread.Outcome>()
        _ = try loop.add(mailbox)
        passwordDesk = PasswordDesk(thread: try PasswordThread(mailbox), mailbox: mailbox)
    }

    /// Hands on what the engine wants checked.
    func submitPasswordChecks(_ now: Now) {
        for check in engine.takePasswordChecks() {
            if let token = sockets[check.slot].token { loop.setReading(token, false) }
            if passwordDesk?.thread.submit(check) != true {
                tell(PasswordThread.Outcome(slot: check.slot, ticket: check.ticket, verdict: .busy), now)
            }
        }
    }

    func takePasswordOutcomes(_ now: Now) {
        for outcome in passwordDesk?.mailbox.drain() ?? [] { tell(outcome, now) }
    }

    private func tell(_ outcome: PasswordThread.Outcome, _ now: Now) {
        engine.passwordChecked(outcome.slot, ticket: outcome.ticket, outcome.verdict, now: now)
        // Who waits in the backlog is told again by it. The slot may be another's by now, which is read anyway.
        guard !sockets[outcome.slot].isWaiting, let token = sockets[outcome.slot].token else { return }
        loop.setReading(token, true)
    }
}
