internal import CSQLite

/// One connection to a database file: thin over SQLite's C interface. It belongs to one thread.
package final class Database {
    private let handle: OpaquePointer
    private var statements: [Statement] = []

    /// Opens the file, and makes it if there is none; `:memory:` for none at all.
    package init(path: String) throws(DatabaseError) {
        var handle: OpaquePointer?
        // No mutex: one thread alone speaks to it.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            let words = handle.map { Self.words($0) } ?? "no memory for a database connection"
            sqlite3_close(handle)
            throw DatabaseError(code: code, words: words)
        }
        self.handle = handle
        logPagesMemory.initialize(to: 0)
    }

    deinit {
        close()
        logPagesMemory.deallocate()
    }

    private var isClosed = false
    /// Pages in the write-ahead log, as the last commit left it.
    private let logPagesMemory = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

    /// Pages in the write-ahead log after the last commit; 0 before the first, and without `watchLog`.
    var logPages: Int32 { logPagesMemory.pointee }

    /// Has SQLite tell how long the log is.
    func watchLog() {
        let note: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?, UnsafePointer<CChar>?, Int32) -> Int32 = {
            memory, _, _, pages in
            memory?.assumingMemoryBound(to: Int32.self).pointee = pages
            return SQLITE_OK
        }
        sqlite3_wal_hook(handle, note, logPagesMemory)
    }

    /// Fails if the file can only be read, which SQLite is content with until something is written.
    func refuseReadOnly() throws(DatabaseError) {
        guard sqlite3_db_readonly(handle, "main") == 0 else {
            throw DatabaseError(code: SQLITE_READONLY, words: "the file cannot be written to")
        }
    }

    /// How many rows the last statement has written.
    var changes: Int { Int(sqlite3_changes(handle)) }

    /// From now on nothing is written by this connection, not even the log back into the database at its end.
    func readOnly() throws(DatabaseError) {
        try check(csqlite_keep_log(handle, 1))
        try execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON")
    }

    /// Ends the connection; nothing of it may be used afterwards. Twice is as once.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        for statement in statements { statement.finalize() }
        sqlite3_close(handle)
    }

    /// Runs statements without parameters, whose rows nobody wants.
    package func execute(_ sql: String) throws(DatabaseError) {
        try check(sqlite3_exec(handle, sql, nil, nil, nil))
    }

    /// A statement to be run many times. The database keeps it until it is closed.
    package func prepare(_ sql: String) throws(DatabaseError) -> Statement {
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil))
        guard let statement else { throw DatabaseError(code: SQLITE_MISUSE, words: "an empty statement") }
        let prepared = Statement(statement, of: handle)
        statements.append(prepared)
        return prepared
    }

    /// The first column of the only row that a statement answers with, such as a pragma.
    package func integer(_ sql: String) throws(DatabaseError) -> Int64 {
        let statement = try prepare(sql)
        defer {
            statement.finalize()
            statements.removeLast()
        }
        return try statement.next() ? statement.integer(0) : 0
    }

    /// The first column of the first row of an answer, as text; empty if there is none.
    func text(_ sql: String) throws(DatabaseError) -> String {
        let statement = try prepare(sql)
        defer {
            statement.finalize()
            statements.removeLast()
        }
        return try statement.next() ? statement.text(0) : ""
    }

    /// Runs `body` as one transaction: all of it or, when it throws, nothing.
    package func transaction(_ body: () throws(DatabaseError) -> Void) throws(DatabaseError) {
        try execute("BEGIN IMMEDIATE")
        do {
            try body()
            try execute("COMMIT")
        } catch {
            // SQLite has undone it by itself after some errors; then there is nothing to undo.
            if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
            throw error
        }
    }

    private func check(_ code: Int32) throws(DatabaseError) {
        guard code != SQLITE_OK else { return }
        throw DatabaseError(code: code, words: Self.words(handle))
    }

    fileprivate static func words(_ handle: OpaquePointer) -> String {
        sqlite3_errmsg(handle).map { String(cString: $0) } ?? "unknown"
    }
}

extension DatabaseError {
    init(_ code: Int32, of handle: OpaquePointer) {
        self.init(code: code, words: Database.words(handle))
    }
}
