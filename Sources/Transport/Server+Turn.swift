internal import Bytes
internal import Clockwork
internal import ConnectionCore
internal import Engine
internal import Reactor
internal import SecureTransport
internal import WebSocket

/// The limits of a turn: what does not fit into it waits in the backlog.
extension Server {
    /// What this turn has cost so far.
    private var workOfTurn: UInt64 { workSoFar() - workBeforeTurn }

    /// What the engine has done, and the securing beside it.
    func workSoFar() -> UInt64 { engine.workSoFar() + secureWork }

    /// Reads a connection that is ready, unless the turn has had enough or the connection is known to be dear.
    func readInTurn(_ slot: Int, _ token: Token, now: Now) {
        // It is told again once it has left the backlog.
        guard !sockets[slot].isWaiting else { return }
        guard !mustRest else { return rest(slot, token) }
        guard !isDear(slot), workOfTurn < TurnBudget.events else { return wait(slot) }
        read(slot, token, now: now)
    }

    /// Hands MQTT's bytes to the engine, as many as fit a slice. The rest waits, and until it is done nothing more is
    /// read.
    func take(_ bytes: ByteView, on slot: Int, now: Now) {
        let left = engine.bytesReceived(bytes, on: slot, workMax: TurnBudget.slice, now: now)
        guard left > 0 else { return }
        sockets[slot].rest.append(bytes.dropFirst(bytes.count - left))
        restBytes += left
    }

    /// Notes what a read has cost; with a rest the connection goes on when it is its turn again.
    func noteWork(_ work: Int, on slot: Int) {
        sockets[slot].isDear = work > Int(TurnBudget.slice / 2)
        if !sockets[slot].rest.isEmpty { wait(slot) }
    }

    /// Whether a connection is served behind those that cost little: its packets go to very many, or it shakes hands.
    private func isDear(_ slot: Int) -> Bool { sockets[slot].isDear || isShakingHands(slot) }

    private func wait(_ slot: Int) {
        guard !sockets[slot].isWaiting else { return }
        sockets[slot].isWaiting = true
        let isDear = isDear(slot) || sockets[slot].end != nil
        // Very many dear ones that are told in each turn would crowd the others out.
        if isDear, let token = sockets[slot].token { loop.setReading(token, false) }
        backlog.append(slot, isDear: isDear)
    }

    /// Tells the engine that a connection's socket is gone: now, or behind what the connection still has in line, if
    /// this turn has had enough. Its number is used again only then.
    func end(_ slot: Int, because end: ConnectionEnd, now: Now) {
        guard !sockets[slot].isWaiting, workOfTurn < TurnBudget.events else {
            sockets[slot].end = end
            return wait(slot)
        }
        engine.connectionEnded(slot, because: end, now: now)
    }

    /// Serves who waits: those first who could not be read, then the dear ones, as far as the turn allows.
    func serveBacklog(now: Now) {
        guard !backlog.isEmpty else { return }
        let before = workSoFar()
        while workSoFar() - before < TurnBudget.unread, let slot = backlog.popUnread() { serve(slot, now: now) }
        repeat {
            guard let slot = backlog.popDear() else { return }
            serve(slot, now: now)
        } while workOfTurn < TurnBudget.whole
    }

    private func serve(_ slot: Int, now: Now) {
        sockets[slot].isWaiting = false
        if !sockets[slot].rest.isEmpty {
            takeRest(of: slot, now: now)
        } else if let token = sockets[slot].token {
            read(slot, token, now: now)
        }
        if engine.takeMuchOutput() { writeOutputs(now) }
        guard !sockets[slot].isWaiting else { return }
        if let token = sockets[slot].token { return loop.setReading(token, true) }
        guard let end = sockets[slot].end else { return }
        sockets[slot].end = nil
        engine.connectionEnded(slot, because: end, now: now)
        reportLogs()
    }

    private func takeRest(of slot: Int, now: Now) {
        let before = engine.workSoFar()
        let bytes = sockets[slot].rest.pending
        let left = engine.bytesReceived(bytes, on: slot, workMax: TurnBudget.slice, now: now)
        restBytes -= bytes.count - left
        sockets[slot].rest.consume(bytes.count - left, keptBytesMax: 0)
        noteWork(Int(engine.workSoFar() - before), on: slot)
        guard left == 0 else { return }
        if let end = sockets[slot].webSocket?.end { finish(slot, because: end, now: now) }
        if let end = sockets[slot].secure?.end { finish(slot, because: end, now: now) }
    }
}
