/// Reads `gateway.conf` and what it includes: DESIGN §9.
///
/// mosquitto's dialect, with two differences of temper: every fault of a file is reported, not only the first, and
/// what mosquitto overlooks (`20abc` for 20, words too many, two blanks where it wants one) is either understood or
/// refused, never half-read.
package enum ConfigurationParser {
    /// Reads the file at `path` and all that it includes.
    ///
    /// - Parameter source: where files come from; the parser itself does no I/O.
    package static func parse(_ path: String, from source: some ConfigurationSource) -> ConfigurationOutcome {
        var reading = FileReading(source: source)
        reading.readMain(path)
        return reading.outcome(mainFile: path)
    }
}

extension GatewayConfiguration {
    /// Reads the file at `path` from the disk.
    package static func load(path: String) -> ConfigurationOutcome {
        ConfigurationParser.parse(path, from: DiskSource())
    }
}

/// The files of one configuration, one after the other.
private struct FileReading<Source: ConfigurationSource> {
    let source: Source
    private var draft = ConfigurationDraft()
    /// In the order of reading, for the order of what is said about them.
    private var files: [String] = []
    /// Which path each file was first read by.
    private var pathsByIdentity: [String: String] = [:]

    init(source: Source) {
        self.source = source
    }

    mutating func readMain(_ path: String) {
        read(path, includedAt: nil)
    }

    /// - Parameter place: the `include_dir` that leads to the file; nil for the main file.
    private mutating func read(_ path: String, includedAt place: FileLocation?) {
        let file: SourceFile
        do {
            file = try source.read(path)
        } catch {
            let at = FileLocation(file: path, line: 0)
            draft.report(.error, at: place ?? at, "cannot read \(path.quoted): \(error.reason)")
            return
        }
        if let earlier = pathsByIdentity.updateValue(path, forKey: file.identity) {
            draft.report(
                .error, at: place ?? FileLocation(file: path, line: 0),
                "\(path.quoted) was read already, as \(earlier.quoted)")
            return
        }
        files.append(path)
        readLines(file, path, isMain: place == nil)
    }

    private mutating func readLines(_ file: SourceFile, _ path: String, isMain: Bool) {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let bytes = file.bytes.starts(with: mark) ? file.bytes[mark.count...] : file.bytes[...]
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let location = FileLocation(file: path, line: index + 1)
            switch Statement.read(line, at: location) {
            case .nothing: continue
            case .fault(let message): draft.report(.error, at: location, message)
            case .statement(let statement):
                draft.apply(statement)
                readPasswordFile()
                readScramFile()
                readSecureFile()
                readAccessFile()
                followIncludes(isMain: isMain)
            }
        }
    }

    /// Reads the `password_file` that the last statement named.
    private mutating func readPasswordFile() {
        guard let statement = draft.pendingPasswordFile else { return }
        draft.pendingPasswordFile = nil
        do {
            draft.setPasswordUsers(try source.read(statement.text), statement)
        } catch {
            draft.report(.error, at: statement.location, "cannot read \(statement.text.quoted): \(error.reason)")
        }
    }

    /// Reads the `scram_file` that the last statement named.
    private mutating func readScramFile() {
        guard let statement = draft.pendingScramFile else { return }
        draft.pendingScramFile = nil
        do {
            draft.setScramUsers(try source.read(statement.text), statement)
        } catch {
            draft.report(.error, at: statement.location, "cannot read \(statement.text.quoted): \(error.reason)")
        }
    }

    /// Reads the file about TLS or DTLS that the last statement named.
    private mutating func readSecureFile() {
        guard let named = draft.pendingSecureFile else { return }
        draft.pendingSecureFile = nil
        let statement = named.statement
        do {
            draft.takeSecureFile(named, try source.read(statement.text))
        } catch {
            draft.report(.error, at: statement.location, "cannot read \(statement.text.quoted): \(error.reason)")
            draft.takeSecureFile(named, nil)
            if let section = draft.listener.location { draft.unreadableListeners.insert(section) }
        }
    }

    /// Reads the `acl_file` or `device_file` that the last statement named.
    private mutating func readAccessFile() {
        guard let pending = draft.pendingAccess else { return }
        draft.pendingAccess = nil
        let statement = pending.statement
        do {
            draft.takeAccess(pending, try source.read(statement.text))
        } catch {
            draft.report(.error, at: statement.location, "cannot read \(statement.text.quoted): \(error.reason)")
        }
    }

    /// Reads the directories that the last statement named. As in mosquitto, only the main file includes others,
    /// and an included file begins outside of any section.
    private mutating func followIncludes(isMain: Bool) {
        let includes = draft.pendingIncludes
        draft.pendingIncludes = []
        for include in includes {
            guard isMain else {
                draft.report(
                    .warning, at: include.location,
                    "\"include_dir\" has an effect in the main file only; this one is not followed")
                continue
            }
            let (current, bridge) = (draft.current, draft.bridge)
            readDirectory(include)
            (draft.current, draft.bridge) = (current, bridge)
        }
    }

    private mutating func readDirectory(_ include: Statement) {
        let directory = include.text
        let names: [String]
        do {
            names = try source.names(in: directory)
        } catch {
            draft.report(.error, at: include.location, "cannot read \(directory.quoted): \(error.reason)")
            return
        }
        let chosen = names.filter { $0.utf8.count > 5 && $0.hasSuffix(".conf") }.sorted(by: precedes)
        for name in chosen {
            (draft.current, draft.bridge) = (0, nil)
            read(directory + (directory.hasSuffix("/") ? "" : "/") + name, includedAt: include.location)
        }
    }

    mutating func outcome(mainFile: String) -> ConfigurationOutcome {
        draft.finish(mainFile: mainFile)
        let order = Dictionary(files.enumerated().map { ($1, $0) }) { first, _ in first }
        func rank(_ location: FileLocation) -> (Int, Int) {
            location.line == 0 ? (.max, 0) : (order[location.file] ?? .max, location.line)
        }
        let diagnostics = draft.diagnostics.enumerated().sorted { left, right in
            let (one, other) = (rank(left.element.location), rank(right.element.location))
            return one == other ? left.offset < right.offset : one < other
        }.map { $0.element }
        let isUsable = !diagnostics.contains { $0.severity == .error }
        return ConfigurationOutcome(
            configuration: isUsable ? draft.configuration : nil, diagnostics: diagnostics)
    }
}

/// mosquitto's order of included files: alphabetical without regard to case, and of two that differ in case only
/// the upper case first, letter by letter.
private func precedes(_ left: String, _ right: String) -> Bool {
    func key(_ name: String) -> [(UInt8, UInt8)] {
        name.utf8.map { (0x41...0x5A).contains($0) ? ($0 | 0x20, $0) : ($0, $0) }
    }
    return key(left).lexicographicallyPrecedes(key(right)) { $0 < $1 }
}
