/// What a client's frames break of RFC 6455, or of what MQTT allows in them.
package enum WebSocketFault: Error, Equatable, Sendable {
    /// RSV1 to RSV3, which only extensions use, and none is negotiated (§5.2).
    case reservedBits
    /// Opcodes 3 to 7 and 11 to 15 (§5.2).
    case reservedOpcode
    /// A frame of a client without a mask (§5.1).
    case unmasked
    /// A length in more bytes than it needs (§5.2).
    case lengthNotMinimal
    /// A length with the highest of its 64 bits set (§5.2).
    case lengthTooLong
    /// A control frame of more than 125 bytes (§5.5).
    case controlTooLong
    /// A control frame without FIN (§5.5).
    case controlFragmented
    /// A continuation where no message has begun (§5.4).
    case nothingToContinue
    /// A new message before the last one's end (§5.4).
    case messageInterrupted
    /// A message of text: MQTT travels in binary ones [MQTT-6.0.0-1].
    case text
    /// A message of text that is no UTF-8 (§8.1): for layers that take text.
    case textInvalid
    /// A Close frame of one byte, or with a code that none may carry (§7.4).
    case closeCodeInvalid
    /// A Close frame whose reason is no UTF-8 (§5.5.1).
    case closeReasonInvalid
    /// Frames without a byte in them, over and over [M-53].
    case tooManyEmptyFrames

    /// What the Close frame says about it.
    package var closeCode: CloseCode {
        switch self {
        case .reservedBits, .reservedOpcode, .unmasked, .lengthNotMinimal, .lengthTooLong, .controlTooLong,
            .controlFragmented, .nothingToContinue, .messageInterrupted, .closeCodeInvalid:
            .protocolError
        case .text: .unsupportedData
        case .textInvalid, .closeReasonInvalid: .invalidPayload
        case .tooManyEmptyFrames: .policyViolation
        }
    }
}

extension WebSocketFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .reservedBits: "a reserved bit is set"
        case .reservedOpcode: "a reserved opcode"
        case .unmasked: "a frame is not masked"
        case .lengthNotMinimal: "a length is not in its shortest form"
        case .lengthTooLong: "a length has its highest bit set"
        case .controlTooLong: "a control frame of more than 125 bytes"
        case .controlFragmented: "a control frame is fragmented"
        case .nothingToContinue: "a continuation without a beginning"
        case .messageInterrupted: "a message begins inside another"
        case .text: "a text message, where MQTT is binary"
        case .textInvalid: "text that is no UTF-8"
        case .closeCodeInvalid: "an invalid code in Close"
        case .closeReasonInvalid: "the reason in Close is no UTF-8"
        case .tooManyEmptyFrames: "too many empty frames"
        }
    }
}
