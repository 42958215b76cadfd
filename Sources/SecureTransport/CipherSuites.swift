/// The cipher suites up to version 1.2 that are offered where the operator names none: forward secrecy for
/// certificates, authenticated encryption throughout (RFC 9325 §4.2). Which suites of TLS 1.3 there are is OpenSSL's.
enum CipherSuites {
    private static let certificates = ["ECDHE+AESGCM", "ECDHE+CHACHA20", "ECDHE+AESCCM"]
    /// What constrained devices have (RFC 7925 §4.2), those with forward secrecy first.
    private static let keys = [
        "ECDHE-PSK-CHACHA20-POLY1305", "DHE-PSK-AES128-GCM-SHA256", "PSK-AES128-GCM-SHA256", "PSK-AES256-GCM-SHA384",
        "PSK-CHACHA20-POLY1305", "PSK-AES128-CCM", "PSK-AES128-CCM8", "ECDHE-PSK-AES128-CBC-SHA256",
    ]

    static func list(for settings: SecureSettings) -> String {
        let some = (settings.pairs.isEmpty ? [] : certificates) + (settings.keys == nil ? [] : keys)
        return (some + ["!aNULL", "!eNULL"]).joined(separator: ":")
    }
}
