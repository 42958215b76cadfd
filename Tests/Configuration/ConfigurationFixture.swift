import Configuration
import Foundation
import Testing

/// A file of `Fixtures/configuration`: a configuration that says in comments of its own what must be said about it.
///
/// `# expect: SEVERITY LINE TEXT`: a diagnostic whose message contains TEXT; LINE may be `-` for the file as a whole
/// or `FILE:LINE` for an included file. Errors and warnings must be just the expected ones, in their order; notes may
/// be left out. `# expect: clean`: no error and no warning. `# expect: value TEXT`: a line of the summary.
struct ConfigurationFixture: CustomTestStringConvertible, Sendable {
    struct Expectation: Equatable {
        var severity: Diagnostic.Severity
        var location: FileLocation
        var text: String
    }

    var name: String
    var diagnostics: [Expectation] = []
    var values: [String] = []
    var isEmpty = true

    var testDescription: String { name }

    /// The folder of the fixtures, found from this file.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/configuration").path

    /// Every `.conf` file of the folder: a file is a case by existing.
    static let all: [ConfigurationFixture] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.filter { $0.hasSuffix(".conf") }.sorted().map { ConfigurationFixture(name: $0) }
    }()

    init(name: String) {
        self.name = name
        let data = FileManager.default.contents(atPath: Self.root + "/" + name) ?? Data()
        let mark = "# expect: "
        for line in String(decoding: data, as: UTF8.self).split(whereSeparator: { $0.isNewline })
        where line.hasPrefix(mark) {
            read(String(line.dropFirst(mark.count)))
        }
    }

    private mutating func read(_ expectation: String) {
        isEmpty = false
        let parts = expectation.split(separator: " ", maxSplits: 2).map { String($0) }
        if parts[0] == "value" {
            values.append(String(expectation.dropFirst("value ".count)))
        } else if let severity = Diagnostic.Severity(rawValue: parts[0]), parts.count == 3 {
            let place = parts[1].split(separator: ":")
            let line = parts[1] == "-" ? 0 : Int(place[place.count - 1]) ?? -1
            let file = place.count > 1 ? String(place[0]) : name
            diagnostics.append(
                Expectation(severity: severity, location: FileLocation(file: file, line: line), text: parts[2]))
        }
    }
}

/// The disk below the fixtures' folder, so that file names in diagnostics are the same on every machine.
struct FixtureSource: ConfigurationSource {
    private let disk = DiskSource()

    func read(_ path: String) throws(SourceFailure) -> SourceFile {
        var file = try disk.read(ConfigurationFixture.root + "/" + path)
        // Git does not keep who can read a key.
        file.isReadableByOthers = false
        return file
    }

    func names(in path: String) throws(SourceFailure) -> [String] {
        try disk.names(in: ConfigurationFixture.root + "/" + path)
    }
}

/// Files in memory.
struct MemorySource: ConfigurationSource {
    var files: [String: [UInt8]]

    init(_ text: String) {
        files = ["test.conf": Array(text.utf8)]
    }

    init(bytes: [UInt8]) {
        files = ["test.conf": bytes]
    }

    func read(_ path: String) throws(SourceFailure) -> SourceFile {
        guard let bytes = files[path] else { throw SourceFailure("no such file") }
        return SourceFile(bytes: bytes, identity: path)
    }

    func names(in path: String) throws(SourceFailure) -> [String] {
        let prefix = path + "/"
        return files.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// What becomes of `test.conf`.
    var outcome: ConfigurationOutcome { ConfigurationParser.parse("test.conf", from: self) }
}
