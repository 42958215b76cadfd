internal import Glibc

/// Opening files by a name that somebody wrote down: it may lead to a FIFO, which would keep its opener waiting, or to
/// a device, whose bytes never end.
package enum RegularFile {
    /// Opens a regular file and nothing else, never waits, and hands nothing on to other programs.
    ///
    /// - Parameters:
    ///   - flags: as open(2) has them. O_TRUNC does not belong here: what it empties is not known yet.
    ///   - permissions: of a file that O_CREAT makes.
    /// - Returns: a descriptor, which is the caller's to close.
    package static func open(
        _ path: String, _ flags: Int32, permissions: UInt32 = 0o644
    ) throws(SourceFailure) -> Int32 {
        let descriptor = Glibc.open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, permissions)
        var status = stat()
        guard descriptor >= 0 else {
            let code = errno
            // What a FIFO without a reader, or a socket, answers says nothing of what it is.
            if code == ENXIO, stat(path, &status) == 0, let kind = kind(status) { throw refusal(kind) }
            throw SourceFailure(systemError: code)
        }
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw SourceFailure(systemError: code)
        }
        guard let kind = kind(status) else { return descriptor }
        close(descriptor)
        throw refusal(kind)
    }

    private static func refusal(_ kind: String) -> SourceFailure {
        SourceFailure("it is \(kind), not a regular file")
    }

    /// What it is; nil for a regular file.
    private static func kind(_ status: stat) -> String? {
        switch status.st_mode & S_IFMT {
        case S_IFREG: nil
        case S_IFDIR: "a directory"
        case S_IFIFO: "a FIFO"
        case S_IFSOCK: "a socket"
        case S_IFCHR, S_IFBLK: "a device"
        default: "something else"
        }
    }
}

extension SourceFailure {
    /// What the system says about a number of `errno`.
    init(systemError code: Int32) {
        guard let text = strerror(code) else {
            self.init("error \(code)")
            return
        }
        self.init(String(cString: text))
    }
}
