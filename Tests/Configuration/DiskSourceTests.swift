import Configuration
import Foundation
import Glibc
import Testing

@Suite struct DiskSourceTests {
    @Test("What cannot be read says why")
    func failures() {
        let disk = DiskSource()
        #expect(throws: SourceFailure("No such file or directory")) { try disk.read("/nowhere/at.all") }
        #expect(throws: SourceFailure("No such file or directory")) { try disk.names(in: "/nowhere") }
    }

    @Test("What is no regular file is refused at once, and says what it is: a FIFO that nobody writes to, a device")
    func noRegularFile() throws {
        let directory = try folder()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fifo = directory + "/fifo"
        try #require(mkfifo(fifo, 0o600) == 0)
        let socket = try boundSocket(directory + "/socket")
        defer { close(socket) }
        let cases = [
            ("/", "a directory"), ("/dev/zero", "a device"), (fifo, "a FIFO"), (directory + "/socket", "a socket"),
        ]
        for (path, kind) in cases {
            let refusal = SourceFailure("it is \(kind), not a regular file")
            #expect(throws: refusal) { try DiskSource().read(path) }
        }
        // Without a reader it would keep a writer waiting too.
        #expect(throws: SourceFailure("it is a FIFO, not a regular file")) {
            try RegularFile.open(fifo, O_WRONLY | O_CREAT)
        }
    }

    @Test("A file of 16 MiB is read; one byte more is refused, and ten times as much too")
    func size() throws {
        let directory = try folder()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/large"
        try #require(FileManager.default.createFile(atPath: path, contents: nil))
        #expect(truncate(path, off_t(SourceFile.bytesMax)) == 0)
        #expect(try DiskSource().read(path).bytes.count == 16_777_216)
        for size in [SourceFile.bytesMax + 1, 10 * SourceFile.bytesMax] {
            #expect(truncate(path, off_t(size)) == 0)
            #expect(throws: SourceFailure("larger than 16777216 bytes")) { try DiskSource().read(path) }
        }
    }

    private func folder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder.path
    }

    /// A socket in the file system.
    private func boundSocket(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafeBytes(of: &address) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) {
                bind(descriptor, $0.baseAddress, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        return descriptor
    }

    @Test("A file is read whole, and two paths to it have one identity")
    func readsWhole() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
        let path = directory.appendingPathComponent("a.conf").path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let file = try DiskSource().read(path)
        #expect(file.bytes == bytes)
        #expect(try DiskSource().read(directory.path + "/./a.conf").identity == file.identity)
        #expect(try DiskSource().names(in: directory.path).filter { $0.hasSuffix(".conf") } == ["a.conf"])
    }
}
