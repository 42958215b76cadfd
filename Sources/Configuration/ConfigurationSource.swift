/// Where configuration files come from: the disk, or a table in a test.
package protocol ConfigurationSource {
    /// The file at `path`, at most `SourceFile.bytesMax` long.
    func read(_ path: String) throws(SourceFailure) -> SourceFile

    /// The names, without the directory, of all entries of the directory at `path`, in any order.
    func names(in path: String) throws(SourceFailure) -> [String]
}

/// The bytes of one file.
package struct SourceFile: Equatable, Sendable {
    /// The largest file that is read, in bytes: room for a hundred thousand users of a `scram_file`.
    package static let bytesMax = 16 << 20

    package var bytes: [UInt8]
    /// The same for two paths that lead to the same file.
    package var identity: String
    /// Whether others than its owner and its group can read it.
    package var isReadableByOthers: Bool

    package init(bytes: [UInt8], identity: String, isReadableByOthers: Bool = false) {
        self.bytes = bytes
        self.identity = identity
        self.isReadableByOthers = isReadableByOthers
    }
}

/// Why a file or directory could not be read.
package struct SourceFailure: Error, Equatable {
    /// A clause such as "no such file or directory".
    package var reason: String

    package init(_ reason: String) {
        self.reason = reason
    }
}
