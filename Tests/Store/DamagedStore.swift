import Bytes
import Foundation
import Journal
import Messaging

@testable import Store

/// The files of a database, to be damaged.
struct DamagedStore {
    var database: [UInt8]
    var log: [UInt8]?

    /// Messages with these serials, of 200 bytes each.
    static func batch(_ serials: ClosedRange<UInt64>) -> JournalBatch {
        var journal = Journal(isOn: true)
        defer { journal.deallocate() }
        ByteString([UInt8](repeating: 7, count: 200)).withView { payload in
            for serial in serials {
                journal.append(
                    .message(
                        MessageRecord(
                            serial: serial, topic: payload, properties: .empty, payload: .empty, expiresAt: .max,
                            takenAt: 0, qos: .atLeastOnce, retain: false)))
            }
        }
        return journal.takeBatch() ?? JournalBatch(number: 1, bytes: [])
    }

    static func fill(_ path: String, _ serials: ClosedRange<UInt64>) throws {
        let writer = try StoreDirectory(path: path, isDurable: true, unixSeconds: 0).takeWriter()
        try writer.write([batch(serials)])
        writer.close()
    }

    /// The serials of all messages.
    static func serials(_ path: String) throws -> [UInt64] {
        let store = try StoreDirectory(path: path, isDurable: true, unixSeconds: 1_800_000_000)
        defer { store.takeWriter().close() }
        return try serials(store)
    }

    static func serials(_ store: StoreDirectory) throws -> [UInt64] {
        var found: [UInt64] = []
        try store.read { if case .message(let message) = $0 { found.append(message.serial) } }
        return found
    }

    /// As the process leaves it that is killed with everything in the log, in transactions of a hundred.
    static func killed(_ serials: ClosedRange<UInt64>) throws -> DamagedStore {
        let folder = try StoreFolder()
        let writer = try StoreDirectory(path: folder.path, isDurable: true, unixSeconds: 0).takeWriter()
        defer { writer.close() }
        for first in stride(from: serials.lowerBound, through: serials.upperBound, by: 100) {
            try writer.write([batch(first...min(first + 99, serials.upperBound))])
        }
        return try DamagedStore(of: folder.path)
    }

    /// As a gateway leaves it that ends.
    static func closed(_ serials: ClosedRange<UInt64>) throws -> DamagedStore {
        let folder = try StoreFolder()
        try fill(folder.path, serials)
        return try DamagedStore(of: folder.path)
    }

    init(of path: String) throws {
        database = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path + "/dormouse.db")))
        log = (try? Data(contentsOf: URL(fileURLWithPath: path + "/dormouse.db-wal"))).map { [UInt8]($0) }
    }

    func copy(to path: String) throws {
        try Data(database).write(to: URL(fileURLWithPath: path + "/dormouse.db"))
        if let log { try Data(log).write(to: URL(fileURLWithPath: path + "/dormouse.db-wal")) }
    }
}
