package import Journal

/// The directory of a gateway's database, `dormouse.db`, opened: what is in it, and who writes to it from now on.
package struct StoreDirectory {
    private let writer: StoreWriter
    /// What a damaged database has lost, to be told to its owner: nothing for one that is sound.
    package let losses: [StoreLoss]

    /// Opens the database in a directory, and makes both if they are not there. They belong to one gateway: to open
    /// what another one has open is `.taken`.
    ///
    /// Of a damaged database what is readable is taken over, and the file is set aside [M-93]. On a full disk what is
    /// there can be read; if nothing is, the writer makes the database when there is space [M-94].
    ///
    /// - Parameters:
    ///   - isDurable: whether a commit waits for the disk (fsync), or only for the system.
    ///   - unixSeconds: the time, for the name of what is set aside.
    package init(path: String, isDurable: Bool, unixSeconds: Int64) throws(DatabaseError) {
        try self.init(path: path, isDurable: isDurable, unixSeconds: unixSeconds) { _ in }
    }

    /// - Parameter passing: told of each step of a salvage.
    init(
        path: String, isDurable: Bool, unixSeconds: Int64,
        passing: @escaping (Salvage.Step) throws(DatabaseError) -> Void
    ) throws(DatabaseError) {
        let files = try StoreFiles(path)
        let salvage = Salvage(files: files, unixSeconds: unixSeconds, passing: passing)
        try salvage.finish()
        if try files.size(files.database) != nil {
            if let fault = try files.fault(isDurable: isDurable) { try salvage.run(fault) }
        } else if try (files.size(files.log) ?? 0) > 0 {
            try salvage.run("there is its log alone")
        }
        writer = StoreWriter(files, isDurable: isDurable)
        do throws(DatabaseError) {
            try writer.open()
        } catch {
            // What is there is never passed over.
            let isNew = try files.size(files.database) == nil
            guard error.kind == .full, isNew else { throw error }
        }
        losses = try writer.losses()
    }

    /// Calls `body` for everything there is, as `StoreReader.read` does.
    package func read(_ body: (JournalRecord) -> Void) throws(DatabaseError) {
        guard let database = writer.openDatabase else { return }
        try StoreReader(database).read(body)
    }

    /// As `StoreReader.lastingMessages`.
    package func lastingMessages() throws(DatabaseError) -> Set<UInt64> {
        guard let database = writer.openDatabase else { return [] }
        return try StoreReader(database).lastingMessages()
    }

    /// Gives the database to who writes to it. What was lost has been told by then.
    package func takeWriter() -> StoreWriter {
        writer.forgetLosses()
        return writer
    }
}
