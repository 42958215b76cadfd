internal import Authentication
internal import CLinux
internal import ConnectionCore
internal import Engine
internal import Glibc
internal import Reactor
internal import Synchronization

/// The thread that checks passwords, one after the other: each takes milliseconds, which nobody else shall wait.
final class PasswordThread: Sendable {
    /// How many checks may wait. Who comes when there are so many is told to come again later: what waits longer than
    /// `connect_timeout` is done for nobody.
    static let checksMax = 200

    /// What came of a check.
    struct Outcome: Sendable {
        let slot: Int
        let ticket: UInt32
        let verdict: Connections.Verdict
    }

    private let inbox: Inbox

    private struct Waiting: Sendable {
        var checks: [PasswordCheck] = []
        var isStopping = false
    }

    /// Where the loop leaves checks.
    private final class Inbox: Sendable {
        let waiting = Mutex(Waiting())
        let descriptor: Int32

        init() throws(ReactorError) {
            descriptor = clinux_eventfd()
            guard descriptor >= 0 else { throw ReactorError(.eventfd, code: -descriptor) }
        }

        deinit { close(descriptor) }

        func wake() {
            var one: UInt64 = 1
            write(descriptor, &one, MemoryLayout<UInt64>.size)
        }

        /// The next check, when there is one; nil at the end.
        func next() -> PasswordCheck? {
            while true {
                let (check, isStopping) = waiting.withLock { waiting in
                    (waiting.checks.isEmpty ? nil : waiting.checks.removeFirst(), waiting.isStopping)
                }
                if isStopping { return nil }
                if let check { return check }
                var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = Glibc.poll(&poll, 1, -1)
                var count: UInt64 = 0
                read(descriptor, &count, MemoryLayout<UInt64>.size)
            }
        }
    }

    /// What the thread is handed.
    private final class Worker: Sendable {
        let inbox: Inbox
        let mailbox: Mailbox<Outcome>

        init(_ inbox: Inbox, _ mailbox: Mailbox<Outcome>) {
            self.inbox = inbox
            self.mailbox = mailbox
        }

        func run() {
            while let next = inbox.next() {
                let verdict: Connections.Verdict = next.check.isPassed() ? .passed : .failed
                mailbox.post([Outcome(slot: next.slot, ticket: next.ticket, verdict: verdict)])
            }
        }
    }

    /// Starts the thread; outcomes go to the mailbox.
    init(_ mailbox: Mailbox<Outcome>) throws(ReactorError) {
        let inbox = try Inbox()
        self.inbox = inbox
        var started = pthread_t()
        let code = pthread_create(
            &started, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Worker>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(Worker(inbox, mailbox)).toOpaque())
        guard code == 0 else { throw ReactorError(.pthreadCreate, code: code) }
        pthread_detach(started)
    }

    /// Hands a check over; false if too many wait.
    func submit(_ check: PasswordCheck) -> Bool {
        let isTaken = inbox.waiting.withLock { waiting in
            guard waiting.checks.count < Self.checksMax else { return false }
            waiting.checks.append(check)
            return true
        }
        if isTaken { inbox.wake() }
        return isTaken
    }

    deinit {
        inbox.waiting.withLock { $0.isStopping = true }
        inbox.wake()
    }
}
