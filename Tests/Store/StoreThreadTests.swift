import Bytes
import CFaults
import Foundation
import Journal
import Messaging
import Synchronization
import Testing

@testable import Store

@Suite struct StoreThreadTests {
    /// What a thread reports, and a place to wait for it.
    private final class Reports: Sendable {
        private let events = Mutex<[StoreEvent]>([])
        private let arrival = DispatchSemaphore(value: 0)

        func add(_ event: StoreEvent) {
            events.withLock { $0.append(event) }
            arrival.signal()
        }

        /// All events, once the condition holds; it must within ten seconds.
        func wait(until condition: ([StoreEvent]) -> Bool) -> [StoreEvent] {
            while true {
                let seen = events.withLock { $0 }
                if condition(seen) || arrival.wait(timeout: .now() + 10) == .timedOut { return seen }
            }
        }
    }

    private func batch(_ number: UInt64, payload count: Int = 1) -> JournalBatch {
        var journal = Journal(isOn: true)
        for _ in 1..<number {
            journal.append(.willGone(session: 0))
            _ = journal.takeBatch()
        }
        let payload = ByteString([UInt8](repeating: 7, count: count))
        payload.withView { payload in
            journal.append(
                .message(
                    MessageRecord(
                        serial: number, topic: .empty, properties: .empty, payload: payload, expiresAt: .max,
                        takenAt: 0, qos: .atLeastOnce, retain: false)))
        }
        return journal.takeBatch() ?? JournalBatch(number: number, bytes: [])
    }

    private func serials(_ path: String) throws -> [UInt64] {
        let database = try Database(path: path)
        defer { database.close() }
        _ = try StoreWriter(database, isDurable: false)
        var found: [UInt64] = []
        try StoreReader(database).read { record in
            if case .message(let message) = record { found.append(message.serial) }
        }
        return found
    }

    @Test(
        "Batches are committed in their order, several at a time, and are there afterwards",
        arguments: [StoreProfile.disk, .process])
    func order(profile: StoreProfile) throws {
        let folder = try StoreFolder()
        let reports = Reports()
        let thread = try StoreThread(
            try StoreWriter(try Database(path: folder.database), isDurable: profile == .disk), profile
        ) { reports.add($0) }
        for number in 1...200 as ClosedRange<UInt64> { thread.submit(batch(number)) }
        let events = reports.wait { $0.last == .committed(200) }
        thread.stop()
        let numbers = events.compactMap { event -> UInt64? in
            if case .committed(let number) = event { return number }
            return nil
        }
        #expect(numbers.count == events.count)
        #expect(numbers == numbers.sorted() && numbers.last == 200)
        #expect(try serials(folder.database) == Array(1...200))
    }

    @Test("What was handed over is committed before the thread ends")
    func stopping() throws {
        let folder = try StoreFolder()
        let reports = Reports()
        let thread = try StoreThread(
            try StoreWriter(try Database(path: folder.database), isDurable: false), .process
        ) { reports.add($0) }
        thread.submit(batch(1))
        thread.stop()
        thread.stop()
        #expect(reports.wait { _ in true } == [.committed(1)])
        #expect(try serials(folder.database) == [1])
    }

    // MARK: - Reading back

    /// Serial and length of what was read, -1 for what is not there.
    private func loaded(_ events: [StoreEvent]) -> [[(serial: UInt64, count: Int)]] {
        events.compactMap { event in
            guard case .loaded(let page) = event else { return nil }
            return page.map { message in
                var count = -1
                message.withBytes { if let bytes = $0 { count = bytes.properties.count + bytes.payload.count } }
                return (message.serial, count)
            }
        }
    }

    @Test(
        "What was asked for comes in that order, in pages of 64 messages and 256 KB, with what is missing told [M-102]",
        arguments: [
            (10, 64, [64]), (10, 65, [64, 1]), (100_000, 5, [3, 2]), (262_144, 2, [1, 1]), (262_143, 3, [2, 1]),
        ])
    func loading(bytes: Int, count: Int, pages: [Int]) throws {
        let folder = try StoreFolder()
        let reports = Reports()
        let thread = try StoreThread(
            try StoreWriter(try Database(path: folder.database), isDurable: false), .process
        ) { reports.add($0) }
        for number in 1...UInt64(count) { thread.submit(batch(number, payload: bytes)) }
        _ = reports.wait { $0.last == .committed(UInt64(count)) }
        let wanted = Array((1...UInt64(count)).reversed())
        thread.load(wanted)
        let events = reports.wait { loaded($0).joined().count == count }
        #expect(loaded(events).map(\.count) == pages)
        #expect(loaded(events).joined().map(\.serial) == wanted)
        #expect(loaded(events).joined().allSatisfy { $0.count == bytes })
        thread.load([7_000, 1])
        let last = loaded(reports.wait { loaded($0).joined().count == count + 2 }).last ?? []
        thread.stop()
        #expect(last.map(\.serial) == [7_000, 1])
        #expect(last.map(\.count) == [-1, bytes])
    }

    @Test("Properties and payload come back as they were, empty ones too")
    func bytes() {
        for (properties, payload) in [("ab", "cde"), ("", "x"), ("y", ""), ("", "")] as [(ByteString, ByteString)] {
            let message = properties.withView { properties in
                payload.withView { StoredMessage(serial: 1, properties: properties, payload: $0) }
            }
            message.withBytes { bytes in
                #expect(bytes.map { ByteString($0.properties) } == properties)
                #expect(bytes.map { ByteString($0.payload) } == payload)
            }
        }
    }

    @Test("Neither commits nor pages starve while both are asked for")
    func loadingMeanwhile() throws {
        let folder = try StoreFolder()
        let reports = Reports()
        let thread = try StoreThread(
            try StoreWriter(try Database(path: folder.database), isDurable: true), .disk
        ) { reports.add($0) }
        thread.submit(batch(1))
        _ = reports.wait { $0.last == .committed(1) }
        thread.load([UInt64](repeating: 1, count: 64 * 100))
        for number in 2...20 as ClosedRange<UInt64> {
            thread.submit(batch(number))
            // Each comes while pages are left, or after all of them: a page at most before it.
            _ = reports.wait { $0.contains(.committed(number)) }
        }
        let events = reports.wait { loaded($0).count == 100 }
        thread.stop()
        #expect(loaded(events).joined().count == 6_400)
    }

    @Test("A full disk is read all the same; after an error nothing is")
    func loadingInTrouble() throws {
        let folder = try StoreFolder()
        let reports = Reports()
        let writer = try StoreWriter(try Database(path: folder.database), isDurable: false)
        let thread = try StoreThread(writer, .process) { reports.add($0) }
        thread.submit(batch(1))
        _ = reports.wait { $0.last == .committed(1) }
        faults_disk(folder.path, DISK_WRITE, 0, .max, ENOSPC)
        thread.submit(batch(2))
        _ = reports.wait { $0.count == 2 }
        thread.load([1])
        #expect(loaded(reports.wait { loaded($0).count == 1 }).first?.map(\.count) == [1])
        faults_disk(folder.path, DISK_WRITE, 0, .max, EIO)
        thread.submit(batch(3))
        _ = reports.wait { if case .failed = $0.last { true } else { false } }
        faults_disk(folder.path, DISK_WRITE, 0, 0, 0)
        thread.load([1])
        thread.stop()
        #expect(loaded(reports.wait { _ in true }).count == 1)
    }

    @Test("A full disk is told once and tried again; when there is space everything is committed")
    func full() throws {
        let folder = try StoreFolder()
        let reports = Reports()
        let writer = try StoreWriter(try Database(path: folder.database), isDurable: false)
        let thread = try StoreThread(writer, .process) { event in
            // The next attempt finds space.
            if case .blocked = event { faults_disk(folder.path, DISK_WRITE, 0, 0, 0) }
            reports.add(event)
        }
        faults_disk(folder.path, DISK_WRITE, 0, .max, ENOSPC)
        thread.submit(batch(1))
        let events = reports.wait { $0.last == .committed(1) }
        thread.stop()
        #expect(events.count == 3)
        guard case .blocked(let error) = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(error.kind == .full)
        #expect(events.dropFirst() == [.resumed, .committed(1)])
        #expect(try serials(folder.database) == [1])
    }

    @Test("A log that cannot be written back for want of space is no failure, and shrinks when there is space [M-96]")
    func checkpointWithoutSpace() throws {
        let folder = try StoreFolder()
        let reports = Reports()
        // The log has space, the database has none.
        let thread = try StoreThread(
            try StoreWriter(try Database(path: folder.database), isDurable: true), .disk
        ) { reports.add($0) }
        thread.submit(batch(1))
        _ = reports.wait { $0.last == .committed(1) }
        faults_disk(folder.database + " ", DISK_WRITE, 0, .max, ENOSPC)
        for number in 2...60 as ClosedRange<UInt64> { thread.submit(batch(number, payload: 100_000)) }
        _ = reports.wait { $0.last == .committed(60) }
        let size = { (path: String) in
            (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        }
        #expect(size(folder.database + "-wal") > 5_900_000)
        faults_disk(folder.database + " ", DISK_WRITE, 0, 0, 0)
        for number in 61...160 as ClosedRange<UInt64> {
            thread.submit(batch(number, payload: 100_000))
            _ = reports.wait { $0.last == .committed(number) }
        }
        let events = reports.wait { _ in true }
        #expect(events.allSatisfy { if case .committed = $0 { true } else { false } })
        // What came then found room in the log's file.
        #expect(size(folder.database + "-wal") < 12_000_000)
        #expect(size(folder.database) > 5_900_000)
        thread.stop()
        #expect(try serials(folder.database) == Array(1...160))
    }

    @Test("With the profile process the disk has a commit a second later, however busy it is")
    func synchronising() throws {
        let folder = try StoreFolder()
        let reports = Reports()
        let thread = try StoreThread(
            try StoreWriter(try Database(path: folder.database), isDurable: false), .process
        ) { reports.add($0) }
        let size = { (try? Data(contentsOf: URL(fileURLWithPath: folder.database)).count) ?? 0 }
        let before = size()
        let deadline = Date(timeIntervalSinceNow: 10)
        var number: UInt64 = 0
        while size() == before, Date() < deadline {
            number += 1
            thread.submit(batch(number))
            _ = reports.wait { $0.last == .committed(number) }
        }
        thread.stop()
        #expect(Date() < deadline)
    }

    @Test(
        "After an error of the disk nothing is committed any more, and nothing is tried again",
        arguments: [(DISK_WRITE, EIO), (DISK_SYNC, EIO), (DISK_SYNC, ENOSPC)])
    func failing(call: disk_call, error: Int32) throws {
        let folder = try StoreFolder()
        let reports = Reports()
        let writer = try StoreWriter(try Database(path: folder.database), isDurable: true)
        let thread = try StoreThread(writer, .disk) { reports.add($0) }
        thread.submit(batch(1))
        _ = reports.wait { $0 == [.committed(1)] }
        faults_disk(folder.path, call, 0, 1, error)
        thread.submit(batch(2))
        let events = reports.wait { $0.count == 2 }
        thread.submit(batch(3))
        thread.stop()
        guard case .failed(let fault) = events.last else {
            Issue.record("\(events)")
            return
        }
        #expect(fault.kind == .failed)
        #expect(reports.wait { _ in true }.count == 2)
        // What was committed is there for the next start.
        #expect(try serials(folder.database).first == 1)
        #expect(try !serials(folder.database).contains(3))
    }
}
