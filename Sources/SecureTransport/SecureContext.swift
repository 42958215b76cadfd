internal import Bytes
internal import COpenSSL

/// What all sessions of one secured listener share: certificates, keys, authorities and rules.
///
/// No session is ever resumed: there are no tickets and no cache, so that whoever comes shows anew who it is, by a
/// certificate that is not revoked, or by a key that is still there [M-111]. A session keeps the context under which
/// it began; a listener may get another one at any time.
///
/// Nothing of it changes once it is made, and OpenSSL lets threads share its part: so it may cross threads.
package final class SecureContext: @unchecked Sendable {
    package let settings: SecureSettings
    /// OpenSSL's SSL_CTX.
    let pointer: OpaquePointer
    private let delegate: UnsafeMutablePointer<copenssl_delegate>
    /// Each with its place in the settings.
    private var pairs: [OpaquePointer] = []

    /// Fails for settings that make no sense together, or that OpenSSL does not understand; reads nothing but the
    /// directory of authorities, when clients come.
    package init(_ settings: SecureSettings) throws(SecureTransportError) {
        guard let pointer = copenssl_context_new(settings.kind == .dtls) else {
            throw SecureTransportError(.library, "OpenSSL makes no context: is there memory?")
        }
        self.settings = settings
        self.pointer = pointer
        delegate = .allocate(capacity: 1)
        delegate.initialize(to: copenssl_delegate())
        delegate.pointee.owner = Unmanaged.passUnretained(self).toOpaque()
        delegate.pointee.named = { owner, session, name in
            guard let owner, let session, let name else { return }
            Unmanaged<SecureContext>.fromOpaque(owner).takeUnretainedValue().choosePairs(for: name, session)
        }
        delegate.pointee.key = { owner, session, identity, key, room in
            guard let owner, let session, let identity, let key else { return 0 }
            let context = Unmanaged<SecureContext>.fromOpaque(owner).takeUnretainedValue()
            let room = UnsafeMutableBufferPointer(start: key, count: Int(room))
            return context.writeKey(of: identity, session, to: room)
        }
        copenssl_set_delegate(pointer, delegate)
        try readPairs()
        try setVersions()
        try setKeys()
        try setAuthorities()
    }

    deinit {
        copenssl_context_free(pointer)
        for pair in pairs { copenssl_pair_free(pair) }
        delegate.deinitialize(count: 1)
        delegate.deallocate()
    }

    /// When the first of our certificates ends, in seconds since 1970; nil without certificates.
    package var expires: Int64? { pairs.map { copenssl_pair_expires($0) }.min() }

    // MARK: Building

    private func readPairs() throws(SecureTransportError) {
        for (index, pair) in settings.pairs.enumerated() {
            var fault = COPENSSL_PAIR_FINE
            let read = copenssl_pair_read(
                pair.certificates, pair.certificates.count, pair.key.bytes, pair.key.bytes.count, &fault)
            guard let read else { throw Self.error(fault, ofPair: index) }
            pairs.append(read)
        }
        guard let first = pairs.first else {
            if settings.keys != nil { return }
            throw SecureTransportError(.nothingToShow, "there is neither a certificate nor a pre-shared key")
        }
        guard copenssl_pair_use(pointer, first) else {
            throw SecureTransportError(
                .certificate(0), "OpenSSL does not take the certificate: its key or its signature may be too weak")
        }
    }

    private static func error(_ fault: copenssl_pair_fault, ofPair index: Int) -> SecureTransportError {
        switch fault {
        case COPENSSL_PAIR_CERTIFICATE_UNREADABLE:
            SecureTransportError(.certificate(index), "it holds no certificate in PEM form, or one that is damaged")
        case COPENSSL_PAIR_KEY_UNREADABLE:
            SecureTransportError(.key(index), "it holds no private key in PEM form, or one that is damaged")
        case COPENSSL_PAIR_KEY_ENCRYPTED:
            SecureTransportError(
                .key(index), "the private key has a passphrase, which nobody could enter: `openssl pkey` takes it off")
        case COPENSSL_PAIR_KEY_OF_ANOTHER:
            SecureTransportError(.key(index), "the private key belongs to another certificate")
        case COPENSSL_PAIR_FINE:
            SecureTransportError(.library, "OpenSSL has no memory for the certificate")
        default:
            SecureTransportError(.library, "OpenSSL does not take the certificate")
        }
    }

    private func setVersions() throws(SecureTransportError) {
        if settings.kind == .tls, settings.versionMin == .v1_3, !copenssl_set_minimum(pointer, 0x0304) {
            throw SecureTransportError(.library, "this OpenSSL has no TLS 1.3")
        }
        guard copenssl_set_ciphers(pointer, settings.ciphers ?? CipherSuites.list(for: settings)) else {
            throw SecureTransportError(
                .ciphers, "OpenSSL finds no cipher suite by it, or one that neither hides nor proves anything")
        }
        if let suites = CipherSuites.suites(for: settings), !copenssl_set_ciphersuites(pointer, suites) {
            throw SecureTransportError(.ciphersuites, "OpenSSL finds no cipher suites of TLS 1.3 by it")
        }
        guard settings.kind == .tls else { return }
        switch settings.applicationProtocol {
        case .mqtt: copenssl_set_protocol(pointer, COPENSSL_PROTOCOL_MQTT)
        case .http: copenssl_set_protocol(pointer, COPENSSL_PROTOCOL_HTTP)
        }
    }

    private func setKeys() throws(SecureTransportError) {
        guard settings.keys != nil else { return }
        guard let hint = settings.keyHint else {
            _ = copenssl_use_keys(pointer, nil)
            return
        }
        let isTaken = (hint.bytes + [0]).withUnsafeBytes { bytes in
            copenssl_use_keys(pointer, bytes.assumingMemoryBound(to: CChar.self).baseAddress)
        }
        guard isTaken else { throw SecureTransportError(.keyHint, "the hint is longer than 256 bytes") }
    }

    private func setAuthorities() throws(SecureTransportError) {
        switch settings.clientCertificates {
        case .ignored: copenssl_set_verification(pointer, COPENSSL_VERIFY_NOBODY)
        case .optional: copenssl_set_verification(pointer, COPENSSL_VERIFY_IF_GIVEN)
        case .required: copenssl_set_verification(pointer, COPENSSL_VERIFY_ALL)
        }
        if let pem = settings.authorities, copenssl_trust(pointer, pem, pem.count) <= 0 {
            throw SecureTransportError(.authorities, "it holds no certificates in PEM form, or some that are damaged")
        }
        if let directory = settings.authorityDirectory, !copenssl_trust_directory(pointer, directory) {
            throw SecureTransportError(.authorityDirectory, "OpenSSL does not take it as a directory of certificates")
        }
        if let pem = settings.revocations, copenssl_revoke(pointer, pem, pem.count) <= 0 {
            throw SecureTransportError(
                .revocations, "it holds no revocation list in PEM form, or one that is damaged")
        }
        if settings.ignoresDates { copenssl_ignore_dates(pointer) }
    }

    // MARK: While clients shake hands

    /// The client asks for a name: it gets the pairs that are for it, or, as without a name, the first [M-112].
    private func choosePairs(for name: UnsafePointer<CChar>, _ session: OpaquePointer) {
        guard pairs.count > 1 else { return }
        let fitting = pairs.filter { copenssl_pair_fits($0, name) }
        guard !fitting.isEmpty else { return }
        copenssl_pairs_clear(session)
        for pair in fitting { _ = copenssl_pair_choose(session, pair) }
    }

    /// Who has an identity that nobody knows learns as much as who has the wrong key (attack case 129). In TLS 1.3
    /// keys are but offered: who has an unknown one may go on with our certificate.
    private func writeKey(
        of identity: UnsafePointer<CChar>, _ session: OpaquePointer, to room: UnsafeMutableBufferPointer<UInt8>
    ) -> UInt32 {
        let name = ByteString(Array(UnsafeRawBufferPointer(start: identity, count: identity.byteCount)))
        if let key = settings.keys?.key(of: name)?.bytes, key.count <= room.count {
            _ = room.update(fromContentsOf: key)
            return UInt32(key.count)
        }
        if copenssl_is_tls13(session), !pairs.isEmpty { return 0 }
        let count = min(32, room.count)
        return copenssl_random(room.baseAddress, count) ? UInt32(count) : 0
    }
}

extension UnsafePointer<CChar> {
    /// How many bytes there are before the NUL.
    var byteCount: Int {
        var count = 0
        while self[count] != 0 { count += 1 }
        return count
    }
}
