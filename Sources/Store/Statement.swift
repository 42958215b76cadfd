package import Bytes
internal import CSQLite

/// A prepared statement: bind its parameters, from 1 on, then run it, or go through its rows.
///
/// Bytes are not copied: a view that is bound must live until the statement has run.
package final class Statement {
    private let handle: OpaquePointer
    private let database: OpaquePointer
    private var isFinal = false

    init(_ handle: OpaquePointer, of database: OpaquePointer) {
        self.handle = handle
        self.database = database
    }

    /// A number for the parameter `index`.
    package func bind(_ index: Int32, _ number: Int64) { sqlite3_bind_int64(handle, index, number) }

    /// Bytes, perhaps none, for the parameter `index`.
    package func bind(_ index: Int32, _ bytes: ByteView) {
        guard let start = bytes.memory.baseAddress, bytes.count > 0 else {
            sqlite3_bind_zeroblob(handle, index, 0)
            return
        }
        sqlite3_bind_blob64(handle, index, start, UInt64(bytes.count), nil)
    }

    /// NULL for the parameter `index`.
    package func bindNothing(_ index: Int32) { sqlite3_bind_null(handle, index) }

    /// Runs it to its end; it can be bound and run again at once.
    package func run() throws(DatabaseError) {
        let code = sqlite3_step(handle)
        sqlite3_reset(handle)
        guard code == SQLITE_DONE || code == SQLITE_ROW else { throw DatabaseError(code, of: database) }
    }

    /// Goes on to the next row; false behind the last, and the statement can be run again.
    package func next() throws(DatabaseError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        case let code:
            sqlite3_reset(handle)
            throw DatabaseError(code, of: database)
        }
    }

    /// Gives up the rows that are left.
    package func reset() { sqlite3_reset(handle) }

    // MARK: - The present row: columns from 0 on

    /// The number in a column; 0 for NULL.
    package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    /// Whether a column is NULL.
    package func isNothing(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// The bytes in a column, valid until the next row.
    package func bytes(_ column: Int32) -> ByteView {
        let start = sqlite3_column_blob(handle, column)
        return ByteView(start: start, count: Int(sqlite3_column_bytes(handle, column)))
    }

    /// The text in a column.
    func text(_ column: Int32) -> String { String(decoding: bytes(column).memory, as: UTF8.self) }

    /// How many columns its rows have.
    var columns: Int { Int(sqlite3_column_count(handle)) }

    /// The columns of another statement's present row for the parameters from 1 on, as they are.
    func bindColumns(of row: Statement) {
        for column in 0..<Int32(row.columns) {
            sqlite3_bind_value(handle, column + 1, sqlite3_column_value(row.handle, column))
        }
    }

    /// A text for the parameter `index`, as bytes. It is copied.
    func bind(_ index: Int32, text: String) {
        let bytes = Array(text.utf8)
        let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        bytes.withUnsafeBytes { _ = sqlite3_bind_blob64(handle, index, $0.baseAddress, UInt64($0.count), copied) }
    }

    func finalize() {
        guard !isFinal else { return }
        isFinal = true
        sqlite3_finalize(handle)
    }
}
