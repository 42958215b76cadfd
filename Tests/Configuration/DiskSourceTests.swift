import Configuration
import Foundation
import Testing

@Suite struct DiskSourceTests {
    @Test("What cannot be read says why")
    func failures() {
        let disk = DiskSource()
        #expect(throws: SourceFailure("No such file or directory")) { try disk.read("/nowhere/at.all") }
        #expect(throws: SourceFailure("Is a directory")) { try disk.read("/") }
        #expect(throws: SourceFailure("No such file or directory")) { try disk.names(in: "/nowhere") }
        #expect(throws: SourceFailure("larger than 1048576 bytes")) { try disk.read("/dev/zero") }
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
