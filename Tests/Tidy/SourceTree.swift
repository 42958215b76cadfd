import Foundation

/// A text file of this repository.
struct SourceFile {
    /// From the repository's root on.
    var path: String
    var lines: [String]
    /// The lines without comments and the contents of string literals.
    var code: [String]

    /// The folder below `Sources/`, or nil for a file elsewhere.
    var module: String? {
        let parts = path.split(separator: "/")
        return parts.first == "Sources" && parts.count > 2 ? String(parts[1]) : nil
    }
}

/// The files of this repository, found from where this one lies.
enum SourceTree {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All Swift files: the package, its sources, its tests and its benchmarks.
    static let swift = files(in: ["Package.swift", "Sources", "Tests", "Benchmarks"]) { $0.hasSuffix(".swift") }

    /// The Swift files of the product.
    static let sources = swift.filter { $0.module != nil }

    /// Every file that is text.
    static let all = files(
        in: ["Package.swift", "Makefile", "README.md", "gateway.conf", "Sources", "Tests", "Fixtures", "Benchmarks",
            "docs", ".ci"]
    ) { _ in true }

    private static func files(in roots: [String], where isWanted: (String) -> Bool) -> [SourceFile] {
        var paths: [String] = []
        for name in roots {
            let base = root.appendingPathComponent(name).path
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: base, isDirectory: &isFolder) else { continue }
            guard isFolder.boolValue else {
                paths.append(name)
                continue
            }
            let below = FileManager.default.enumerator(atPath: base)?.compactMap { $0 as? String } ?? []
            paths += below.map { name + "/" + $0 }
        }
        return paths.filter(isWanted).sorted().compactMap(read)
    }

    private static func read(_ path: String) -> SourceFile? {
        guard let text = try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return SourceFile(path: path, lines: lines, code: path.hasSuffix(".swift") ? code(of: lines) : [])
    }

    /// Drops what stands behind `//` and between quotes: enough for our own code, which has no block comments.
    private static func code(of lines: [String]) -> [String] {
        var isInBlock = false
        return lines.map { line in
            if line.contains("\"\"\"") {
                isInBlock.toggle()
                return ""
            }
            return isInBlock ? "" : plain(line)
        }
    }

    private static func plain(_ line: String) -> String {
        var code = ""
        var isInString = false
        var previous: Character = " "
        for character in line {
            if isInString {
                if character == "\"", previous != "\\" { isInString = false }
                previous = previous == "\\" && character == "\\" ? " " : character
                continue
            }
            if character == "/", previous == "/" { return String(code.dropLast()) }
            if character == "\"" { isInString = true }
            code.append(character)
            previous = character
        }
        return code
    }
}

/// A line that breaks a rule, as an editor finds it.
func place(_ file: SourceFile, _ index: Int, _ fault: String) -> String {
    "\(file.path):\(index + 1): \(fault)"
}
