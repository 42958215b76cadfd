package import Clockwork
package import Messaging

/// What an `EventLoop` tells its owner: readiness in, one call at the end of the turn for everything that goes out.
///
/// All calls come on the loop's thread. A socket that the handler closes gets no further calls, not even for
/// readiness that was already noticed in this turn. `now` is the same for all calls of one turn.
package protocol LoopHandler: AnyObject {
    /// A peer connected to `listener`. The connection is nonblocking, has TCP_NODELAY, and is read from now on;
    /// to refuse it, `finish` or `close` it.
    func accepted(_ connection: Token, from peer: PeerAddress, on listener: Token, now: Now)

    /// No descriptor or memory is left for new connections. The listener rests until one of ours is closed, or for
    /// `LoopLimits.acceptPause`; peers wait in its backlog meanwhile. Called once for each rest: log it.
    func acceptPaused(on listener: Token, because error: ReactorError, now: Now)

    /// Bytes, the end or an error wait: call `EventLoop.read` once. What is left is announced again next turn, so
    /// no connection keeps the loop from the others. After `.ended` or `.failed` the handler must close the
    /// connection. A broken connection is announced even while its reading is paused: read it or close it.
    func readable(_ connection: Token, now: Now)

    /// A connection whose last `write` was partial takes bytes again. Write now or in `turnEnded`.
    func writable(_ connection: Token, now: Now)

    /// Datagrams wait: call `EventLoop.receive` once.
    func datagramsReadable(_ socket: Token, now: Now)

    /// A socket that could not send its whole batch takes datagrams again. Send now or in `turnEnded`.
    func datagramsWritable(_ socket: Token, now: Now)

    /// Another thread posted to the mailbox added under `mailbox`: drain it.
    func mailArrived(in mailbox: Token, now: Now)

    /// The process was sent one of the watched signals.
    func signalled(_ signal: Signal, now: Now)

    /// All events of this turn were told, or the deadline was reached. Advance the engine, flush each output once,
    /// and say when to be called at the latest; nil if only an event can change anything.
    func turnEnded(now: Now) -> Deadline?
}
