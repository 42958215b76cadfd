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
}
