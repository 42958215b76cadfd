internal import Glibc

/// The directory of a database, locked for this process, and the names of the files in it.
///
/// The lock is on the directory itself: it needs no space, ends with the process, and outlives files that are renamed.
final class StoreFiles {
    let directory: String
    private let descriptor: Int32

    var database: String { directory + "/dormouse.db" }
    var log: String { database + "-wal" }
    /// A database that is being made.
    var unfinished: String { database + "-new" }
    /// A database that has all that could be read of the one that is to be set aside.
    var salvaged: String { database + "-salvaged" }

    /// Makes the directory, for its owner alone, if it is not there.
    init(_ directory: String) throws(DatabaseError) {
        self.directory = directory.last == "/" ? String(directory.dropLast()) : directory
        let isNew = mkdir(directory, 0o700) == 0
        guard isNew || errno == EEXIST else { throw .system("cannot make it") }
        descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("cannot open it") }
        // Where directories cannot be locked, as in some network file systems, SQLite's own lock is left.
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            throw DatabaseError(code: 5, words: "another gateway has the database open")
        }
        guard faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0 else {
            throw .system("cannot write to it")
        }
        if isNew { syncParent() }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Bytes of a file; nil if there is none. What is no regular file is refused: a symbolic link may lead to where
    /// another one writes.
    func size(_ path: String) throws(DatabaseError) -> Int? {
        var found = stat()
        guard lstat(path, &found) == 0 else {
            if errno == ENOENT { return nil }
            throw .system("cannot look at \(path)")
        }
        guard found.st_mode & S_IFMT == S_IFREG else {
            throw DatabaseError(code: 14, words: "\(path) is no regular file")
        }
        return Int(found.st_size)
    }

    /// Makes an empty file, for its owner alone.
    func create(_ path: String) throws(DatabaseError) {
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .system("cannot make \(path)") }
        close(file)
    }

    func remove(_ path: String) throws(DatabaseError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw .system("cannot remove \(path)") }
    }

    func rename(_ path: String, to other: String) throws(DatabaseError) {
        guard Glibc.rename(path, other) == 0 else { throw .system("cannot rename \(path)") }
    }

    /// What was made or renamed stays so.
    func sync() throws(DatabaseError) {
        guard fsync(descriptor) == 0 else { throw .system("cannot write \(directory)") }
    }

    private func syncParent() {
        let parent = openat(descriptor, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { return }
        fsync(parent)
        close(parent)
    }
}

extension DatabaseError {
    /// What the system says now (`errno`).
    static func system(_ words: String) -> DatabaseError {
        let reason = errno
        let isFull = reason == ENOSPC || reason == EDQUOT
        return DatabaseError(code: isFull ? 13 : 14, words: "\(words): \(String(cString: strerror(reason)))")
    }
}
