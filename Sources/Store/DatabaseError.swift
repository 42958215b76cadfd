internal import CSQLite

/// What SQLite says that it cannot do.
package struct DatabaseError: Error, Equatable, CustomStringConvertible {
    /// SQLite's extended result code.
    package let code: Int32
    /// SQLite's words for it.
    package let words: String

    package init(code: Int32, words: String) {
        self.code = code
        self.words = words
    }

    package var description: String { "\(words) (SQLite \(code))" }

    /// What an error means for those who wait for the disk.
    package enum Kind: Equatable {
        /// No space, or a quota: nothing of the transaction was written, and it may be tried again.
        case full
        /// The file is no database, or a damaged one.
        case damaged
        /// Another process has the database.
        case taken
        /// The disk failed, or anything else: what it holds now is not known.
        case failed
    }

    /// Whether the tables are not what they should be.
    var isOfSchema: Bool { code & 0xFF == SQLITE_ERROR }

    package var kind: Kind {
        switch code & 0xFF {
        case SQLITE_FULL: .full
        case SQLITE_CORRUPT, SQLITE_NOTADB: .damaged
        case SQLITE_BUSY, SQLITE_LOCKED: .taken
        default: .failed
        }
    }
}
