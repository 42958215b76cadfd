internal import CLinux
package import Clockwork
internal import Glibc
package import Messaging

/// What a loop bounds, so that no peer can keep it from the others.
package struct LoopLimits: Sendable {
    /// Connections taken from one listener in one turn.
    package var acceptsPerTurn = 64
    /// How many sockets the loop has at most: at this many its listeners rest, while the process still has descriptors
    /// for what is not a connection, such as files of the store and of the configuration.
    package var socketsMax = Int.max
    /// How long a listener rests when descriptors ran out and none of ours was closed.
    package var acceptPause = Duration.seconds(1)
    /// How long `finish` waits for the peer to close.
    package var lingerMax = Duration.seconds(2)
    /// How many bytes a peer may send meanwhile, at most 2^31.
    package var lingerBytesMax = 1 << 20
    /// How many connections may be closing in order at once; beyond that the oldest is cut off.
    package var lingersMax = 1024
    /// How many bytes one of them may still have to send.
    package var lingerUnsentBytesMax = 1 << 20
    /// How many bytes all of them together may still have to send.
    package var lingersUnsentBytesMax = 16 << 20

    package init() {}
}

/// One thread's loop: it waits for sockets, signals, mail and the next deadline, tells the handler, and lets it flush.
///
/// The loop owns every descriptor and hands out `Token`s. A call with the token of a socket that is gone, or of the
/// wrong kind, does nothing or answers EBADF. Nothing here knows what the bytes mean.
///
/// Readiness is level-triggered: what a bounded read leaves behind is announced again, so that fairness needs no list
/// of our own. EPOLLOUT is asked for only while output is stuck, so a message costs no `epoll_ctl`
/// (docs/adr/0001-own-reactor.md). Not for sharing between threads: `Mailbox` is the only door.
package final class EventLoop {
    /// Events taken from epoll in one turn.
    private static let eventsPerTurn = 256
    /// Errors of one UDP socket passed over in one turn.
    static let receiveErrorsPerTurn = 16

    /// What this loop bounds.
    package let limits: LoopLimits
    /// The time of this turn.
    package private(set) var now: Now
    /// What happened so far.
    package internal(set) var counters = ReactorCounters()

    /// How many connections are closing in order: `finish` was called, and the peer has not closed yet.
    package var lingering: Int { lingers.live }

    let epoll: Int32
    var table = SlotTable()
    var lingers = LingerQueue()
    var datagramSockets: [DatagramSocket] = []
    var mailboxes: [UInt32: AnyObject] = [:]
    let outbox: OpaquePointer
    /// Listeners that rest, and when they are tried again.
    var restingListeners: [Token] = []
    var restEnds = Instant(nanoseconds: .max)
    private let events: UnsafeMutablePointer<epoll_event>
    /// When the handler wants to be called. The first turn does not wait, so that the handler can say so.
    private var handlerDeadline: Deadline? = Instant(nanoseconds: 0)
    private var isStopped = false

    /// An empty loop.
    package init(limits: LoopLimits = LoopLimits()) throws(ReactorError) {
        self.limits = limits
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw ReactorError(.epoll_create1, code: errno) }
        guard let outbox = clinux_outbox_create() else {
            Glibc.close(epoll)
            throw ReactorError(.sendmmsg, code: ENOMEM)
        }
        self.outbox = outbox
        events = .allocate(capacity: EventLoop.eventsPerTurn)
        now = SystemClock.now()
    }

    deinit {
        for slot in table.slots where slot.kind != .free && slot.kind != .mailbox { Glibc.close(slot.descriptor) }
        Glibc.close(epoll)
        clinux_outbox_free(outbox)
        events.deallocate()
    }

    /// Turns until `stop` is called.
    package func run(_ handler: some LoopHandler) {
        isStopped = false
        while !isStopped { turn(handler) }
    }

    /// Lets `run` return at the end of this turn.
    package func stop() {
        isStopped = true
    }

    /// One turn: waits for an event, the deadline or `timeout` (nil: no limit), tells the handler, ends the turn.
    package func turn(_ handler: some LoopHandler, timeout: Duration? = nil) {
        let count = epoll_wait(epoll, events, Int32(EventLoop.eventsPerTurn), milliseconds(until: timeout))
        // A signal handler of somebody else's may interrupt; anything else would be our own mistake.
        precondition(count >= 0 || errno == EINTR, "epoll_wait: \(errno)")
        now = SystemClock.now()
        for index in 0..<max(Int(count), 0) { dispatch(events[index], handler) }
        cutLingers()
        if now.instant >= restEnds { resumeListeners() }
        handlerDeadline = handler.turnEnded(now: now)
    }

    /// How long to wait: up to the nearest deadline, rounded up so that the turn it starts does not come too early.
    private func milliseconds(until timeout: Duration?) -> Int32 {
        var end = min(handlerDeadline ?? Instant(nanoseconds: .max), min(lingers.nextDeadline, restEnds))
        if end.nanoseconds == .max && timeout == nil { return -1 }
        let present = SystemClock.monotonic()
        if let timeout { end = min(end, present + timeout) }
        guard end > present else { return 0 }
        return Int32(clamping: (end.nanoseconds - present.nanoseconds - 1) / 1_000_000 + 1)
    }

    private func dispatch(_ event: epoll_event, _ handler: some LoopHandler) {
        let token = Token(word: event.data.u64)
        guard table.isCurrent(token) else {
            counters.staleEvents += 1
            return
        }
        let index = Int(token.slot)
        // An error or hang-up is told by the next read, so it counts as input even while reading is paused.
        let hasInput = event.events & ~EPOLLOUT.rawValue != 0
        let hasRoom = event.events & EPOLLOUT.rawValue != 0
        switch table[index].kind {
        case .connection:
            if hasInput { handler.readable(token, now: now) }
            if hasRoom && offerRoom(token) { handler.writable(token, now: now) }
        case .datagrams:
            if hasInput { handler.datagramsReadable(token, now: now) }
            if hasRoom && offerRoom(token) { handler.datagramsWritable(token, now: now) }
        case .listener: acceptConnections(token, handler)
        case .lingering: linger(token, hasInput: hasInput, hasRoom: hasRoom)
        case .mailbox: handler.mailArrived(in: token, now: now)
        case .signals: tellSignals(index, handler)
        case .free: preconditionFailure("a current token names a free slot")
        }
    }

    /// Notes that a stuck socket has room. False if there is nobody to tell: the socket was closed by the call
    /// before, or the handler let the last offer pass, so that asking epoll further would spin.
    private func offerRoom(_ token: Token) -> Bool {
        let index = Int(token.slot)
        guard table.isOpen(token) else { return false }
        table[index].isBlocked = false
        if table[index].isOffered {
            setArmed(index, false)
            return false
        }
        table[index].isOffered = true
        return true
    }

    /// Closes any socket at once and frees its slot. A TCP peer that sent what nobody read gets a reset, which may
    /// cost it our last bytes: after a final packet use `finish`.
    package func close(_ socket: Token) {
        guard table.isOpen(socket) else { return }
        release(Int(socket.slot))
    }

    /// The address that a listener or UDP socket is bound to, with the real port where 0 was asked; nil for a dead
    /// token.
    package func localAddress(of socket: Token) -> PeerAddress? {
        guard table.isOpen(socket) else { return nil }
        return boundAddress(table[Int(socket.slot)].descriptor)
    }
}

/// The descriptors and what epoll is asked about them.
extension EventLoop {
    /// Takes a descriptor over; it is closed if epoll cannot take it.
    func register(_ descriptor: Int32, _ kind: SlotTable.Kind, detail: UInt32 = 0) throws(ReactorError) -> Token {
        let token = table.insert(descriptor, kind, detail: detail)
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.u64 = token.word
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
            let code = errno
            table.remove(Int(token.slot))
            if kind != .mailbox { Glibc.close(descriptor) }
            throw ReactorError(.epoll_ctl, code: code)
        }
        return token
    }

    /// Asks epoll for input unless paused, and for room if armed.
    func updateInterest(_ index: Int) {
        let slot = table[index]
        var event = epoll_event()
        event.events = (slot.isPaused ? 0 : EPOLLIN.rawValue) | (slot.isArmed ? EPOLLOUT.rawValue : 0)
        event.data.u64 = Token(slot: UInt32(index), generation: slot.generation).word
        let result = epoll_ctl(epoll, EPOLL_CTL_MOD, slot.descriptor, &event)
        precondition(result == 0, "epoll_ctl: \(errno)")
    }

    /// Begins or ends asking for room.
    func setArmed(_ index: Int, _ armed: Bool) {
        table[index].isOffered = false
        guard table[index].isArmed != armed else { return }
        table[index].isArmed = armed
        updateInterest(index)
    }

    /// Gives a descriptor back to the system, which also makes epoll forget it, and frees the slot.
    func release(_ index: Int) {
        let slot = table[index]
        switch slot.kind {
        case .mailbox:
            epoll_ctl(epoll, EPOLL_CTL_DEL, slot.descriptor, nil)
            mailboxes[UInt32(index)] = nil
        case .datagrams: datagramSockets[Int(slot.detail)].isOpen = false
        case .lingering: lingers.remove(index)
        case .free, .listener, .connection, .signals: break
        }
        if slot.kind != .mailbox { Glibc.close(slot.descriptor) }
        table.remove(index)
        // A descriptor is free again: whoever waits in a backlog may come in at the end of this turn.
        if !restingListeners.isEmpty { restEnds = now.instant }
    }

    func boundAddress(_ descriptor: Int32) -> PeerAddress? {
        var address = clinux_address()
        return clinux_local_address(descriptor, &address) == 0 ? PeerAddress(address) : nil
    }
}
