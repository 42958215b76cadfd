internal import Bytes
internal import Clockwork
internal import ConnectionCore
internal import Engine
internal import Reactor
internal import SecureTransport
internal import WebSocket

/// What TLS adds between a connection's socket and all else.
extension Server {
    /// How much plaintext becomes records before they are written: what a socket may have waiting beside the
    /// connection's output.
    private static let sealedBytesMax = 64 << 10

    /// A connection of a secured listener begins with its handshake; nothing that comes is MQTT's before.
    func secure(_ slot: Int, on listener: Int, now: Now) {
        guard let context = securities[listener] else { return }
        sockets[slot].secure = SecureSession(context)
        guard sockets[slot].secure == nil else { return }
        // Without memory for a session nothing is said in clear instead.
        report(.turnedAway(sockets[slot].peer))
        forget(slot, now: now)
    }

    /// Whether a connection is at its handshake, which is dear: thousands at once must not keep everybody else waiting
    /// (attack case 89).
    func isShakingHands(_ slot: Int) -> Bool {
        guard let secure = sockets[slot].secure else { return false }
        return !secure.isEstablished && secure.end == nil
    }

    /// Bytes of a connection's socket, opened where they are sealed, on their way to the engine. Returns what they
    /// have cost, as `ReadPace` counts.
    func opened(_ bytes: UnsafeMutableRawBufferPointer, on slot: Int, now: Now) -> Int {
        guard let secure = sockets[slot].secure else { return received(bytes, on: slot, now: now) }
        let wasEstablished = secure.isEstablished
        records.truncate(to: 0)
        let input = secure.receive(
            ByteView(UnsafeRawBufferPointer(bytes)), into: plaintext, answering: &records, now: now)
        secureWork += UInt64(input.work)
        _ = writeRecords(slot, now: now)
        guard sockets[slot].token != nil else { return input.work }
        if !wasEstablished, let identity = secure.identity { noteIdentity(identity, secure, slot) }
        var work = input.work
        if input.count > 0 {
            work += received(UnsafeMutableRawBufferPointer(rebasing: plaintext[..<input.count]), on: slot, now: now)
        }
        // What came before the end is handled before it.
        if let end = secure.end, sockets[slot].rest.isEmpty { finish(slot, because: end, now: now) }
        return work
    }

    private func noteIdentity(_ identity: PeerIdentity, _ secure: SecureSession, _ slot: Int) {
        report(.secured(sockets[slot].peer, secure.words))
        guard let userName = identity.userName else { return }
        engine.connectionIdentified(slot, userName: userName)
    }

    /// The session has ended, or never began: its alert has gone out, and the engine hears of it.
    func finish(_ slot: Int, because end: SecureEnd, now: Now) {
        switch end {
        case .closedByPeer, .closed: drop(slot, because: .lost, now: now)
        case .handshakeFailed, .broken, .tooManyMessages: drop(slot, because: .carrier("TLS \(end)"), now: now)
        }
    }

    // MARK: To the socket

    /// Writes a connection's output as records, as much as the system takes: what it does not take is sealed already
    /// and waits, and meanwhile no more is sealed.
    func writeRecords(_ secure: SecureSession, _ slot: Int, _ token: Token, now: Now) {
        guard writeWaiting(slot, token, now: now), secure.isEstablished else { return }
        // What a written piece lets the broker send has its own turn.
        var left = engine.outputToWrite(of: slot).count
        while left > 0 || sockets[slot].webSocket?.hasOwnOutput == true {
            records.truncate(to: 0)
            let sealed = seal(secure, slot)
            guard sealed.isDone else { return forget(slot, now: now) }
            if sealed.count > 0 { engine.wrote(sealed.count, on: slot, now: now) }
            left -= sealed.count
            // The engine may have been told, and have ended the connection.
            guard !records.isEmpty, writeRecords(slot, now: now) else { return }
        }
    }

    /// Makes records of what the connection has to say; how many bytes of its output they are.
    private func seal(_ secure: SecureSession, _ slot: Int) -> (count: Int, isDone: Bool) {
        let output = engine.outputToWrite(of: slot)
        guard let webSocket = sockets[slot].webSocket else {
            let piece = output[0..<min(output.count, Self.sealedBytesMax)]
            return (piece.count, secure.send(piece, into: &records))
        }
        // A frame's head is gathered with its body: alone it would be a record of its own.
        gathered.truncate(to: 0)
        var count = 0
        while gathered.count < Self.sealedBytesMax {
            let pieces = webSocket.pieces(for: output.dropFirst(count))
            guard pieces.count > 0 else { break }
            for piece in [pieces.body, pieces.framing, pieces.nextBody] { gathered.append(piece) }
            count += webSocket.wrote(pieces.count)
        }
        return (count, secure.send(gathered.pending, into: &records))
    }

    /// Writes what was just sealed, behind what waits; what the system does not take waits too. False if nothing more
    /// is to be sealed for now.
    private func writeRecords(_ slot: Int, now: Now) -> Bool {
        guard let token = sockets[slot].token else { return false }
        guard !records.isEmpty else { return true }
        guard sockets[slot].records.isEmpty else {
            sockets[slot].records.append(records.pending)
            return true
        }
        switch loop.write(token, records.pending) {
        case .failed:
            forget(slot, now: now)
            return false
        case .wrote(let count):
            guard count < records.count else { return true }
            sockets[slot].records.append(records.pending.dropFirst(count))
            return false
        }
    }

    /// Writes records that the system has not taken before; false if some still wait.
    private func writeWaiting(_ slot: Int, _ token: Token, now: Now) -> Bool {
        guard !sockets[slot].records.isEmpty else { return true }
        switch loop.write(token, sockets[slot].records.pending) {
        case .failed:
            forget(slot, now: now)
            return false
        case .wrote(let count):
            sockets[slot].records.consume(count, keptBytesMax: 0)
            return sockets[slot].records.isEmpty
        }
    }

    // MARK: The end

    /// What is sealed and not sent, then `plain`, then the end, for somebody who sends it when the session is gone.
    func unsentRecords(of plain: [UInt8], _ secure: SecureSession, _ slot: Int, saysEnd: Bool) -> [UInt8] {
        records.truncate(to: 0)
        records.append(sockets[slot].records.pending)
        _ = plain.withUnsafeBytes { secure.send(ByteView($0), into: &records) }
        if saysEnd { secure.close(into: &records) }
        return Array(records.pending.memory)
    }

    /// Waits for the client's Close in what is sealed.
    static func lastWord(of webSocket: WebSocketLayer, in secure: SecureSession, now: Now) -> LastWord {
        { bytes in
            // Nothing can be answered any more.
            var answers = OutputBuffer()
            defer { answers.deallocate() }
            let room = bytes.count + SecureSession.recordBytesMax
            return withUnsafeTemporaryAllocation(byteCount: room, alignment: 16) { room in
                let view = ByteView(UnsafeRawBufferPointer(bytes))
                let count = secure.receive(view, into: room, answering: &answers, now: now).count
                _ = webSocket.receive(UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
                return webSocket.end != nil || secure.end != nil
            }
        }
    }
}

/// Connections that end before MQTT begins come in floods: their owner hears of a few one by one, and of the others
/// how many they were.
struct FailedHandshakes {
    /// How many are told one by one in `period`.
    static let toldMax = 20
    static let period: Duration = .seconds(10)

    private var told = 0
    private var untold = 0
    private var periodEnds = Instant(nanoseconds: 0)

    /// Whether one more is told.
    mutating func isTold(_ now: Now) -> Bool {
        if periodEnds <= now.instant, untold == 0 {
            periodEnds = now.instant + Self.period
            told = 0
        }
        guard told < Self.toldMax else {
            untold += 1
            return false
        }
        told += 1
        return true
    }

    /// How many were not told, once the period is over; nil for none.
    mutating func takeUntold(_ now: Now) -> Int? {
        guard untold > 0, periodEnds <= now.instant else { return nil }
        defer { untold = 0 }
        return untold
    }
}

extension Server {
    /// Tells the owner about a connection.
    func report(_ log: ConnectionLog, of slot: Int) {
        if case .ended(nil, .carrier) = log, !failedHandshakes.isTold(loop.now) { return }
        report(.connection(sockets[slot].peer, log))
    }

    func noteFailedHandshakes(_ now: Now) {
        if let count = failedHandshakes.takeUntold(now) { report(.handshakesFailed(count)) }
    }
}
