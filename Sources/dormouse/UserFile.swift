import Configuration
import Glibc

/// A file of users on its way to another content: readers see the old one or the new one, never a half.
struct UserFile {
    var path: String

    /// What stands in the file; nil if it is not there.
    func read() throws -> [UInt8]? {
        if access(path, F_OK) != 0, errno == ENOENT { return nil }
        do throws(SourceFailure) {
            return try DiskSource().read(path).bytes
        } catch {
            throw Failure.runtime("cannot read \(path): \(error.reason)")
        }
    }

    /// Puts a new file in the place of the old one, for the same owner and with the same rights. A new one is for its
    /// owner alone: who can read verifiers can try passwords.
    func write(_ bytes: [UInt8]) throws {
        // Behind a symbolic link lies the file that is meant.
        let target = realpath(path, nil).map { pointer in
            defer { free(pointer) }
            return String(cString: pointer)
        }
        let place = target ?? path
        var old = stat()
        let isThere = stat(place, &old) == 0
        var name = Array((place + "." + String(repeating: "X", count: 6)).utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else { throw failure("write beside") }
        let temporary = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { close(descriptor) }
        do {
            if isThere {
                // Only root can give a file away; whoever else owns the directory owns the new file.
                _ = fchown(descriptor, old.st_uid, old.st_gid)
                guard fchmod(descriptor, old.st_mode & 0o7777) == 0 else { throw failure("set the rights of") }
            }
            try writeAll(bytes, to: descriptor)
            guard fsync(descriptor) == 0 else { throw failure("write") }
            guard rename(temporary, place) == 0 else { throw failure("replace") }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw failure("write") }
            rest = rest.dropFirst(count)
        }
    }

    private func failure(_ what: String) -> Failure {
        Failure.runtime("cannot \(what) \(path): \(String(cString: strerror(errno)))")
    }
}
