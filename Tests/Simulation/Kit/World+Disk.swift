internal import Bytes
internal import Clockwork
internal import Engine
internal import Journal
internal import Store

/// A disk that takes its time and may be full, and the gateway's database on it.
package struct Disk {
    /// The longest time that a commit takes.
    package var delay: Duration = .milliseconds(20)
    /// Whether there is no space: commits are tried again each second.
    package var isFull = false
    /// Whether the next commit fails, and with it everything until the gateway is started anew.
    package var failsNext = false
    /// How many batches were committed.
    package internal(set) var commits = 0

    let tables = MemoryTables()
    var onItsWay: JournalBatch?
    var isBlocked = false
    var hasFailed = false
    /// Counts the gateway's processes: what one was promised is nothing to the next.
    var life = 0

    package init() {}
}

/// Tables of SQLite that live as long as the world.
final class MemoryTables {
    private let opened: (database: Database, writer: StoreWriter)?

    init() {
        guard let database = try? Database(path: ":memory:") else {
            opened = nil
            return
        }
        opened = (try? StoreWriter(database, isDurable: false)).map { (database, $0) }
    }

    deinit { opened?.writer.close() }

    /// False if there are no tables, or they cannot take it: a fault.
    func write(_ batch: JournalBatch) -> Bool {
        guard let opened else { return false }
        return (try? opened.writer.write([batch])) != nil
    }

    /// Messages that were left to the tables alone.
    func load(_ serials: [UInt64]) -> [StoredMessage] {
        guard let opened, let loader = try? MessageLoader(opened.database) else { return [] }
        return serials.compactMap { try? loader.page(of: [$0]).first }
    }

    /// As `StoreReader.lastingMessages`.
    func lastingMessages() -> Set<UInt64>? {
        opened.flatMap { try? StoreReader($0.database).lastingMessages() }
    }

    func read(_ body: (JournalRecord) -> Void) -> Bool {
        guard let opened else { return false }
        return (try? StoreReader(opened.database).read(body)) != nil
    }
}

extension World {
    /// What the transport does with the store at the end of a turn.
    mutating func submitBatch() {
        readBack()
        guard disk != nil, disk?.onItsWay == nil, disk?.hasFailed == false, let batch = engine.takeBatch() else {
            return
        }
        disk?.onItsWay = batch
        scheduleDisk(after: random.duration(upTo: disk?.delay ?? .zero))
    }

    /// What the engine has left to the disk comes back with the next turn; from a failed disk nothing does.
    private mutating func readBack() {
        guard let disk, !disk.hasFailed else { return }
        let loads = engine.takeLoads()
        if !loads.isEmpty { engine.loaded(disk.tables.load(loads)) }
    }

    private mutating func scheduleDisk(after pause: Duration) {
        queue.add(.diskDone(life: disk?.life ?? 0), at: now + pause)
    }

    mutating func diskDone(life: Int) {
        guard let current = disk, current.life == life, let batch = current.onItsWay else { return }
        if current.failsNext {
            trace.note("failed", "disk", now)
            disk?.failsNext = false
            disk?.hasFailed = true
            return engine.storeChanged(.failed, now: time)
        }
        if current.isFull {
            if !current.isBlocked { engine.storeChanged(.blocked, now: time) }
            disk?.isBlocked = true
            return scheduleDisk(after: .seconds(1))
        }
        commit(batch)
        if current.isBlocked { engine.storeChanged(.ready, now: time) }
        disk?.isBlocked = false
        disk?.onItsWay = nil
        engine.committed(batch.number)
    }

    private mutating func commit(_ batch: JournalBatch) {
        if disk?.tables.write(batch) == false { faults.append("batch \(batch.number) cannot be written") }
        disk?.commits += 1
    }

    /// The gateway's process ends: what is on its way gets through, or not; after a farewell everything does.
    mutating func endDisk(isKilled: Bool) {
        guard let current = disk else { return }
        if let batch = current.onItsWay, !current.isFull, !current.hasFailed, !isKilled || random.chance(50) {
            commit(batch)
        }
        // As the transport does, which waits for the store before the last words are written.
        if !isKilled, !current.isFull, !current.hasFailed {
            if let batch = engine.takeBatch() { commit(batch) }
            engine.committed(.max)
            pump()
        }
        disk?.onItsWay = nil
        disk?.isBlocked = false
        disk?.hasFailed = false
        disk?.life += 1
    }

    /// Gives the new engine what the disk has.
    mutating func restoreEngine() {
        guard let disk else { return }
        var restorer = EngineRestorer(now: time, lasting: disk.tables.lastingMessages())
        let isRead = disk.tables.read { restorer.take($0, into: &engine) }
        restorer.finish(&engine)
        if !isRead || restorer.omitted > 0 { faults.append("\(restorer.omitted) records make no sense") }
    }
}
