package import Clockwork
package import Engine
package import Reactor
package import Store

/// What the engine wants kept goes to the store, a batch at a time: while one is on its way the next gathers (DESIGN
/// §5, docs/adr/0005-durability.md).
extension Server {
    /// The store of a server, as the loop knows it.
    struct Keeper {
        let thread: StoreThread
        let mailbox: Mailbox<StoreEvent>
        /// Whether a batch is on its way.
        var isBusy = false
        /// Connections that are not read until less waits for the disk.
        var resting: [Int] = []
    }

    /// Above how many bytes that wait for the disk connections rest: who writes fast then writes as fast as the disk.
    private static let restAbove = 8 << 20

    /// Gives the engine what an earlier one had. Before `keep`.
    package func restore(from store: StoreDirectory) throws(DatabaseError) -> Restoration {
        let started = SystemClock.monotonic()
        var restorer = EngineRestorer(now: loop.now, lasting: try store.lastingMessages())
        try store.read { restorer.take($0, into: &engine) }
        restorer.finish(&engine)
        return Restoration(
            holdings: engine.holdings, omitted: restorer.omitted, duration: SystemClock.monotonic().since(started))
    }

    /// Keeps what has to survive in this database from now on: after the engine was restored from it, and before
    /// `open`.
    ///
    /// - Parameter crashPoint: where the process is to kill itself, for tests.
    package func keep(
        in writer: StoreWriter, _ profile: StoreProfile, crashPoint: CrashPoint? = nil
    ) throws(DatabaseError) {
        let mailbox: Mailbox<StoreEvent>
        do throws(ReactorError) {
            mailbox = try Mailbox<StoreEvent>()
            _ = try loop.add(mailbox)
        } catch {
            throw DatabaseError(code: 1, words: error.description)
        }
        let thread = try StoreThread(writer, profile, crashPoint: crashPoint) { mailbox.post([$0]) }
        keeper = Keeper(thread: thread, mailbox: mailbox)
    }

    package func mailArrived(in mailbox: Token, now: Now) {
        takeStoreEvents(now)
        takePasswordOutcomes(now)
    }

    private func takeStoreEvents(_ now: Now) {
        for event in keeper?.mailbox.drain() ?? [] {
            switch event {
            case .committed(let batch):
                keeper?.isBusy = false
                engine.committed(batch)
            case .blocked: engine.storeChanged(.blocked, now: now)
            case .resumed: engine.storeChanged(.ready, now: now)
            case .failed: engine.storeChanged(.failed, now: now)
            case .loaded(let messages): engine.loaded(messages)
            }
            if let event = StoreReport(event) { report(.store(event)) }
        }
    }

    /// Hands what has gathered to the store, if that has nothing to do.
    func submitBatch(_ now: Now) {
        guard let keeper else { return }
        if !keeper.isBusy, let batch = engine.takeBatch() {
            self.keeper?.isBusy = true
            keeper.thread.submit(batch)
        }
        let loads = engine.takeLoads()
        if !loads.isEmpty { keeper.thread.load(loads) }
        engine.noteUnwritten(now: now)
        if !keeper.resting.isEmpty, !mustRest { wakeResting(now) }
    }

    // MARK: Who writes faster than the disk

    /// Whether so much waits for the disk that nothing more should be read for now.
    var mustRest: Bool { keeper != nil && engine.unwrittenSoFar() > Self.restAbove && !engine.refusesNow() }

    /// The connection is read again when less waits.
    func rest(_ slot: Int, _ token: Token) {
        keeper?.resting.append(slot)
        loop.setReading(token, false)
    }

    private func wakeResting(_ now: Now) {
        let resting = keeper?.resting ?? []
        keeper?.resting = []
        // Who waits in the backlog is told again by it.
        for slot in resting where !sockets[slot].isWaiting {
            if let token = sockets[slot].token { loop.setReading(token, true) }
        }
    }

    // MARK: The end

    /// Waits until everything is safe, or cannot be: the loop does nothing else any more.
    func finishStore(_ now: Now) {
        guard let keeper else { return }
        if let batch = engine.takeBatch() { keeper.thread.submit(batch) }
        keeper.thread.stop()
        takeStoreEvents(now)
    }
}

/// What was there when a gateway was started.
package struct Restoration: Equatable {
    package var holdings: Holdings
    /// Records that refer to something that is not there, or make no sense.
    package var omitted: Int
    package var duration: Duration
}

/// What the owner hears of the store.
package enum StoreReport: Equatable {
    /// There is no space: who wants something kept is refused.
    case blocked(DatabaseError)
    /// There is space again.
    case resumed
    /// The disk failed: who wants something kept is refused until the gateway is started anew.
    case failed(DatabaseError)

    fileprivate init?(_ event: StoreEvent) {
        switch event {
        case .committed, .loaded: return nil
        case .blocked(let error): self = .blocked(error)
        case .resumed: self = .resumed
        case .failed(let error): self = .failed(error)
        }
    }
}
