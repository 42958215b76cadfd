/// The cipher suites up to version 1.2 that are offered where the operator names none: forward secrecy for
/// certificates, authenticated encryption throughout (RFC 9325 §4.2). Which suites of TLS 1.3 there are is OpenSSL's.
enum CipherSuites {
    private static let certificates = ["ECDHE+AESGCM", "ECDHE+CHACHA20", "ECDHE+AESCCM"]
    /// What constrained devices have (RFC 7925 §4.2), those with forward secrecy first.
    private static let keys = [
        "ECDHE-PSK-CHACHA20-POLY1305", "DHE-PSK-AES128-GCM-SHA256", "PSK-AES128-GCM-SHA256", "PSK-AES256-GCM-SHA384",
        "PSK-CHACHA20-POLY1305", "PSK-AES128-CCM", "PSK-AES128-CCM8", "ECDHE-PSK-AES128-CBC-SHA256",
    ]

    /// Those of TLS 1.3, where not OpenSSL's order is meant: a pre-shared key works with the hash of the first alone.
    static func suites(for settings: SecureSettings) -> String? {
        if let suites = settings.ciphersuites { return suites }
        return settings.keys == nil
            ? nil : "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
    }

    static func list(for settings: SecureSettings) -> String {
        let some = (settings.pairs.isEmpty ? [] : certificates) + (settings.keys == nil ? [] : keys)
        return (some + ["!aNULL", "!eNULL"]).joined(separator: ":")
    }
}
