import Bytes
import Clockwork
import Foundation
import Journal
import Messaging
import Testing

@testable import Store

@Suite struct StoreTests {
    private static func batch(_ records: [JournalRecord]) -> JournalBatch {
        var journal = Journal(isOn: true)
        for record in records { journal.append(record) }
        return journal.takeBatch() ?? JournalBatch(number: 1, bytes: [])
    }

    private static func contents(_ database: Database) throws -> Set<String> {
        var found: [String] = []
        try StoreReader(database).read { found.append(StoreModel.words($0)) }
        #expect(Set(found).count == found.count)
        return Set(found)
    }

    @Test("What was written is there when the file is opened again", arguments: [true, false])
    func reopening(isDurable: Bool) throws {
        let folder = try StoreFolder()
        var model = StoreModel()
        do {
            let database = try Database(path: folder.database)
            defer { database.close() }
            let writer = try StoreWriter(database, isDurable: isDurable)
            try StoreModel.withRecords(seed: 1, count: 300) { records in
                try writer.write([Self.batch(Array(records[..<150])), Self.batch(Array(records[150...]))])
                for record in records { model.apply(record) }
            }
            try writer.checkpoint()
        }
        let database = try Database(path: folder.database)
        defer { database.close() }
        _ = try StoreWriter(database, isDurable: isDurable)
        #expect(try Self.contents(database) == model.contents)
        #expect(!model.contents.isEmpty)
    }

    @Test("Whatever is written, the tables hold what a naive model holds", arguments: 1...20 as ClosedRange<UInt64>)
    func model(seed: UInt64) throws {
        let database = try Database(path: ":memory:")
        defer { database.close() }
        let writer = try StoreWriter(database, isDurable: false)
        var model = StoreModel()
        try StoreModel.withRecords(seed: seed, count: 400) { records in
            for start in stride(from: 0, to: records.count, by: 40) {
                let part = Array(records[start..<min(start + 40, records.count)])
                try writer.write([Self.batch(part)])
                for record in part { model.apply(record) }
                #expect(try Self.contents(database) == model.contents)
            }
        }
    }

    @Test("What cancels within a transaction is not asked of SQLite")
    func cancelling() throws {
        let database = try Database(path: ":memory:")
        defer { database.close() }
        let writer = try StoreWriter(database, isDurable: false)
        let message = MessageRecord(
            serial: 9, topic: .empty, properties: .empty, payload: .empty, expiresAt: .max, takenAt: 0,
            qos: .atLeastOnce, retain: false)
        let delivery = DeliveryRecord(
            session: 1, sequence: 4, serial: 9, packetIdentifier: 0, qos: .atLeastOnce, retain: false, group: .empty,
            identifiers: .empty)
        let all: [JournalRecord] = [
            .message(message), .received(session: 2, packetIdentifier: 7, serial: 9, retain: false),
            .delivery(delivery), .started(session: 1, sequence: 4, packetIdentifier: 3),
            .released(session: 1, sequence: 4),
            .receivedGone(session: 2, packetIdentifier: 7), .deliveryGone(session: 1, sequence: 4),
            .messageGone(serial: 9),
        ]
        try writer.write([Self.batch(all)])
        #expect(writer.leftOut == 8)
        #expect(try Self.contents(database) == [])

        // What was committed before has to be taken away.
        try writer.write([Self.batch(Array(all[..<4]))])
        #expect(writer.leftOut == 1)
        try writer.write([Self.batch(Array(all[4...]))])
        #expect(writer.leftOut == 1)
        #expect(try Self.contents(database) == [])
    }

    @Test("A slot that is taken again within a transaction has what came last", arguments: [false, true])
    func slots(hadRows: Bool) throws {
        let database = try Database(path: ":memory:")
        defer { database.close() }
        let writer = try StoreWriter(database, isDurable: false)
        func session(_ expiry: UInt32) -> JournalRecord {
            .session(
                SessionRecord(
                    session: 1, clientID: .empty, userName: nil, expiryInterval: expiry, awaySince: nil,
                    isDevice: false))
        }
        func delivery(_ sequence: UInt64, _ serial: UInt64) -> JournalRecord {
            .delivery(
                DeliveryRecord(
                    session: 1, sequence: sequence, serial: serial, packetIdentifier: 0, qos: .exactlyOnce,
                    retain: false, group: .empty, identifiers: .empty))
        }
        let hold = JournalRecord.received(session: 1, packetIdentifier: 5, serial: 3, retain: false)
        var model = StoreModel()
        let turns: [[JournalRecord]] = [
            hadRows ? [session(1), delivery(1, 1), delivery(2, 2), hold] : [],
            [
                session(2), delivery(3, 3), .sessionGone(session: 1), session(3), delivery(1, 4),
                .deliveryGone(session: 1, sequence: 2), .started(session: 1, sequence: 1, packetIdentifier: 9), hold,
            ],
            [.deliveryGone(session: 1, sequence: 1), .receivedGone(session: 1, packetIdentifier: 5)],
            [delivery(2, 6), .sessionGone(session: 1), delivery(1, 7), .deliveryGone(session: 1, sequence: 1)],
        ]
        for records in turns where !records.isEmpty {
            try writer.write([Self.batch(records)])
            for record in records { model.apply(record) }
            #expect(try Self.contents(database) == model.contents)
        }
        #expect(model.contents.isEmpty)
    }

    @Test(
        "Whether records come one by one or in one transaction, and over openings, the tables are the same",
        arguments: 100...160 as ClosedRange<UInt64>)
    func cancellingIsExact(seed: UInt64) throws {
        let folder = try StoreFolder()
        var database = try Database(path: folder.database)
        defer { database.close() }
        var writer = try StoreWriter(database, isDurable: false)
        let naive = try Database(path: ":memory:")
        defer { naive.close() }
        let naiveWriter = try StoreWriter(naive, isDurable: false)
        var leftOut = 0
        try StoreModel.withRecords(seed: seed, count: 300) { records in
            for start in stride(from: 0, to: records.count, by: 60) {
                let part = Array(records[start..<min(start + 60, records.count)])
                try writer.write([Self.batch(Array(part[..<20])), Self.batch(Array(part[20...]))])
                leftOut += writer.leftOut
                for record in part { try naiveWriter.write([Self.batch([record])]) }
                #expect(try Self.contents(database) == Self.contents(naive))
                guard start == 120 else { continue }
                writer.close()
                database = try Database(path: folder.database)
                writer = try StoreWriter(database, isDurable: false)
            }
        }
        #expect(leftOut > 30)
    }

    @Test("A transaction that fails writes nothing, and can be tried again when there is space")
    func full() throws {
        let folder = try StoreFolder()
        let database = try Database(path: folder.database)
        defer { database.close() }
        let writer = try StoreWriter(database, isDurable: false)
        let pages = try database.integer("PRAGMA page_count")
        _ = try database.integer("PRAGMA max_page_count = \(pages + 2)")
        let payload = ByteString([UInt8](repeating: 1, count: 100_000))
        try payload.withView { payload in
            let message = JournalRecord.message(
                MessageRecord(
                    serial: 7, topic: .empty, properties: .empty, payload: payload, expiresAt: .max, takenAt: 0,
                    qos: .atLeastOnce, retain: false))
            let batch = Self.batch([.sessionGone(session: 1), .retained(serial: 7, topic: .empty), message])
            let error = #expect(throws: DatabaseError.self) { try writer.write([batch]) }
            #expect(error?.kind == .full)
            #expect(try Self.contents(database) == [])
            _ = try database.integer("PRAGMA max_page_count = 100000")
            try writer.write([batch])
            #expect(try Self.contents(database).count == 2)
        }
    }

    @Test("A database that another process has open is taken")
    func taken() throws {
        let folder = try StoreFolder()
        let first = try Database(path: folder.database)
        defer { first.close() }
        _ = try StoreWriter(first, isDurable: false)
        let second = try Database(path: folder.database)
        defer { second.close() }
        let error = #expect(throws: DatabaseError.self) { try StoreWriter(second, isDurable: false) }
        #expect(error?.kind == .taken)
    }

    @Test("What is no database, or a newer one, is told apart")
    func damaged() throws {
        let folder = try StoreFolder()
        try Data(repeating: 0x55, count: 8_192).write(to: URL(fileURLWithPath: folder.database))
        let garbage = try Database(path: folder.database)
        defer { garbage.close() }
        let error = #expect(throws: DatabaseError.self) { try StoreWriter(garbage, isDurable: false) }
        #expect(error?.kind == .damaged)

        let newer = try Database(path: ":memory:")
        defer { newer.close() }
        try newer.execute("PRAGMA user_version = 99")
        let refusal = #expect(throws: DatabaseError.self) { try StoreWriter(newer, isDurable: false) }
        #expect(refusal?.words == "the database is of version 99, from a newer gateway; this one knows 1")
    }

    @Test("A place that nobody can write to is an error with SQLite's words")
    func noPlace() {
        let error = #expect(throws: DatabaseError.self) { try Database(path: "/nowhere/at/all.db") }
        #expect(error?.words == "unable to open database file")
        #expect(error?.kind == .failed)
    }
}
