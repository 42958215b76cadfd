internal import Bytes
internal import SecureTransport

/// What a section says about TLS or DTLS, while the file is read.
struct SecureDraft {
    /// One `certfile` or `keyfile`.
    struct Part {
        var statement: Statement
        /// What stands in it; nil if it could not be read.
        var bytes: [UInt8]?
    }

    /// The words of `identity_from`.
    static let identitySources: [(name: String, source: SecureSettings.UserName)] = [
        ("cn", .commonName), ("san_dns", .dnsName), ("san_uri", .uri), ("san_email", .email),
    ]

    /// What needs no other directive to be understood.
    var settings = SecureSettings(kind: .tls)
    /// In the order of the file: the first certificate belongs to the first key.
    var certificates: [Part] = []
    var keys: [Part] = []
    var usesIdentity: Bool?
    var usesSubject = false
    var identitySource: SecureSettings.UserName?
    /// Every statement of the section that is about security, in the order of the file.
    var statements: [Statement] = []

    /// Where a directive stands that was given.
    func place(of name: String) -> FileLocation? {
        statements.first { $0.name == name }?.location
    }
}

/// A `psk_file` that was read.
struct KeyFile {
    var statement: Statement
    /// Nil if it could not be read.
    var keys: PreSharedKeys?
}

/// A file that a directive about security names, and that is read before the next statement.
struct SecureFile {
    /// What stands in it.
    enum Purpose {
        case certificate, key, authorities, revocations, keys

        /// Whether nobody else should be able to read it.
        var isSecret: Bool {
            switch self {
            case .key, .keys: true
            case .certificate, .authorities, .revocations: false
            }
        }
    }

    var purpose: Purpose
    var statement: Statement
}

extension ListenerConfiguration {
    /// What secures the listener, in a few words: `TLS`, `DTLS with 3 pre-shared keys`; empty for nothing.
    var securitySummary: String {
        guard let security else { return "" }
        var words = security.kind == .tls ? ", TLS" : ", DTLS"
        if security.pairs.count > 1 { words += " with \(security.pairs.count) certificates" }
        switch security.clientCertificates {
        case .ignored: break
        case .optional: words += ", certificates of clients taken"
        case .required: words += ", certificates of clients required"
        }
        if let keys = security.keys { words += ", \(keys.count) pre-shared \(keys.count == 1 ? "key" : "keys")" }
        if security.userName != .none { words += ", who show who they are" }
        return words
    }
}
