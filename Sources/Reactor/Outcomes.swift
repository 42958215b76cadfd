/// What `EventLoop.read` found.
@frozen
package enum ReadOutcome: Equatable {
    /// So many bytes are in the buffer, at least one.
    case bytes(Int)
    /// Nothing is there now; `readable` will say when.
    case wouldBlock
    /// The peer will send no more. Close the connection.
    case ended
    /// The connection broke (ECONNRESET, ETIMEDOUT, …) or the token is no open connection (EBADF). Close it.
    case failed(ReactorError)
}

/// What `EventLoop.write` did.
@frozen
package enum WriteOutcome: Equatable {
    /// The system took so many bytes. If they were not all, `writable` will be called when it takes more.
    case wrote(Int)
    /// The connection broke (EPIPE, ECONNRESET, …) or the token is no open connection (EBADF). Close it.
    case failed(ReactorError)
}

/// What happened so far, for metrics. All counts only grow.
package struct ReactorCounters: Equatable, Sendable {
    /// Connections handed to the handler.
    package var accepted: UInt64 = 0
    /// Times a listener rested for want of descriptors or memory.
    package var acceptPauses: UInt64 = 0
    /// Connections whose peer did not close within the linger time and that were cut off.
    package var lingersCut: UInt64 = 0
    /// Events for sockets that were closed earlier in the same turn.
    package var staleEvents: UInt64 = 0
    /// Datagrams handed to the handler.
    package var datagramsReceived: UInt64 = 0
    /// Datagrams that the system dropped because the receive buffer was full (SO_RXQ_OVFL).
    package var datagramsOverflowed: UInt64 = 0
    /// Datagrams ignored because nobody could be answered: source port 0.
    package var datagramsUnanswerable: UInt64 = 0
    /// Errors that an earlier datagram caused and that a receive reported.
    package var receiveErrors: UInt64 = 0
    /// Datagrams that the system took.
    package var datagramsSent: UInt64 = 0
    /// Datagrams that the system refused: unreachable, too long, forbidden.
    package var datagramsRefused: UInt64 = 0
}
