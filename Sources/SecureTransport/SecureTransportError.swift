/// Why settings make no context.
package struct SecureTransportError: Error, Equatable, CustomStringConvertible {
    /// The part of the settings that is at fault.
    package enum Subject: Equatable, Sendable {
        /// The certificate, or the key, of the pair with this number.
        case certificate(Int), key(Int)
        case authorities, authorityDirectory, revocations, ciphers, ciphersuites, keyHint
        /// What is missing altogether.
        case nothingToShow
        /// No part of them: OpenSSL itself.
        case library
    }

    package var subject: Subject
    /// A clause for people, such as "the key belongs to another certificate".
    package var description: String

    package init(_ subject: Subject, _ description: String) {
        self.subject = subject
        self.description = description
    }
}
