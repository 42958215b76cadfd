package import Bytes
package import Clockwork
internal import CLinux
package import Messaging

/// One thread's loop: it waits for sockets, signals, mail and the next deadline, tells the handler, and lets it flush.
///
/// The loop owns every descriptor and hands out `Token`s. A call with the token of a socket that is gone, or of the
/// wrong kind, does nothing (or answers EBADF). Nothing here knows what the bytes mean.
package final class EventLoop {
    /// How long a listener rests when descriptors ran out and none of ours was closed.
    package static var acceptPause: Duration { .seconds(1) }
    /// How long `finish` waits for the peer to close.
    package static var lingerMax: Duration { .seconds(2) }

    /// The time of this turn.
    package private(set) var now: Now
    package private(set) var counters = ReactorCounters()

    package init() throws(ReactorError) { fatalError() }

    /// Turns until `stop` is called.
    package func run(_ handler: some LoopHandler) { fatalError() }

    /// One turn: waits for events, the deadline or `timeout` (nil: no limit), tells the handler, ends the turn.
    package func turn(_ handler: some LoopHandler, timeout: Duration? = nil) { fatalError() }

    /// Lets `run` return after this turn.
    package func stop() { fatalError() }

    /// Closes any socket at once and frees its slot. A TCP peer that has sent what nobody read gets a reset, which
    /// may cost it our last bytes: after a final packet use `finish`.
    package func close(_ socket: Token) { fatalError() }

    /// The address that a listener or UDP socket is bound to, with the real port where 0 was asked.
    package func localAddress(of socket: Token) -> PeerAddress? { fatalError() }

    // MARK: TCP

    /// Listens for TCP connections on `address` (port 0: any). IPv6 listeners take no IPv4.
    package func listen(on address: PeerAddress, backlog: Int32 = 1024) throws(ReactorError) -> Token { fatalError() }

    /// Reads once, up to the size of `buffer`, which must not be empty.
    package func read(_ connection: Token, into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome { fatalError() }

    /// Writes as much as the system takes. While an earlier write is still stuck this costs no system call.
    package func write(_ connection: Token, _ bytes: ByteView) -> WriteOutcome { fatalError() }

    /// Stops or resumes reading: backpressure.
    package func setReading(_ connection: Token, _ enabled: Bool) { fatalError() }

    /// Closes in order, so that what was written reaches the peer: sends the end, discards what still comes in, and
    /// frees the descriptor when the peer closes or after `lingerMax`. The token is dead at once.
    package func finish(_ connection: Token) { fatalError() }

    // MARK: UDP

    /// Binds a UDP socket; `listener` is written into the path of each datagram.
    package func bindDatagrams(
        on address: PeerAddress, listener: UInt16 = 0, receiveBufferBytes: Int32 = 4 << 20
    ) throws(ReactorError) -> Token { fatalError() }

    /// Receives up to 64 datagrams; answers how many.
    package func receive(_ socket: Token, into inbox: DatagramInbox) -> Int { fatalError() }

    /// Sends the batch and forgets what was sent. What the system does not take now stays in the batch and
    /// `datagramsWritable` will be called.
    package func send(_ socket: Token, _ batch: DatagramBatch) { fatalError() }

    // MARK: Signals and mail

    /// Turns SIGINT, SIGTERM, SIGHUP and SIGUSR1 into `signalled` and ignores SIGPIPE. Call it on the loop's thread
    /// before others start, because they inherit the mask.
    package func watchSignals() throws(ReactorError) { fatalError() }

    /// Lets `mailbox` wake the loop; the loop keeps it until the token is closed.
    package func add<Message>(_ mailbox: Mailbox<Message>) throws(ReactorError) -> Token { fatalError() }
}

/// The addresses that a host name or numeric address means, at start-up only: it may ask the network.
package func resolve(host: String, port: UInt16) throws(ReactorError) -> [PeerAddress] { fatalError() }
