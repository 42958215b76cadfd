internal import Glibc

/// Configuration files on disk.
package struct DiskSource: ConfigurationSource {
    package init() {}

    package func read(_ path: String) throws(SourceFailure) -> SourceFile {
        let descriptor = try RegularFile.open(path, O_RDONLY)
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SourceFailure(systemError: errno) }
        guard status.st_size <= SourceFile.bytesMax else { throw Self.tooLarge }
        let bytes = try Self.readAll(descriptor)
        return SourceFile(
            bytes: bytes, identity: "\(status.st_dev):\(status.st_ino)",
            isReadableByOthers: status.st_mode & S_IROTH != 0)
    }

    package func names(in path: String) throws(SourceFailure) -> [String] {
        guard let directory = opendir(path) else { throw SourceFailure(systemError: errno) }
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

    private static let tooLarge = SourceFailure("larger than \(SourceFile.bytesMax) bytes")

    /// The size was looked at before, but a file may grow while it is read.
    private static func readAll(_ descriptor: Int32) throws(SourceFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= SourceFile.bytesMax {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw SourceFailure(systemError: errno)
            }
            bytes += chunk[..<count]
        }
        throw tooLarge
    }
}
