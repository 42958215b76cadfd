internal import CLinux
internal import Glibc

/// The signals that the loop turns into events.
package enum Signal: CaseIterable, Sendable {
    /// SIGINT: Control-C.
    case interrupt
    /// SIGTERM: the service manager wants an orderly end.
    case terminate
    /// SIGHUP: read the configuration again.
    case hangup
    /// SIGUSR1: free for the operator.
    case user1

    fileprivate init?(number: Int32) {
        switch number {
        case SIGINT: self = .interrupt
        case SIGTERM: self = .terminate
        case SIGHUP: self = .hangup
        case SIGUSR1: self = .user1
        default: return nil
        }
    }
}

extension EventLoop {
    /// Turns SIGINT, SIGTERM, SIGHUP and SIGUSR1 into `signalled`, and ignores SIGPIPE. Call it once, on the loop's
    /// thread, before other threads start: they inherit the mask that keeps the signals from killing the process.
    package func watchSignals() throws(ReactorError) {
        let descriptor = clinux_signals()
        guard descriptor >= 0 else { throw ReactorError(.signalfd, code: -descriptor) }
        _ = try register(descriptor, .signals)
    }

    /// Tells all signals that arrived; each kind waits once at most.
    func tellSignals(_ index: Int, _ handler: some LoopHandler) {
        for _ in Signal.allCases {
            let number = clinux_next_signal(table[index].descriptor)
            guard number > 0 else { return }
            if let signal = Signal(number: number) { handler.signalled(signal, now: now) }
        }
    }
}
