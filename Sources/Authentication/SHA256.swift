internal import COpenSSL

/// SHA-256 (FIPS 180-4) and what is built from it, by OpenSSL's libcrypto.
package enum SHA256 {
    /// Bytes of a digest.
    package static let digestBytes = 32

    /// The digest of `bytes`.
    package static func digest(_ bytes: [UInt8]) throws(AuthenticationFailure) -> [UInt8] {
        try filled { copenssl_sha256(bytes, bytes.count, $0) }
    }

    /// HMAC-SHA-256: RFC 2104.
    package static func hmac(key: [UInt8], _ bytes: [UInt8]) throws(AuthenticationFailure) -> [UInt8] {
        try filled { copenssl_hmac_sha256(key, key.count, bytes, bytes.count, $0) }
    }

    /// PBKDF2 of 32 bytes: RFC 8018, what RFC 5802 calls Hi().
    package static func pbkdf2(
        password: [UInt8], salt: [UInt8], iterations: Int
    ) throws(AuthenticationFailure) -> [UInt8] {
        try filled {
            copenssl_pbkdf2_sha256(password, password.count, salt, salt.count, Int32(clamping: iterations), $0)
        }
    }

    /// Compares without telling by its time where two digests differ.
    package static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && copenssl_equal(left, right, left.count)
    }

    private static func filled(
        _ body: (UnsafeMutablePointer<UInt8>) -> Bool
    ) throws(AuthenticationFailure) -> [UInt8] {
        let digest = [UInt8](unsafeUninitializedCapacity: digestBytes) { buffer, count in
            guard let start = buffer.baseAddress, body(start) else { return }
            count = digestBytes
        }
        guard digest.count == digestBytes else { throw .digestUnavailable }
        return digest
    }
}
