internal import BrokerCore
internal import Clockwork
internal import Engine

/// The end: everybody comes back, behaves and reads, and nothing may be left.
extension Swarm {
    mutating func finish() {
        note("the end begins")
        for client in clients.indices {
            clients[client].holdsAcknowledgements = false
            if let link = clients[client].link {
                for packet in clients[client].held { write(packet, on: link) }
            }
            clients[client].held = []
        }
        flush()
        pass(random.pick([0, 1, 20, 500]) * 1_000_000_000)
        for link in sockets.indices where sockets[link].isOpen && faults.isEmpty { cut(link) }
        pass(random.pick([0, 2, 50]) * 1_000_000_000)
        guard faults.isEmpty else { return }
        for client in clients.indices where model.session(of: clients[client].id) != nil {
            let expiry = Property.long(ID.sessionExpiry, 100)
            open(client, Connect(version: .v5, clientID: clients[client].id, cleanStart: false, properties: [expiry]))
        }
        flush()
        checkThatNothingIsLeft()
        lookAtRetained()
        checkTheSum()
    }

    private mutating func checkThatNothingIsLeft() {
        for session in model.sessions where session.link != nil {
            if !session.unfinished.isEmpty || !session.searches.isEmpty {
                faults.append("'\(text(session.clientID))' still waits for \(session.unfinished.count) messages")
            }
        }
    }

    /// A client that was never there asks for everything that is retained.
    private mutating func lookAtRetained() {
        guard faults.isEmpty else { return }
        clients.append(SwarmClient(id: Octets("verifier".utf8)))
        let verifier = clients.count - 1
        open(verifier, Connect(version: .v5, clientID: clients[verifier].id, cleanStart: true))
        guard let link = clients[verifier].link else { return }
        let everything = Request(filter: Octets("#".utf8), qos: min(2, plan.rules.qosMax))
        write(.subscribe(id: 1, [everything], identifier: nil), on: link)
        flush()
    }

    /// Each delivery that was owed was made, has expired, or was dropped and counted; the engine's own count is the
    /// same, and it holds nothing that nobody needs.
    private mutating func checkTheSum() {
        guard faults.isEmpty, mutation == nil else { return }
        faults += model.lostShared()
        let imbalance = engine.broker.ledgerImbalance
        if imbalance != 0 { faults.append("\(imbalance) deliveries are in no account of the engine's") }
        // What becomes of shared messages is the server's choice, and its own account.
        guard !plan.hasShared else { return }
        let tally = model.tally
        let waiting = model.sessions.reduce(0) { sum, session in
            sum + session.unfinished.count { !$0.wasSent }
        }
        let fates =
            tally.sentFirst + tally.expired + tally.droppedFull + tally.droppedSlow + tally.tooLarge
            + tally.discardedUnsent + waiting
        if tally.owed != fates { faults.append("\(tally.owed) deliveries owed, \(fates) accounted for: \(tally)") }
        let counters = engine.broker.counters
        // Retained messages that expire, or are too large, in their turn are counted by the engine alone.
        let notMade = Int(counters.droppedQueueFull + counters.droppedSlowLink + counters.droppedUndeliverable)
        let more = notMade - tally.droppedFull - tally.droppedSlow - tally.tooLarge - tally.tooLargeLater
        let moreExpired = Int(counters.expired) - tally.expired
        if more < 0 || moreExpired < 0 || !plan.hasRetain && more + moreExpired > 0 {
            faults.append("the engine counts \(notMade) dropped, \(counters.expired) expired: \(tally)")
        }
        if tally.droppedFull != Int(counters.droppedQueueFull) {
            faults.append("the engine counts \(counters.droppedQueueFull) that met a full queue: \(tally)")
        }
        // What turned out to be too long may have been counted as sent before.
        let sent = tally.sentFirst + tally.sentAgain
        if !(sent...sent + Int(counters.droppedUndeliverable)).contains(Int(counters.messagesSent.total)) {
            faults.append("the engine counts \(counters.messagesSent.total) sent: \(tally)")
        }
        let held = model.sessions.reduce(0) { sum, session in
            sum + session.received.count + session.unfinished.count { !$0.isReleased }
        }
        if engine.broker.gauges.heldMessages > held {
            faults.append("\(engine.broker.gauges.heldMessages) messages held, \(held) needed")
        }
    }
}
