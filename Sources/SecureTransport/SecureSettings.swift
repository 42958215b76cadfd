package import Bytes

/// What a secured listener is to be: certificates and keys as their files hold them, and who may come.
///
/// A value without anything of OpenSSL in it: `SecureContext` says whether it makes sense.
package struct SecureSettings: Equatable, Sendable {
    /// What is secured.
    package enum Kind: Equatable, Sendable {
        /// A stream: TLS 1.2 and 1.3 (RFC 5246, RFC 8446).
        case tls
        /// Datagrams: DTLS 1.2 (RFC 6347).
        case dtls
    }

    /// The lowest version of TLS that is spoken; what is older than 1.2 never is (RFC 9325 §3.1.1).
    package enum Version: Equatable, Sendable {
        case v1_2, v1_3
    }

    /// What clients that name a protocol at all must name (ALPN, RFC 7301) [M-110].
    package enum ApplicationProtocol: Equatable, Sendable {
        /// `mqtt`.
        case mqtt
        /// `http/1.1`: for WebSocket.
        case http
    }

    /// What is asked of clients.
    package enum ClientCertificates: Equatable, Sendable {
        /// No certificate is asked for.
        case ignored
        /// Who has one shows it, and it must be good; who has none comes without.
        case optional
        /// Nobody comes without a good certificate, or a pre-shared key.
        case required
    }

    /// Which part of what a client has shown is its user name. A pre-shared key's identity is one in each case but
    /// `none`.
    package enum UserName: Equatable, Sendable {
        /// Nothing of it: the client says who it is in another way.
        case none
        /// The subject's common name.
        case commonName
        /// The whole subject, as RFC 2253 writes it.
        case subject
        /// The first alternative name of this kind.
        case dnsName, uri, email
    }

    /// A certificate and its private key, both as PEM texts; the certificate is followed by its chain.
    package struct Pair: Equatable, Sendable {
        package var certificates: [UInt8]
        package var key: SecretBytes

        package init(certificates: [UInt8], key: SecretBytes) {
            self.certificates = certificates
            self.key = key
        }
    }

    package var kind: Kind
    /// What we show of ourselves: the pairs for the name that a client asks for, else the first.
    package var pairs: [Pair] = []
    /// The authorities of clients' certificates, as a PEM text; nil for none.
    package var authorities: [UInt8]?
    /// A directory of authorities, as `openssl rehash` makes it; nil for none.
    package var authorityDirectory: String?
    /// Revocation lists, as a PEM text; nil for none.
    package var revocations: [UInt8]?
    package var clientCertificates = ClientCertificates.ignored
    /// Whether certificates of clients are taken before and after their time.
    package var ignoresDates = false
    package var versionMin = Version.v1_2
    /// Cipher suites up to TLS 1.2 in OpenSSL's notation; nil for ours.
    package var ciphers: String?
    /// Cipher suites of TLS 1.3; nil for OpenSSL's.
    package var ciphersuites: String?
    package var applicationProtocol = ApplicationProtocol.mqtt
    /// The keys that clients may have instead of certificates; nil: they may not.
    package var keys: PreSharedKeys?
    /// What clients with keys are told about which to take; 256 bytes at most.
    package var keyHint: ByteString?
    package var userName = UserName.none

    package init(kind: Kind) {
        self.kind = kind
    }

    /// Whether clients that have no user name by what they have shown are to be turned away: they were asked for it.
    package var demandsIdentity: Bool { userName != .none && clientCertificates != .optional }
}

/// Bytes that no log and no error message shows.
package struct SecretBytes: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package var description: String { "(secret)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
