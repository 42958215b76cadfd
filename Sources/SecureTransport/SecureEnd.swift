internal import COpenSSL

/// How a secured session came to its end.
package enum SecureEnd: Error, Equatable, Sendable {
    /// The peer said that nothing more comes (close_notify).
    case closedByPeer
    /// We said so.
    case closed
    /// The session never began.
    case handshakeFailed(HandshakeFault)
    /// A record was forged, damaged or out of place; OpenSSL's words for it.
    case broken(String)
    /// The peer asked for too much beside data: new keys, other handshakes (CVE-2026-39304).
    case tooManyMessages
}

/// Why a handshake failed.
package enum HandshakeFault: Equatable, Sendable {
    /// What came is no TLS.
    case notTLS
    /// No version in common.
    case version
    /// No cipher suite in common, or none that fits our certificate.
    case noCipher
    /// No application protocol in common (RFC 7301 §3.2).
    case noProtocol
    /// The client has no certificate and needs one.
    case noCertificate
    /// The client's certificate is not good; OpenSSL's words for it.
    case badCertificate(String)
    /// The client's certificate has no name that can be a user name.
    case unusableName
    /// Unknown identity, or wrong key: which of the two is nobody's business.
    case wrongKey
    /// The client refused; the alert's name.
    case refused(String)
    /// The client said more than a handshake has.
    case tooLong
    /// OpenSSL's words for whatever else it is.
    case other(String)
}

extension SecureEnd: CustomStringConvertible {
    package var description: String {
        switch self {
        case .closedByPeer: "the client closed it"
        case .closed: "it was closed"
        case .handshakeFailed(let fault): "handshake failed, \(fault)"
        case .broken(let words): "a record is damaged or out of place (\(words))"
        case .tooManyMessages: "the client asked for new keys or handshakes too often"
        }
    }
}

extension HandshakeFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notTLS: "the client speaks no TLS"
        case .version: "the client and this listener have no version of TLS in common"
        case .noCipher: "the client and this listener have no cipher suite in common"
        case .noProtocol: "the client wants another protocol (ALPN)"
        case .noCertificate: "the client shows no certificate"
        case .badCertificate(let words): "the client's certificate is not accepted: \(words)"
        case .unusableName: "the client's certificate has no name that can be a user name"
        case .wrongKey: "the client's identity is unknown or its key is wrong"
        case .refused(let alert): "the client refuses: \(alert)"
        case .tooLong: "the client said more than a handshake has"
        case .other(let words): words
        }
    }
}

extension SecureEnd {
    /// Takes the fault of the call to OpenSSL that has just failed.
    init(failed session: OpaquePointer, inHandshake: Bool) {
        var text: UnsafePointer<CChar>?
        let fault = copenssl_take_fault(session, &text)
        let words = text.map { String(cString: $0) } ?? "OpenSSL does not say why"
        guard inHandshake else {
            self = .broken(words)
            return
        }
        self = .handshakeFailed(HandshakeFault(fault, words))
    }
}

extension HandshakeFault {
    fileprivate init(_ fault: copenssl_fault, _ words: String) {
        switch fault {
        case COPENSSL_FAULT_NOT_TLS: self = .notTLS
        case COPENSSL_FAULT_VERSION: self = .version
        case COPENSSL_FAULT_NO_CIPHER: self = .noCipher
        case COPENSSL_FAULT_NO_CERTIFICATE: self = .noCertificate
        case COPENSSL_FAULT_CERTIFICATE: self = .badCertificate(words)
        case COPENSSL_FAULT_NO_PROTOCOL: self = .noProtocol
        case COPENSSL_FAULT_WRONG_KEY: self = .wrongKey
        case COPENSSL_FAULT_ALERT: self = .refused(words)
        default: self = .other(words)
        }
    }
}
