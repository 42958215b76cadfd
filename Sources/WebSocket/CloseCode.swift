/// Why a WebSocket ends, as a Close frame says it (RFC 6455 §7.4).
package struct CloseCode: RawRepresentable, Equatable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    package static let normal = CloseCode(rawValue: 1000)
    package static let goingAway = CloseCode(rawValue: 1001)
    package static let protocolError = CloseCode(rawValue: 1002)
    package static let unsupportedData = CloseCode(rawValue: 1003)
    package static let invalidPayload = CloseCode(rawValue: 1007)
    package static let policyViolation = CloseCode(rawValue: 1008)

    /// Whether a Close frame may say it: the codes of RFC 6455 §7.4.1 and those registered since, without the ones
    /// that only describe a connection from outside (1005, 1006, 1015), and the ranges of libraries and applications.
    package var maySay: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
