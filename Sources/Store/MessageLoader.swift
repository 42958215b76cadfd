package import Journal

/// Reads the bytes of single messages back, a page at a time.
package final class MessageLoader {
    /// How many messages a page has at most, and how many bytes before it ends.
    package static let messagesMax = 64
    package static let bytesMax = 256 << 10

    private let find: Statement

    package init(_ database: Database) throws(DatabaseError) {
        find = try database.prepare("SELECT properties, payload FROM message WHERE serial = ?")
    }

    /// The first of these messages, in their order: one at least. A message that is not there is told as such.
    package func page(of serials: ArraySlice<UInt64>) throws(DatabaseError) -> [StoredMessage] {
        var page: [StoredMessage] = []
        var bytes = 0
        for serial in serials.prefix(Self.messagesMax) where bytes < Self.bytesMax {
            let message = try read(serial)
            bytes += message.byteCount
            page.append(message)
        }
        return page
    }

    private func read(_ serial: UInt64) throws(DatabaseError) -> StoredMessage {
        find.bind(1, Int64(bitPattern: serial))
        guard try find.next() else { return StoredMessage(missing: serial) }
        defer { find.reset() }
        return StoredMessage(serial: serial, properties: find.bytes(0), payload: find.bytes(1))
    }
}

extension StoreReader {
    /// The serials of messages that more than queues need: retained ones, and those held for their PUBREL.
    package func lastingMessages() throws(DatabaseError) -> Set<UInt64> {
        let statement = try database.prepare("SELECT serial FROM retained UNION SELECT serial FROM received")
        defer { statement.reset() }
        var serials: Set<UInt64> = []
        while try statement.next() { serials.insert(UInt64(bitPattern: statement.integer(0))) }
        return serials
    }
}
