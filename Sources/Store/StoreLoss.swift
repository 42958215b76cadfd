/// What could be read of one table of a damaged database, or what else is to be said of it.
package struct StoreLoss: Equatable, CustomStringConvertible {
    /// The table; empty for what concerns the whole database.
    package let table: String
    /// Rows that are in the new database.
    package let kept: Int
    /// Where reading stopped and why; empty if it came to the end.
    package let words: String

    package var description: String {
        if table.isEmpty { return words }
        return words.isEmpty ? "\(table): all \(kept) rows kept" : "\(table): \(kept) rows kept; \(words)"
    }
}

extension StoreLoss {
    /// Notes losses in the new database, so that they are told even if this start of the gateway is its last.
    static func write(_ losses: [StoreLoss], to database: Database) throws(DatabaseError) {
        try database.execute("CREATE TABLE salvage (place INTEGER PRIMARY KEY, name BLOB, kept INTEGER, words BLOB)")
        let insert = try database.prepare("INSERT INTO salvage VALUES (NULL, ?, ?, ?)")
        for loss in losses {
            insert.bind(1, text: loss.table)
            insert.bind(2, Int64(loss.kept))
            insert.bind(3, text: loss.words)
            try insert.run()
        }
    }

    /// What a salvage has left to be told.
    static func read(from database: Database) throws(DatabaseError) -> [StoreLoss] {
        guard try database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'salvage'") > 0 else { return [] }
        let rows = try database.prepare("SELECT name, kept, words FROM salvage ORDER BY place")
        defer { rows.reset() }
        var losses: [StoreLoss] = []
        while try rows.next() {
            losses.append(StoreLoss(table: rows.text(0), kept: Int(rows.integer(1)), words: rows.text(2)))
        }
        return losses
    }

    /// It was told.
    static func forget(in database: Database) throws(DatabaseError) {
        try database.execute("DROP TABLE IF EXISTS salvage")
    }
}
