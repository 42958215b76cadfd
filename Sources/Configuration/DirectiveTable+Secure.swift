internal import SecureTransport

extension DirectiveTable {
    /// TLS and DTLS: certificates, keys, and who may come by them.
    static let secureRows: [Directive] = [
        .own("certfile", in: .listener, "a file") { $0.nameSecureFile(.certificate, $1) },
        .own("keyfile", in: .listener, "a file") { $0.nameSecureFile(.key, $1) },
        .text("cafile", in: .listener, "a file") { $0.nameSecureFile(.authorities, $1) },
        .text("capath", in: .listener, "a directory") { $0.listener.secure.settings.authorityDirectory = $1.text },
        .text("crlfile", in: .listener, "a file") { $0.nameSecureFile(.revocations, $1) },
        .word("require_certificate", in: .listener, ["true", "false", "optional"]) {
            $0.listener.secure.settings.clientCertificates =
                $1 == "true" ? .required : $1 == "optional" ? .optional : .ignored
        },
        .flag("disable_client_cert_date_checks", in: .listener) { $0.listener.secure.settings.ignoresDates = $1 },
        .flag("use_identity_as_username", in: .listener) { $0.listener.secure.usesIdentity = $1 },
        .flag("use_subject_as_username", in: .listener) { $0.listener.secure.usesSubject = $1 },
        .word("identity_from", in: .listener, SecureDraft.identitySources.map { $0.name }) { draft, word in
            draft.listener.secure.identitySource =
                SecureDraft.identitySources.first { $0.name == word }?.source ?? .commonName
        },
        .word("tls_version", in: .listener, ["tlsv1.2", "tlsv1.3"]) {
            $0.listener.secure.settings.versionMin = $1 == "tlsv1.3" ? .v1_3 : .v1_2
        },
        .text("ciphers", in: .listener, "cipher suites") { $0.listener.secure.settings.ciphers = $1.text },
        .text("ciphers_tls1.3", in: .listener, "cipher suites") {
            $0.listener.secure.settings.ciphersuites = $1.text
        },
        .text("psk_hint", in: .listener, "a hint") { $0.setKeyHint($1) },
        .text("psk_file", in: .security, "a file") { $0.nameSecureFile(.keys, $1) },
    ]

    /// Their names: what is said about a listener's security.
    static let secureNames = Set(secureRows.map { $0.name })
}
