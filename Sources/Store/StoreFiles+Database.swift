extension StoreFiles {
    /// Makes a database under the name `unfinished`, with `body` writing into its tables: complete and on the disk, or
    /// not at all.
    func make(_ body: (Database) throws(DatabaseError) -> Void) throws(DatabaseError) {
        for suffix in ["", "-wal", "-journal"] { try remove(unfinished + suffix) }
        do throws(DatabaseError) {
            try create(unfinished)
            let fresh = try Database(path: unfinished)
            defer { fresh.close() }
            // What fails is thrown away whole: nothing has to be undone.
            try fresh.execute(
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = FULL")
            try Schema.prepare(fresh)
            try body(fresh)
            try fresh.execute("PRAGMA journal_mode = WAL")
        } catch {
            try remove(unfinished)
            throw error
        }
    }

    /// Makes an empty database.
    func makeDatabase() throws(DatabaseError) {
        try make { _ in }
        try rename(unfinished, to: database)
        try sync()
    }

    /// What is wrong with the database, in words; nil if nothing is. It is not written to.
    func fault(isDurable: Bool) throws(DatabaseError) -> String? {
        if try size(database) == 0 { return "the file is empty" }
        let isLogThere = try (size(log) ?? 0) > 0
        let inspection = try LogInspection(path: log)
        // The transaction that was being written when the machine lost its power may be incomplete. It was promised to
        // nobody, unless promises do not wait for the disk.
        if inspection.lostCommits > (isDurable ? 1 : 0) {
            return "its log is faulty behind \(inspection.commits) transactions, and \(inspection.lostCommits) "
                + "more in it cannot be read"
        }
        do throws(DatabaseError) {
            let database = try Database(path: self.database)
            defer { database.close() }
            try database.refuseReadOnly()
            try database.readOnly()
            if isLogThere, try database.text("PRAGMA journal_mode") != "wal" { return "its header is faulty" }
            // Every database is made with its tables.
            for table in Schema.tables { _ = try database.prepare("SELECT * FROM \(table.name)") }
            if try database.integer("PRAGMA user_version") == 0 { return "it has no version" }
            let words = try database.text("PRAGMA quick_check(1)")
            // A heading comes on a line of its own.
            return words == "ok" ? nil : String(words.split(separator: "\n").last ?? "")
        } catch {
            guard error.kind == .damaged || error.isOfSchema else { throw error }
            return error.words
        }
    }
}
