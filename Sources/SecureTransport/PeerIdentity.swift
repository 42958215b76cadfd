package import Bytes
internal import COpenSSL

/// What a peer has shown of itself by its handshake.
package struct PeerIdentity: Equatable, Sendable {
    /// Whether it has shown a certificate that is good, or has a pre-shared key.
    package var isProven = false
    /// Its user name, as far as the settings take one from what it has shown.
    package var userName: ByteString?

    package init(isProven: Bool = false, userName: ByteString? = nil) {
        self.isProven = isProven
        self.userName = userName
    }
}

extension SecureContext {
    /// A name longer than this is nobody's, in bytes.
    private static let nameBytesMax = 1_024

    /// What the peer of a session whose handshake is done has shown; a fault for a certificate that should have a
    /// name and has none that can be one (attack case 89): a name with a NUL byte would be another one to whoever
    /// reads it up to there.
    func identity(of session: OpaquePointer) throws(SecureEnd) -> PeerIdentity {
        if let identity = copenssl_peer_identity(session) {
            let name = ByteString(Array(UnsafeRawBufferPointer(start: identity, count: identity.byteCount)))
            return PeerIdentity(isProven: true, userName: settings.userName == .none ? nil : try Self.checked(name))
        }
        guard settings.clientCertificates != .ignored, copenssl_has_certificate(session) else { return PeerIdentity() }
        guard let kind = settings.userName.kind else { return PeerIdentity(isProven: true) }
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.nameBytesMax) { room, count in
            count = max(0, copenssl_peer_name(session, kind, room.baseAddress, room.count))
        }
        return PeerIdentity(isProven: true, userName: try Self.checked(ByteString(bytes)))
    }

    private static func checked(_ name: ByteString) throws(SecureEnd) -> ByteString {
        guard !name.isEmpty, name.withView({ $0.isMQTTString }) else { throw .handshakeFailed(.unusableName) }
        return name
    }
}

extension SecureSettings.UserName {
    fileprivate var kind: copenssl_name_kind? {
        switch self {
        case .none: nil
        case .commonName: COPENSSL_NAME_COMMON
        case .subject: COPENSSL_NAME_SUBJECT
        case .dnsName: COPENSSL_NAME_DNS
        case .uri: COPENSSL_NAME_URI
        case .email: COPENSSL_NAME_EMAIL
        }
    }
}
