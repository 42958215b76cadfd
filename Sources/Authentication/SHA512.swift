internal import COpenSSL

/// SHA-512 (FIPS 180-4) and what is built from it, by OpenSSL's libcrypto.
enum SHA512 {
    /// Bytes of a digest.
    static let digestBytes = 64

    /// The digest of two pieces, one behind the other.
    static func digest(_ first: [UInt8], _ second: [UInt8]) throws(AuthenticationFailure) -> [UInt8] {
        try filled { copenssl_sha512(first, first.count, second, second.count, $0) }
    }

    /// PBKDF2 of 64 bytes: RFC 8018.
    static func pbkdf2(
        password: [UInt8], salt: [UInt8], iterations: Int
    ) throws(AuthenticationFailure) -> [UInt8] {
        try filled {
            copenssl_pbkdf2_sha512(password, password.count, salt, salt.count, Int32(clamping: iterations), $0)
        }
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
