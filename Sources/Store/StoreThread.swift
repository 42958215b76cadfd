internal import CLinux
internal import Glibc
package import Journal
internal import Synchronization

/// What has become of batches.
package enum StoreEvent: Equatable, Sendable {
    /// Everything up to this batch is as safe as the profile promises.
    case committed(UInt64)
    /// There is no space. It is tried again, each second; nothing that was not committed is lost.
    case blocked(DatabaseError)
    /// There is space again.
    case resumed
    /// The disk failed, or the database is damaged: nothing is committed any more until the gateway is started anew.
    case failed(DatabaseError)
    /// Messages that were asked for, in that order; the others follow.
    case loaded([StoredMessage])
}

/// What a commit waits for.
package enum StoreProfile: Sendable {
    /// For the disk: what is committed outlives the machine's power.
    case disk
    /// For the system: what is committed outlives the process, and the disk has it a second later.
    case process
}

/// The thread that owns the database: it takes batches from the loop, commits all that have gathered in one
/// transaction, and says so.
///
/// While one transaction is on its way to the disk the next batches gather: the slower the disk, the more share a
/// commit.
package final class StoreThread: Sendable {
    /// So many pages of 4 KB in the log are written back to the database. After that the log begins anew: its file is
    /// bounded by this and one transaction.
    static let checkpointPages: Int32 = 1_000
    /// Above so many pages in the log nothing is committed before they could be written back: a log that only grows
    /// would take the space that the database needs.
    static let logPagesMax: Int32 = 16_000

    private let inbox: Inbox
    private let thread: Mutex<pthread_t?>

    private struct Waiting: Sendable {
        var batches: [JournalBatch] = []
        /// Serials of messages that are to be read.
        var loads: [UInt64] = []
        var isStopping = false
    }

    /// Where the loop leaves batches.
    private final class Inbox: Sendable {
        let waiting = Mutex(Waiting())
        let descriptor: Int32

        init() throws(DatabaseError) {
            descriptor = clinux_eventfd()
            guard descriptor >= 0 else { throw DatabaseError(code: 1, words: "no descriptor for the store's thread") }
        }

        deinit { close(descriptor) }

        func wake() {
            var one: UInt64 = 1
            write(descriptor, &one, MemoryLayout<UInt64>.size)
        }

        /// What has come by then; waits for it up to `milliseconds`, -1 for ever.
        func take(waiting milliseconds: Int32) -> Waiting {
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = Glibc.poll(&poll, 1, milliseconds)
            var count: UInt64 = 0
            read(descriptor, &count, MemoryLayout<UInt64>.size)
            return waiting.withLock { waiting in
                defer {
                    waiting.batches = []
                    waiting.loads = []
                }
                return waiting
            }
        }
    }

    /// Starts the thread on a database that it then owns.
    ///
    /// - Parameters:
    ///   - crashPoint: where the process is to kill itself, for tests.
    ///   - report: called on that thread, in the order of events.
    package init(
        _ writer: consuming sending StoreWriter, _ profile: StoreProfile, crashPoint: CrashPoint? = nil,
        report: @escaping @Sendable (StoreEvent) -> Void
    ) throws(DatabaseError) {
        let inbox = try Inbox()
        self.inbox = inbox
        thread = Mutex(nil)
        let worker = Worker(
            inbox: inbox, writer: writer, profile: profile, crashPoint: crashPoint, report: report)
        var started = pthread_t()
        let code = pthread_create(
            &started, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Worker>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(worker).toOpaque())
        guard code == 0 else {
            throw DatabaseError(code: 1, words: "cannot start the store's thread (errno \(code))")
        }
        thread.withLock { $0 = started }
    }

    /// Hands a batch over. Their numbers must rise.
    package func submit(_ batch: JournalBatch) {
        inbox.waiting.withLock { $0.batches.append(batch) }
        inbox.wake()
    }

    /// Reads messages that were committed: `loaded` tells them in this order, a page at a time, between commits. After
    /// `failed` nothing is read any more.
    package func load(_ serials: [UInt64]) {
        inbox.waiting.withLock { $0.loads += serials }
        inbox.wake()
    }

    /// Commits what has been handed over, as far as the disk takes it, and ends the thread.
    package func stop() {
        inbox.waiting.withLock { $0.isStopping = true }
        inbox.wake()
        thread.withLock { thread in
            if let thread { pthread_join(thread, nil) }
            thread = nil
        }
    }

    /// What runs on the thread.
    private final class Worker {
        private let inbox: Inbox
        private let writer: StoreWriter
        private let profile: StoreProfile
        private let report: @Sendable (StoreEvent) -> Void
        private var crashPoint: CrashPoint?
        /// Taken and not committed.
        private var batches: [JournalBatch] = []
        /// Asked for and not read.
        private var loads: ArraySlice<UInt64> = []
        private var loader: MessageLoader?
        private var isBlocked = false
        private var hasFailed = false
        /// Since when there is something committed that the disk may not have, in milliseconds; nil for nothing.
        private var unsyncedSince: Int?
        /// How long the log is when it is written back next.
        private var checkpointAt = StoreThread.checkpointPages

        init(
            inbox: Inbox, writer: StoreWriter, profile: StoreProfile, crashPoint: CrashPoint?,
            report: @escaping @Sendable (StoreEvent) -> Void
        ) {
            self.inbox = inbox
            self.writer = writer
            self.profile = profile
            self.crashPoint = crashPoint
            self.report = report
        }

        func run() {
            var isStopping = false
            if writer.openDatabase == nil { makeDatabase() }
            while !isStopping {
                // A commit, a page, a commit: neither waits for more than one of the other.
                let taken = inbox.take(waiting: patience)
                isStopping = taken.isStopping
                if hasFailed { continue }
                batches += taken.batches
                loads += taken.loads
                if !batches.isEmpty { commit() } else if isBlocked { makeDatabase() }
                if !hasFailed, let unsyncedSince, Self.milliseconds() >= unsyncedSince + 1_000 { checkpoint() }
                if !loads.isEmpty, !hasFailed { readPage() }
            }
            if !hasFailed { checkpoint() }
            writer.close()
        }

        /// A new database on a full disk is made when there is space, and until then nothing can be kept.
        private func makeDatabase() {
            do throws(DatabaseError) {
                try writer.open()
            } catch {
                guard error.kind == .full else { return fail(error) }
                if !isBlocked { report(.blocked(error)) }
                isBlocked = true
                return
            }
            if isBlocked { report(.resumed) }
            isBlocked = false
        }

        /// How long nothing needs to be done unless something comes, in milliseconds; -1 for ever.
        private var patience: Int32 {
            if !loads.isEmpty { return 0 }
            if hasFailed { return -1 }
            let sync = unsyncedSince.map { Int32(clamping: max($0 + 1_000 - Self.milliseconds(), 0)) }
            return isBlocked ? min(sync ?? 1_000, 1_000) : sync ?? -1
        }

        private static func milliseconds() -> Int {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
        }

        private func commit() {
            crashPoint?.reached(.beforeCommit)
            do throws(DatabaseError) {
                if writer.logPages >= StoreThread.logPagesMax { try writer.checkpoint() }
                try writer.write(batches)
            } catch {
                guard error.kind == .full else { return fail(error) }
                if !isBlocked { report(.blocked(error)) }
                isBlocked = true
                return
            }
            crashPoint?.reached(.afterCommit)
            if isBlocked { report(.resumed) }
            isBlocked = false
            if profile == .process, unsyncedSince == nil { unsyncedSince = Self.milliseconds() }
            let last = batches[batches.count - 1].number
            batches = []
            report(.committed(last))
            crashPoint?.reached(.afterReport)
            if writer.logPages >= checkpointAt { checkpoint() }
        }

        private func readPage() {
            do throws(DatabaseError) {
                if loader == nil, let database = writer.openDatabase { loader = try MessageLoader(database) }
                let page = try loader?.page(of: loads) ?? []
                loads.removeFirst(page.count)
                if loads.isEmpty { loads = [] }
                report(.loaded(page))
            } catch {
                fail(error)
            }
        }

        private func checkpoint() {
            do throws(DatabaseError) {
                try writer.checkpoint()
                unsyncedSince = nil
                checkpointAt = StoreThread.checkpointPages
            } catch {
                // A full disk is found out by the next commit, with something to lose; until then it is not asked
                // each time.
                checkpointAt = writer.logPages + StoreThread.checkpointPages
                if unsyncedSince != nil { unsyncedSince = Self.milliseconds() }
                if error.kind == .failed || error.kind == .damaged { fail(error) }
            }
        }

        private func fail(_ error: DatabaseError) {
            hasFailed = true
            report(.failed(error))
        }
    }
}
