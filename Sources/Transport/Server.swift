internal import Bytes
package import Clockwork
internal import ConnectionCore
package import Engine
package import Messaging
package import Reactor
internal import SecureTransport
internal import Store
internal import WebSocket

/// The reactor's sockets and the engine, joined: the one place where bytes of the network meet the protocols.
///
/// Everything that arrives in a turn is handed to the engine; at the turn's end every connection with output is
/// written once and all datagrams leave together (DESIGN §3).
package final class Server: LoopHandler {
    package let loop: EventLoop
    /// On hot ways it is asked by calls that mutate: each other one copies it whole, reference by reference.
    package internal(set) var engine: Engine
    let report: (ServerEvent) -> Void

    /// Connections by the reactor's token slot, and the reverse.
    private var connectionOfToken: [Int32] = []
    var sockets: [Socket] = []
    /// What holds for the WebSockets that a listening token accepts; MQTT's own connections come by the others.
    private var webSocketRules: [UInt32: WebSocketRules] = [:]
    /// WebSockets that have something to write of their own in this turn.
    var stirred: [Int] = []
    /// What secures each listener; nil for nothing.
    var securities: [SecureContext?] = []
    /// Where records are gathered on their way to a socket, and plaintext on its way to them.
    var records = OutputBuffer()
    var gathered = OutputBuffer()
    /// Where the plaintext of one read goes.
    let plaintext = UnsafeMutableRawBufferPointer.allocate(
        byteCount: ReadPace.bytes.upperBound + SecureSession.recordBytesMax, alignment: 16)
    /// What securing has cost, in the unit of `Engine.workDone`.
    var secureWork: UInt64 = 0
    var failedHandshakes = FailedHandshakes()
    /// The listener that a listening token belongs to.
    private var listenerOfToken: [UInt32: UInt16] = [:]
    private var listeners: [Token] = []
    /// UDP sockets of the gateway.
    private(set) var ports: [DatagramPort] = []
    /// Multicast groups of the gateway, in the order of the listeners and of their plans.
    var groups: [GroupPort] = []

    private let readBuffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: ReadPace.bytes.upperBound, alignment: 16)
    private let inbox = DatagramInbox()
    private var dirty: [Int] = []
    /// Who waits for a part of a turn.
    var backlog = Backlog()
    /// Bytes that were read and wait for the engine.
    var restBytes = 0
    /// `workSoFar` when the turn began.
    private(set) var workBeforeTurn: UInt64 = 0
    /// Datagrams of which the owner knows that they were lost, and when it is told again at the soonest.
    var lostReported: UInt64 = 0
    var lostReportDue = Instant(nanoseconds: 0)
    /// Where what has to survive is kept; nil for nowhere.
    var keeper: Keeper?
    /// Where passwords are checked; nil where there are none.
    var passwordDesk: PasswordDesk?
    /// What SIGHUP asks for: on the loop's thread, between two events.
    package var whenHungUp: () -> Void = {}
    /// Whom the server tells that it lives.
    var heartbeat: Heartbeat?
    /// When the end no longer waits for peers to close; nil while the server serves.
    private(set) var stopsAt: Deadline?

    /// The socket of one connection.
    struct Socket {
        var token: Token?
        var peer: PeerAddress
        var pace = ReadPace.ofConnection
        /// What stands between the socket and all else; nil for nothing.
        var secure: SecureSession?
        /// Records that the system has not taken.
        var records = OutputBuffer()
        /// What stands between that, or the socket, and MQTT; nil for nothing.
        var webSocket: WebSocketLayer?
        /// What was read and does not fit the turn: bytes of MQTT.
        var rest = OutputBuffer()
        /// Whether the connection is in the backlog.
        var isWaiting = false
        /// Whether what was read last has cost much.
        var isDear = false
        /// How the connection ended, while the engine has not heard of it.
        var end: ConnectionEnd?
    }

    /// One bound UDP socket and what leaves by it.
    struct DatagramPort {
        var token: Token
        var listener: UInt16
        var isIPv4: Bool
        var batch: DatagramBatch
        var pace = ReadPace.ofDatagrams
    }

    /// - Parameter report: called on the loop's thread for everything worth a log line.
    package init(
        settings: EngineSettings, seed: UInt64, limits: LoopLimits = LoopLimits(),
        report: @escaping (ServerEvent) -> Void
    ) throws(ReactorError) {
        loop = try EventLoop(limits: limits)
        engine = Engine(settings: settings, seed: seed, now: loop.now)
        self.report = report
    }

    deinit {
        keeper?.thread.stop()
        engine.tearDown()
        for slot in sockets.indices {
            sockets[slot].rest.deallocate()
            sockets[slot].records.deallocate()
        }
        records.deallocate()
        gathered.deallocate()
        plaintext.deallocate()
        readBuffer.deallocate()
    }

    /// Opens the listeners; their numbers in the engine are their places in the list.
    /// - Returns: the addresses that are listened on, by listener.
    @discardableResult
    package func open(_ plans: [ListenerPlan]) throws(ReactorError) -> [[PeerAddress]] {
        var opened: [[PeerAddress]] = []
        for (index, plan) in plans.enumerated() {
            securities.append(plan.security)
            opened.append(try open(plan, listener: UInt16(index)))
            try joinGroups(plan, listener: UInt16(index))
        }
        engine.startServing(now: loop.now)
        return opened
    }

    private func open(_ plan: ListenerPlan, listener: UInt16) throws(ReactorError) -> [PeerAddress] {
        var opened: [PeerAddress] = []
        var fault: ReactorError?
        for wanted in plan.addresses {
            // With port 0 the second address of a pair takes the port that the system chose for the first.
            let address = wanted.port == 0 ? wanted.with(port: opened.first?.port ?? 0) : wanted
            do throws(ReactorError) {
                opened.append(try bind(plan.kind, address, listener: listener))
            } catch {
                guard plan.toleratesMissingFamily else { throw error }
                fault = error
                report(.skipped(plan.kind, error))
            }
        }
        if opened.isEmpty, let fault { throw fault }
        return opened
    }

    private func bind(
        _ kind: ListenerPlan.Kind, _ address: PeerAddress, listener: UInt16
    ) throws(ReactorError) -> PeerAddress {
        let token: Token
        switch kind {
        case .mqtt, .webSocket:
            token = try loop.listen(on: address)
            listenerOfToken[token.slot] = listener
            listeners.append(token)
            if case .webSocket(let rules) = kind { webSocketRules[token.slot] = rules }
        case .mqttsn:
            token = try loop.bindDatagrams(on: address, listener: listener)
            ports.append(
                DatagramPort(token: token, listener: listener, isIPv4: address.isIPv4, batch: DatagramBatch()))
        }
        let bound = loop.localAddress(of: token) ?? address
        report(.listening(kind, bound, isSecured: securities[Int(listener)] != nil))
        return bound
    }

    /// Runs until a signal or `stop` ends it.
    package func run() {
        loop.run(self)
    }

    /// Ends in order: every client is told, what waits is written, the sockets close.
    package func stop(now: Now) {
        guard stopsAt == nil else { return }
        stopsAt = now.instant + loop.limits.lingerMax
        report(.stopping)
        for listener in listeners { loop.close(listener) }
        engine.shutDown(now: now)
        finishStore(now)
        flush(now)
        for connection in sockets.indices { drop(connection, now: now) }
        stopWhenClosed(now)
    }

    /// The last packets shall reach their peers: a process that ends with unread input resets its connections.
    private func stopWhenClosed(_ now: Now) {
        guard let stopsAt, loop.lingering == 0 || stopsAt <= now.instant else { return }
        loop.stop()
    }

    // MARK: TCP

    package func accepted(_ connection: Token, from peer: PeerAddress, on listener: Token, now: Now) {
        guard let number = listenerOfToken[listener.slot],
            let slot = engine.connectionOpened(listener: number, now: now)
        else {
            report(.turnedAway(peer))
            return loop.close(connection)
        }
        while connectionOfToken.count <= Int(connection.slot) { connectionOfToken.append(-1) }
        connectionOfToken[Int(connection.slot)] = Int32(slot)
        while sockets.count <= slot { sockets.append(Socket(token: nil, peer: .unspecified)) }
        sockets[slot] = Socket(token: connection, peer: peer)
        sockets[slot].webSocket = webSocketRules[listener.slot].map { WebSocketLayer(rules: $0) }
        secure(slot, on: Int(number), now: now)
    }

    package func acceptPaused(on listener: Token, because error: ReactorError, now: Now) {
        report(.acceptPaused(error))
    }

    package func readable(_ connection: Token, now: Now) {
        guard let slot = slot(of: connection) else { return loop.close(connection) }
        readInTurn(slot, connection, now: now)
    }

    /// Reads once, whatever the turn has done already.
    func read(_ slot: Int, _ token: Token, now: Now) {
        let bytesMax = restBytes < TurnBudget.restBytesMax ? sockets[slot].pace.amount : ReadPace.bytes.lowerBound
        let room = UnsafeMutableRawBufferPointer(rebasing: readBuffer[..<bytesMax])
        switch loop.read(token, into: room) {
        case .bytes(let count):
            let work = opened(UnsafeMutableRawBufferPointer(rebasing: room[..<count]), on: slot, now: now)
            sockets[slot].pace.note(max(count - sockets[slot].rest.count, 1), work: work, within: ReadPace.bytes)
            noteWork(work, on: slot)
            // What so many receivers got is written before more is read, or it would pile up; and many writers in one
            // turn must not overrun a reader that reads well.
            if engine.takeMuchOutput() || work > ReadPace.workMax { writeOutputs(now) }
        case .wouldBlock: break
        case .ended, .failed: forget(slot, now: now)
        }
    }

    package func writable(_ connection: Token, now: Now) {
        guard let slot = slot(of: connection) else { return }
        write(slot, now: now)
    }

    private func slot(of token: Token) -> Int? {
        guard Int(token.slot) < connectionOfToken.count, connectionOfToken[Int(token.slot)] >= 0 else { return nil }
        let slot = Int(connectionOfToken[Int(token.slot)])
        return sockets[slot].token == token ? slot : nil
    }

    /// Writes a connection's output, as much as the system takes.
    func write(_ slot: Int, now: Now) {
        guard let token = sockets[slot].token else { return }
        if let secure = sockets[slot].secure { return writeRecords(secure, slot, token, now: now) }
        if let webSocket = sockets[slot].webSocket { return writeFrames(webSocket, slot, token, now: now) }
        let output = engine.outputToWrite(of: slot)
        guard !output.isEmpty else { return }
        switch loop.write(token, output) {
        case .wrote(let count): engine.wrote(count, on: slot, now: now)
        case .failed: forget(slot, now: now)
        }
    }

    /// The socket is of no more use: the engine hears of it and both numbers are free.
    func forget(_ slot: Int, now: Now) {
        guard let token = sockets[slot].token else { return }
        reportLogs()
        loop.close(token)
        release(slot, token)
        end(slot, because: .lost, now: now)
        reportLogs()
    }

    /// The engine is done with the connection: what was written still reaches the peer.
    func drop(_ slot: Int, because end: ConnectionEnd = .lost, now: Now) {
        let awaitsClose = writeClose(slot, now: now)
        guard let token = sockets[slot].token else { return }
        let lastWord = awaitsClose ? lastWord(of: slot, now: now) : nil
        loop.finish(token, unsent: unsent(slot, saysEnd: !awaitsClose), until: lastWord)
        release(slot, token)
        self.end(slot, because: end, now: now)
    }

    private func release(_ slot: Int, _ token: Token) {
        connectionOfToken[Int(token.slot)] = -1
        sockets[slot].token = nil
        sockets[slot].secure = nil
        sockets[slot].records.deallocate()
        sockets[slot].webSocket = nil
    }

    // MARK: UDP

    package func datagramsReadable(_ socket: Token, now: Now) {
        guard let port = ports.firstIndex(where: { $0.token == socket }) else {
            return groupReadable(socket, now: now)
        }
        let count = loop.receive(socket, most: ports[port].pace.amount, into: inbox)
        let before = engine.workSoFar()
        for index in 0..<count {
            engine.datagramReceived(inbox.bytes(index), from: inbox.path(index), now: now)
        }
        let work = Int(engine.workSoFar() - before)
        ports[port].pace.note(count, work: work, within: ReadPace.datagrams)
        if work > ReadPace.workMax { writeOutputs(now) }
    }

    private func groupReadable(_ socket: Token, now: Now) {
        guard let group = groups.first(where: { $0.token == socket }) else { return }
        for index in 0..<loop.receive(socket, into: inbox) {
            groupReceived(inbox.bytes(index), inbox.path(index), group, now: now)
        }
    }

    package func datagramsWritable(_ socket: Token, now: Now) {
        for port in ports where port.token == socket { loop.send(port.token, port.batch) }
    }

    private func sendDatagrams() {
        guard !engine.outbox.entries.isEmpty else { return }
        for entry in engine.outbox.entries {
            guard let port = port(for: entry.path) else { continue }
            let batch = ports[port].batch
            // A message to very many devices goes out in several batches: only a full socket may cost datagrams.
            if batch.isFull { loop.send(ports[port].token, batch) }
            batch.append(engine.outbox.bytes(of: entry), to: entry.path)
        }
        engine.clearOutbox()
        for port in ports where !port.batch.isEmpty { loop.send(port.token, port.batch) }
    }

    /// The socket of the listener and family that a datagram came in by.
    private func port(for path: DatagramPath) -> Int? {
        ports.firstIndex { $0.listener == path.listener && $0.isIPv4 == path.remote.isIPv4 }
    }

    // MARK: The turn

    package func signalled(_ signal: Signal, now: Now) {
        switch signal {
        case .interrupt, .terminate: stop(now: now)
        case .hangup: whenHungUp()
        case .user1: break
        }
    }

    package func turnEnded(now: Now) -> Deadline? {
        noteLostDatagrams(now)
        noteFailedHandshakes(now)
        if engine.statisticsAreDue(now) {
            engine.residentBytes = residentMemory()
            engine.datagramsLost = loop.counters.datagramsOverflowed
        }
        if let due = engine.deadline(), due <= now.instant { engine.advance(to: now) }
        serveBacklog(now: now)
        submitPasswordChecks(now)
        // The disk works while the sockets are written; what they let happen must not be left behind.
        submitBatch(now)
        flush(now)
        submitBatch(now)
        workBeforeTurn = workSoFar()
        beat(now)
        if let stopsAt {
            stopWhenClosed(now)
            return stopsAt
        }
        guard backlog.isEmpty else { return now.instant }
        guard let beat = heartbeat?.due else { return engine.deadline() }
        return min(engine.deadline() ?? beat, beat)
    }

    /// Everything that waits goes out. What a written output lets the broker send goes out in the same turn, up to a
    /// few rounds; the rest has its own turn.
    private func flush(_ now: Now) {
        for _ in 0..<4 {
            writeOutputs(now)
            if dirty.isEmpty { break }
        }
        sendDatagrams()
        sendMulticasts()
        reportLogs()
        for slot in engine.takeClosing() { drop(slot, now: now) }
    }

    func writeOutputs(_ now: Now) {
        engine.takeDirty(into: &dirty)
        for slot in dirty { write(slot, now: now) }
        for slot in stirred { write(slot, now: now) }
        stirred.removeAll(keepingCapacity: true)
    }

    func reportLogs() {
        guard !engine.logs.isEmpty else { return }
        for log in engine.takeLogs() {
            switch log {
            case .connection(let slot, let log): report(log, of: slot)
            case .device(let log): report(.device(log))
            case .subscription(let log): report(.subscription(log))
            case .queue(let log): report(.queue(log))
            }
        }
    }
}
