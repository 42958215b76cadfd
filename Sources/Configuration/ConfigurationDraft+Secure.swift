internal import Bytes
internal import SecureTransport

/// TLS and DTLS: the files are read with their directives, and the end of the file decides whether all of it fits.
extension ConfigurationDraft {
    /// A directive names a file: to be read before the next statement.
    mutating func nameSecureFile(_ purpose: SecureFile.Purpose, _ statement: Statement) {
        pendingSecureFile = SecureFile(purpose: purpose, statement: statement)
    }

    /// What stands in a file that was named.
    mutating func takeSecureFile(_ named: SecureFile, _ file: SourceFile?) {
        let statement = named.statement
        if named.purpose.isSecret, file?.isReadableByOthers == true {
            report(
                .warning, at: statement.location,
                "everybody on this machine can read \(statement.text.quoted): `chmod o-rwx` keeps its secrets")
        }
        switch named.purpose {
        case .certificate: listener.secure.certificates.append(.init(statement: statement, bytes: file?.bytes))
        case .key: listener.secure.keys.append(.init(statement: statement, bytes: file?.bytes))
        case .authorities: listener.secure.settings.authorities = file?.bytes
        case .revocations: listener.secure.settings.revocations = file?.bytes
        case .keys: security.keyFile = KeyFile(statement: statement, keys: file.map { readKeys($0, statement) })
        }
    }

    private mutating func readKeys(_ file: SourceFile, _ statement: Statement) -> PreSharedKeys {
        var faults: [PreSharedKeys.Fault] = []
        let keys = PreSharedKeys(file.bytes, faults: &faults)
        for fault in faults {
            report(.error, at: FileLocation(file: statement.text, line: fault.line), fault.reason)
        }
        for line in keys.weakLines {
            report(
                .warning, at: FileLocation(file: statement.text, line: line),
                "a key of less than \(PreSharedKeys.keyBytesAdvised) bytes can be found by trying: "
                    + "`openssl rand -hex 16` makes a good one")
        }
        if faults.isEmpty, keys.count == 0 {
            report(.warning, at: statement.location, "\(statement.text.quoted) holds no key: a line is IDENTITY:KEY")
        }
        return keys
    }

    /// `psk_hint`: clients with pre-shared keys may come, and are told which to take.
    mutating func setKeyHint(_ statement: Statement) {
        guard statement.value.count <= 256 else {
            report(.error, at: statement.location, "\"psk_hint\" is longer than 256 bytes")
            return
        }
        listener.secure.settings.keyHint = ByteString(statement.value)
    }

    /// What secures a listener; nil for nothing, or, with a complaint, if that cannot be told.
    mutating func secureSettings(of draft: ListenerDraft, _ security: SecurityDraft) -> SecureSettings? {
        let secure = draft.secure
        var settings = secure.settings
        settings.kind = draft.transport == .mqttsn ? .dtls : .tls
        settings.applicationProtocol = draft.transport == .websockets ? .http : .mqtt
        let takesKeys = settings.keyHint != nil || (isPerListener && security.keyFile != nil)
        if takesKeys { settings.keys = security.keyFile?.keys }
        settings.userName = userName(of: draft)
        guard checkPairs(secure), checkKeys(secure, security, takesKeys) else { return nil }
        guard !secure.certificates.isEmpty || takesKeys else {
            reportWithoutCertificate(secure)
            return nil
        }
        if settings.kind == .dtls {
            report(
                .error, at: secure.statements.first?.location ?? FileLocation(file: "", line: 0),
                "DTLS is not supported yet")
        }
        guard !unreadableListeners.contains(draft.location ?? FileLocation(file: "", line: 0)) else { return nil }
        settings.pairs = zip(secure.certificates, secure.keys).map { certificate, key in
            SecureSettings.Pair(certificates: certificate.bytes ?? [], key: SecretBytes(key.bytes ?? []))
        }
        checkClients(secure, settings)
        check(settings, secure, security)
        return settings
    }

    private func userName(of draft: ListenerDraft) -> SecureSettings.UserName {
        // Devices have no other way to say who they are.
        let usesIdentity = draft.secure.usesIdentity ?? (draft.transport == .mqttsn && !draft.secure.usesSubject)
        if usesIdentity { return draft.secure.identitySource ?? .commonName }
        return draft.secure.usesSubject ? .subject : .none
    }

    private mutating func checkPairs(_ secure: SecureDraft) -> Bool {
        let (certificates, keys) = (secure.certificates, secure.keys)
        if certificates.count > keys.count {
            report(
                .error, at: certificates[keys.count].statement.location,
                "\"certfile\" needs a `keyfile` in the same section: the first belongs to the first")
        } else if keys.count > certificates.count {
            report(
                .error, at: keys[certificates.count].statement.location,
                "\"keyfile\" needs a `certfile` in the same section: the first belongs to the first")
        }
        return certificates.count == keys.count
    }

    private mutating func checkKeys(_ secure: SecureDraft, _ security: SecurityDraft, _ takesKeys: Bool) -> Bool {
        guard takesKeys, security.keyFile == nil else { return true }
        report(
            .error, at: secure.place(of: "psk_hint") ?? FileLocation(file: "", line: 0),
            "\"psk_hint\" needs a `psk_file`, which holds the keys")
        return false
    }

    /// A listener that stays plain although its section speaks of security is more open than it looks.
    private mutating func reportWithoutCertificate(_ secure: SecureDraft) {
        let harmless: Set = ["require_certificate", "use_identity_as_username", "use_subject_as_username"]
        let isHarmless =
            secure.settings.clientCertificates == .ignored && secure.usesIdentity != true
            && !secure.usesSubject
        guard let first = secure.statements.first(where: { !isHarmless || !harmless.contains($0.name) }) else { return }
        guard first.name != "disable_client_cert_date_checks" || secure.settings.ignoresDates else { return }
        report(
            .error, at: first.location,
            "\(first.name.quoted) secures nothing by itself: it takes `certfile` and `keyfile`, or `psk_hint` and "
                + "`psk_file`")
    }

    /// Who is asked for what, and what it is held against.
    private mutating func checkClients(_ secure: SecureDraft, _ settings: SecureSettings) {
        let asks = settings.clientCertificates != .ignored
        func place(_ name: String) -> FileLocation { secure.place(of: name) ?? FileLocation(file: "", line: 0) }
        if asks, settings.authorities == nil, settings.authorityDirectory == nil {
            report(
                .error, at: place("require_certificate"),
                "\"require_certificate\" needs a `cafile` or `capath`: whose certificates are good")
        }
        if asks, settings.pairs.isEmpty {
            report(
                .error, at: place("require_certificate"),
                "\"require_certificate\" needs a `certfile` and a `keyfile`: who comes with a pre-shared key shows none"
            )
        }
        if !asks, settings.revocations != nil {
            report(.error, at: place("crlfile"), "\"crlfile\" has no effect without `require_certificate true`")
        }
        if settings.ignoresDates {
            report(
                .warning, at: place("disable_client_cert_date_checks"),
                "certificates of clients are taken before and after their time")
        }
        if secure.usesIdentity == true, secure.usesSubject {
            report(
                .error, at: place("use_subject_as_username"),
                "\"use_subject_as_username\" and `use_identity_as_username` are two names for one client: leave one out"
            )
        }
        let names = secure.usesIdentity == true ? "use_identity_as_username" : "use_subject_as_username"
        if settings.kind == .tls, settings.userName != .none, !asks, settings.keys == nil {
            report(
                .error, at: place(names),
                "\(names.quoted) lets nobody in: clients are asked for nothing; write `require_certificate true`, or "
                    + "`optional` where some come in another way")
        }
        if secure.identitySource != nil, settings.userName == .none || settings.userName == .subject {
            report(
                .error, at: place("identity_from"),
                "\"identity_from\" has no effect without `use_identity_as_username true`")
        }
    }

    /// Lets OpenSSL say what it thinks of it, since the gateway could not start otherwise.
    private mutating func check(_ settings: SecureSettings, _ secure: SecureDraft, _ security: SecurityDraft) {
        do throws(SecureTransportError) {
            _ = try SecureContext(settings)
        } catch {
            let statement: Statement?
            switch error.subject {
            case .certificate(let index): statement = secure.certificates[index].statement
            case .key(let index): statement = secure.keys[index].statement
            case .authorities: statement = secure.statements.first { $0.name == "cafile" }
            case .authorityDirectory: statement = secure.statements.first { $0.name == "capath" }
            case .revocations: statement = secure.statements.first { $0.name == "crlfile" }
            case .ciphers: statement = secure.statements.first { $0.name == "ciphers" }
            case .ciphersuites: statement = secure.statements.first { $0.name == "ciphers_tls1.3" }
            case .keyHint: statement = secure.statements.first { $0.name == "psk_hint" }
            case .nothingToShow, .library: statement = secure.statements.first
            }
            let place = statement?.location ?? FileLocation(file: "", line: 0)
            report(.error, at: place, "\((statement?.text ?? "").quoted): \(error)")
        }
    }

    /// Keys that no listener asks for: their owner believes something closed that is open.
    mutating func checkSharedKeys(_ used: [ListenerDraft]) {
        guard !isPerListener, let file = sharedSecurity.keyFile else { return }
        guard !used.contains(where: { $0.secure.settings.keyHint != nil }) else { return }
        report(
            .error, at: file.statement.location,
            "\"psk_file\" has no effect: no listener has a `psk_hint`, which lets clients with keys in")
    }
}

extension SecureSettings {
    /// Whether all who come show who they are, and have a user name by it.
    var namesEverybody: Bool {
        guard userName != .none else { return false }
        return pairs.isEmpty || clientCertificates == .required
    }
}
