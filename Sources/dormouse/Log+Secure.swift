import Configuration
import Glibc
import SecureTransport

extension Log {
    /// How long before the end of a certificate its owner is told, in days.
    private static let daysOfNotice: Int64 = 14

    /// Tells that a listener's certificate ends soon, or has ended: clients will not come any more.
    func warn(of security: SecureContext, on port: UInt16) {
        guard let expires = security.expires else { return }
        let left = expires - Int64(time(nil))
        if left < 0 {
            say(.warning, "a certificate of listener \(port) has ended: clients that look will not come")
        } else if left < Self.daysOfNotice * 86_400 {
            say(.warning, "a certificate of listener \(port) ends in \(left / 86_400) days: renew it, then SIGHUP")
        }
    }
}
