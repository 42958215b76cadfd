/// Gets what can be read out of a damaged database, and sets that aside.
///
/// The order of steps is such that the gateway may end between any two of them: the rows are in a complete new
/// database before the damaged one loses its name, and it is never written to.
struct Salvage {
    let files: StoreFiles
    let unixSeconds: Int64
    /// Told of each step that is done; what it throws ends the salvage there, as a crash would.
    let passing: (Step) throws(DatabaseError) -> Void

    enum Step: CaseIterable {
        /// The new database has all rows, under a name that the next start overwrites.
        case built
        /// It has the name by which the next start goes on.
        case complete
        case logSetAside
        case databaseSetAside
        /// It is the database.
        case done
    }

    /// How many rows in a row may be known already before there is nothing new to be expected.
    private static let knownRowsMax = 100

    /// Makes a new database of what is readable.
    func run(_ fault: String) throws(DatabaseError) {
        try build(fault)
        try passing(.built)
        try files.rename(files.unfinished, to: files.salvaged)
        try files.sync()
        try passing(.complete)
        try finish()
    }

    /// Puts the new database into the place of the damaged one: the end of a salvage, now or of an earlier start.
    func finish() throws(DatabaseError) {
        guard try files.size(files.salvaged) != nil else { return }
        let aside = try nameAside()
        // Reading a database without a log leaves an empty one.
        switch try files.size(files.log) {
        case nil: break
        case 0: try files.remove(files.log)
        default: try files.rename(files.log, to: aside + "-wal")
        }
        try files.sync()
        try passing(.logSetAside)
        if try files.size(files.database) != nil { try files.rename(files.database, to: aside) }
        try files.sync()
        try passing(.databaseSetAside)
        try files.rename(files.salvaged, to: files.database)
        try files.sync()
        try passing(.done)
    }

    /// `dormouse.db.damaged-` and the time; nothing that is there is overwritten.
    private func nameAside() throws(DatabaseError) -> String {
        var time = unixSeconds
        while true {
            let name = "\(files.database).damaged-\(time)"
            let isFree = try files.size(name) == nil
            if isFree, try files.size(name + "-wal") == nil { return name }
            time += 1
        }
    }

    private func build(_ fault: String) throws(DatabaseError) {
        // To open a file of no bytes would begin a new database, and remove the log.
        let isThere = try (files.size(files.database) ?? 0) > 0
        let source = isThere ? try? Database(path: files.database) : nil
        defer { source?.close() }
        try? source?.readOnly()
        try files.make { fresh throws(DatabaseError) in
            let aside = "the database was damaged (\(fault)); it was set aside as \(try nameAside())"
            var losses = [StoreLoss(table: "", kept: 0, words: aside)]
            try fresh.transaction { () throws(DatabaseError) in
                for table in Schema.tables { losses.append(try copy(table, source, fresh)) }
                try StoreLoss.write(losses, to: fresh)
            }
        }
    }

    private func copy(
        _ table: Schema.Table, _ source: Database?, _ fresh: Database
    ) throws(DatabaseError) -> StoreLoss {
        let columns = try fresh.prepare("SELECT * FROM \(table.name)").columns
        let values = Array(repeating: "?", count: columns).joined(separator: ", ")
        let insert = try fresh.prepare("INSERT OR IGNORE INTO \(table.name) VALUES (\(values))")
        func run(_ sql: String) throws(DatabaseError) -> (kept: Int, fault: String?) {
            guard let source else { return (0, "the file cannot be opened") }
            let rows: Statement
            do { rows = try source.prepare(sql) } catch { return (0, error.words) }
            guard rows.columns == columns else { return (0, "the table has other columns") }
            defer { rows.reset() }
            var kept = 0
            var known = 0
            while known < Self.knownRowsMax {
                do { guard try rows.next() else { return (kept, nil) } } catch { return (kept, error.words) }
                insert.bindColumns(of: rows)
                try insert.run()
                known = fresh.changes > 0 ? 0 : known + 1
                kept += fresh.changes
            }
            return (kept, "rows come again and again")
        }
        let upward = try run("SELECT * FROM \(table.name) ORDER BY \(table.ascending)")
        guard let fault = upward.fault else { return StoreLoss(table: table.name, kept: upward.kept, words: "") }
        let downward = try run("SELECT * FROM \(table.name) ORDER BY \(table.descending)")
        return StoreLoss(
            table: table.name, kept: upward.kept + downward.kept,
            words: "reading stopped behind \(upward.kept) rows from the beginning and \(downward.kept) from the end "
                + "(\(fault))")
    }
}
