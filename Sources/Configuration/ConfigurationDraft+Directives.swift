internal import Authentication
internal import Bytes

/// The directives with a form or a meaning of their own.
extension ConfigurationDraft {
    /// `listener PORT [ADDRESS]`: opens a section, even with faults, so that what follows belongs to it.
    mutating func openListener(_ statement: Statement) {
        var opened = ListenerDraft()
        opened.location = statement.location
        opened.isUsed = true
        bridge = nil
        let words = withoutComment(statement)
        if words.count > 2 {
            report(
                .error, at: statement.location,
                "\"listener\" takes PORT [ADDRESS]; \(words[2].quoted) is too much")
        }
        if let word = words.first, let port = Self.number(word).flatMap({ UInt16(exactly: $0) }) {
            opened.port = port
        } else {
            let word = words.first ?? ""
            report(
                .error, at: statement.location,
                "\"listener\" takes a port from 0 to 65535 first, not \(word.quoted)")
        }
        opened.address = words.count > 1 ? words[1] : nil
        listeners.append(opened)
        current = listeners.count - 1
    }

    /// `protocol mqtt|mqttsn|websockets`.
    mutating func setProtocol(_ statement: Statement) {
        let usage = Directive.Reading.word(["mqtt", "mqttsn", "websockets"]) { _, _ in }
        guard let word = oneWord(statement, usage) else { return }
        if let transport = ListenerDraft.Transport(rawValue: word) {
            listener.transport = transport
        } else {
            reportMismatch(statement, word, usage)
        }
    }

    /// `persistent_client_expiration 14d`, with mosquitto's months of 30 days and years of 365.
    mutating func setSessionExpiry(_ statement: Statement) {
        let hours = ["h": 1, "d": 24, "w": 24 * 7, "m": 24 * 30, "y": 24 * 365]
        let text = statement.text
        guard let unit = text.last.flatMap({ hours[String($0)] }), let count = Self.number(String(text.dropLast())),
            (1...1_000_000).contains(count)
        else {
            report(
                .error, at: statement.location,
                "\"persistent_client_expiration\" takes a number and one of h, d, w, m, y, such as 14d, not "
                    + text.quoted)
            return
        }
        configuration.broker.sessionExpiryMax = .seconds(count * unit * 3600)
    }

    /// `password_file FILE`: to be read before the next statement.
    mutating func namePasswordFile(_ statement: Statement) {
        security.namesPasswordFile = true
        pendingPasswordFile = statement
    }

    /// What stands in a `password_file`; its faults are told with its own lines.
    mutating func setPasswordUsers(_ file: SourceFile, _ statement: Statement) {
        let content = PasswordFile(file.bytes)
        for (line, fault) in content.faults {
            report(.error, at: FileLocation(file: statement.text, line: line), fault.reason)
        }
        if content.faults.isEmpty, content.verifiers.isEmpty {
            report(
                .warning, at: statement.location,
                "\(statement.text.quoted) names nobody: `dormouse passwd FILE USER` adds a user")
        }
        if file.isReadableByOthers {
            report(
                .warning, at: statement.location,
                "everybody on this machine can read \(statement.text.quoted): `chmod o-rwx` keeps its secrets")
        }
        let users = PasswordUsers(content.verifiers)
        security.passwordUsers = users
        // A scram_file goes before, wherever it stands.
        guard !security.namesScramFile, !users.scramVerifiers.isEmpty else { return }
        setScramUsers(users.scramVerifiers, statement)
    }

    /// `scram_file FILE`: to be read before the next statement.
    mutating func nameScramFile(_ statement: Statement) {
        security.namesScramFile = true
        pendingScramFile = statement
    }

    /// What stands in a `scram_file`; its faults are told with its own lines.
    mutating func setScramUsers(_ file: SourceFile, _ statement: Statement) {
        let content = ScramFile(file.bytes)
        for (line, fault) in content.faults {
            report(.error, at: FileLocation(file: statement.text, line: line), fault.reason)
        }
        if content.faults.isEmpty, content.verifiers.isEmpty {
            report(
                .warning, at: statement.location,
                "\(statement.text.quoted) names nobody: `dormouse passwd --scram FILE USER` adds a user")
        }
        setScramUsers(content.verifiers, statement)
    }

    private mutating func setScramUsers(_ verifiers: [ByteString: ScramVerifier], _ statement: Statement) {
        do throws(AuthenticationFailure) {
            security.scramUsers = try ScramUsers(verifiers)
        } catch {
            report(.error, at: statement.location, "SHA-256 is not to be had from this machine's OpenSSL")
        }
    }

    /// `log_dest`: what this version does not have is named, and stderr stands in for it.
    mutating func addLogDestination(_ statement: Statement) {
        if !hasLogDestinations { configuration.logging.destinations = [] }
        hasLogDestinations = true
        let word = statement.words.first ?? ""
        if let destination = LogSettings.Destination(rawValue: word) {
            if !configuration.logging.destinations.contains(destination) {
                configuration.logging.destinations.append(destination)
            }
            return
        }
        switch word {
        case "none":
            configuration.logging.destinations = []
        case "file", "syslog", "topic", "dlt":
            hasMissingLogDestination = true
            report(
                .warning, at: statement.location,
                "\"log_dest \(word)\" is not supported yet: lines go to stderr where no other destination is named; "
                    + "under systemd `journalctl` has them")
        default:
            let usage = Directive.Reading.word(["stderr", "stdout", "none"]) { _, _ in }
            reportMismatch(statement, word, usage)
        }
    }

    /// `log_type`: the first one replaces the default, each further one adds to it.
    mutating func addLogType(_ statement: Statement) {
        if !hasLogTypes { configuration.logging.types = [] }
        hasLogTypes = true
        let usage = Directive.Reading.word(LogTypes.names.map { $0.name } + ["none"]) { _, _ in }
        guard let word = oneWord(statement, usage) else { return }
        if word == "none" {
            configuration.logging.types = []
        } else if let named = LogTypes.names.first(where: { $0.name == word }) {
            configuration.logging.types.formUnion(named.types)
            guard word == "debug" else { return }
            report(.warning, at: statement.location, "\"log_type \(word)\": there are no lines of this kind yet")
        } else {
            reportMismatch(statement, word, usage)
        }
    }

    /// `user`: kept for the executable, which refuses to be root where this names somebody else.
    mutating func setUser(_ statement: Statement) {
        configuration.user = statement.text
        guard statement.text != "root" else { return }
        report(
            .warning, at: statement.location,
            "\"user\" is not supported yet: the process stays who it is; start it as \(statement.text.quoted)")
    }
}
