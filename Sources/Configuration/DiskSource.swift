internal import Glibc

/// Configuration files on disk.
package struct DiskSource: ConfigurationSource {
    package init() {}

    package func read(_ path: String) throws(SourceFailure) -> SourceFile {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw Self.failure() }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure() }
        let bytes = try Self.readAll(descriptor)
        return SourceFile(bytes: bytes, identity: "\(status.st_dev):\(status.st_ino)")
    }

    package func names(in path: String) throws(SourceFailure) -> [String] {
        guard let directory = opendir(path) else { throw Self.failure() }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { start in
                start.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.append(name)
        }
        return names
    }

    private static func readAll(_ descriptor: Int32) throws(SourceFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= SourceFile.bytesMax {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure()
            }
            bytes += chunk[..<count]
        }
        throw SourceFailure("larger than \(SourceFile.bytesMax) bytes")
    }

    /// What the system says about its last call.
    private static func failure() -> SourceFailure {
        let code = errno
        guard let text = strerror(code) else { return SourceFailure("error \(code)") }
        return SourceFailure(String(cString: text))
    }
}
