internal import Glibc
package import Journal

/// The directory of a gateway's database, `dormouse.db`, opened: what is in it, and who writes to it from now on.
package struct StoreDirectory {
    private let database: Database
    private let writer: StoreWriter

    /// Opens the database in a directory, and makes both if they are not there. They belong to one gateway: to open
    /// what another one has open is `.taken`.
    ///
    /// - Parameter isDurable: whether a commit waits for the disk (fsync), or only for the system.
    package init(path: String, isDurable: Bool) throws(DatabaseError) {
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw DatabaseError(code: 14, words: "cannot make \(path): \(String(cString: strerror(errno)))")
        }
        database = try Database(path: path + "/dormouse.db")
        writer = try StoreWriter(database, isDurable: isDurable)
    }

    /// Calls `body` for everything there is, as `StoreReader.read` does.
    package func read(_ body: (JournalRecord) -> Void) throws(DatabaseError) {
        try StoreReader(database).read(body)
    }

    /// As `StoreReader.lastingMessages`.
    package func lastingMessages() throws(DatabaseError) -> Set<UInt64> {
        try StoreReader(database).lastingMessages()
    }

    /// Gives the database to who writes to it.
    package func takeWriter() -> StoreWriter { writer }
}
