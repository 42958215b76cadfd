/// The configuration while its files are read: takes one statement after the other, keeps every complaint.
struct ConfigurationDraft {
    /// What is left unsaid after this many diagnostics: a file that is no configuration at all has a fault a line.
    static let diagnosticsMax = 1000

    var configuration = GatewayConfiguration()
    private(set) var diagnostics: [Diagnostic] = []
    /// The default listener, then those of the file.
    var listeners = [ListenerDraft()]
    /// Which listener the next directive speaks of.
    var current = 0
    /// Where the bridge section began that the next directive may belong to.
    var bridge: FileLocation?
    /// `include_dir` directives that are still to be followed.
    var pendingIncludes: [Statement] = []
    /// The `password_file` that is still to be read.
    var pendingPasswordFile: Statement?
    /// The `scram_file` that is still to be read.
    var pendingScramFile: Statement?
    /// A file about TLS or DTLS that is still to be read.
    var pendingSecureFile: SecureFile?
    /// The sections that name a file about it that could not be read: nothing more is said about them.
    var unreadableListeners: Set<FileLocation> = []
    /// A file about access that is still to be read.
    var pendingAccess: PendingAccess?
    /// Whether security settings belong to listeners: `per_listener_settings`.
    var isPerListener = false
    /// The security settings that all listeners share.
    var sharedSecurity = SecurityDraft()
    /// The first security setting, which `per_listener_settings` must stand above.
    private var firstSecurityLine: FileLocation?
    /// Whether `log_dest` or `log_type` has replaced the defaults.
    var hasLogDestinations = false
    var hasLogTypes = false
    /// What was said about data on disk.
    var persistence = PersistenceDraft()
    /// Whether a log destination was asked for that this version does not have.
    var hasMissingLogDestination = false
    private var firstLines: [Place: FileLocation] = [:]

    /// A directive and the section it is in: where it may be given once.
    private struct Place: Hashable {
        var name: String
        var section: Int?
    }

    /// The listener that the next directive speaks of.
    var listener: ListenerDraft {
        get { listeners[current] }
        _modify { yield &listeners[current] }
    }

    /// The security settings that the next directive speaks of.
    var security: SecurityDraft {
        get { isPerListener ? listeners[current].security : sharedSecurity }
        set {
            if isPerListener { listeners[current].security = newValue } else { sharedSecurity = newValue }
        }
    }

    /// The security settings that hold for a listener in the end.
    func security(of listener: ListenerDraft) -> SecurityDraft {
        isPerListener ? listener.security : sharedSecurity
    }

    mutating func report(_ severity: Diagnostic.Severity, at location: FileLocation, _ message: String) {
        if diagnostics.count == Self.diagnosticsMax {
            let rest = "more than \(Self.diagnosticsMax) findings: the rest is left out"
            diagnostics.append(Diagnostic(.error, at: location, rest))
        }
        guard diagnostics.count < Self.diagnosticsMax else { return }
        diagnostics.append(Diagnostic(severity, at: location, message))
    }

    /// Takes one statement: puts what it says where it belongs, or says what is wrong with it.
    mutating func apply(_ statement: Statement) {
        guard let directive = DirectiveTable.row(named: statement.name) else {
            reportUnknown(statement)
            return
        }
        noteSecurity(directive, statement)
        switch directive.status {
        case .later(let shortfall): report(shortfall, "not supported yet", statement, directive)
        case .never(let shortfall): report(shortfall, "not supported", statement, directive)
        case .active(let reading):
            guard checkRepetition(directive, statement), !rejectEmpty(statement, reading) else { return }
            if put(reading, statement) { noteSection(directive, statement) }
        }
    }
}

extension ConfigurationDraft {
    private mutating func reportUnknown(_ statement: Statement) {
        // Looking for a name costs more than all else here: not for what is left out anyway.
        guard diagnostics.count < Self.diagnosticsMax else {
            report(.error, at: statement.location, "")
            return
        }
        let nearest = NearestName.of(statement.name, in: DirectiveTable.names)
        let hint = nearest.map { "; did you mean \"\($0)\"?" } ?? ""
        report(.error, at: statement.location, "unknown directive \(statement.name.quoted)\(hint)")
    }

    /// Names a directive that has no effect, but for a value that asks for what holds anyway.
    private mutating func report(
        _ shortfall: Directive.Shortfall, _ what: String, _ statement: Statement, _ directive: Directive
    ) {
        if directive.name == "connection" { bridge = statement.location }
        if directive.scope == .bridge, bridge == nil {
            report(
                .error, at: statement.location,
                "\(statement.name.quoted) belongs to a bridge, below `connection NAME`; \(shortfall.advice)")
            return
        }
        if let harmless = shortfall.harmlessValue, statement.words.first == harmless { return }
        report(shortfall.severity, at: statement.location, "\(statement.name.quoted) is \(what): \(shortfall.advice)")
    }

    private mutating func noteSecurity(_ directive: Directive, _ statement: Statement) {
        if directive.scope == .security, firstSecurityLine == nil { firstSecurityLine = statement.location }
        if directive.name == "per_listener_settings", let first = firstSecurityLine {
            report(
                .error, at: statement.location,
                "\"per_listener_settings\" must stand above the first security setting, which is in line "
                    + "\(first.line)")
        }
        switch directive.name {
        case "auth_plugin", "plugin", "plugin_use", "global_plugin":
            security.namesAuthentication = true
        default: break
        }
    }

    /// Remembers what only one protocol has until the end of the file knows the listener's protocol.
    private mutating func noteSection(_ directive: Directive, _ statement: Statement) {
        switch directive.scope {
        case .defaultListener: listeners[0].noteUse(statement)
        case .listener:
            listener.noteUse(statement)
            if DirectiveTable.secureNames.contains(statement.name) { listener.secure.statements.append(statement) }
        case .mqttListener:
            listener.noteUse(statement)
            listener.mqttOnly.append(statement)
        case .webSocketListener:
            listener.noteUse(statement)
            listener.webSocketsOnly.append(statement)
        case .deviceListener:
            listener.noteUse(statement)
            listener.devicesOnly.append(statement)
        case .global, .security, .bridge: break
        }
    }

    /// Whether the directive may stand here once more. mosquitto refuses a second text and lets the last number
    /// win; so do we, and say so.
    private mutating func checkRepetition(_ directive: Directive, _ statement: Statement) -> Bool {
        if directive.isRepeatable { return true }
        let place = Place(name: directive.name, section: section(of: directive.scope))
        guard let first = firstLines.updateValue(statement.location, forKey: place) else { return true }
        let earlier = first.file == statement.location.file ? "in line \(first.line)" : "in \(first)"
        if case .active(.text) = directive.status {
            report(.error, at: statement.location, "\(statement.name.quoted) was given already, \(earlier)")
            return false
        }
        report(
            .warning, at: statement.location,
            "\(statement.name.quoted) was given already, \(earlier); this later one holds")
        return true
    }

    private func section(of scope: Directive.Scope) -> Int? {
        switch scope {
        case .global, .defaultListener, .bridge: nil
        case .security: isPerListener ? current : nil
        case .listener, .mqttListener, .webSocketListener, .deviceListener: current
        }
    }
}

extension FileLocation: CustomStringConvertible {
    /// `FILE:LINE`.
    package var description: String { "\(file.escapedForTerminal):\(line)" }
}

extension String {
    /// The text in double quotes for a message: escaped, and cut where it gets long.
    var quoted: String {
        let cut = unicodeScalars.count > 64 ? String(String.UnicodeScalarView(unicodeScalars.prefix(61))) + "..." : self
        return "\"" + cut.escapedForTerminal + "\""
    }
}
