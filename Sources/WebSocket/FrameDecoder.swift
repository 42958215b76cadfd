package import Bytes

/// What frames bring: a part of a message as soon as it is there, or a whole control frame.
package enum WebSocketPiece {
    /// Unmasked bytes of a message of this kind, perhaps none; and whether the message ends with them.
    case message(Opcode, ByteView, isLast: Bool)
    /// A control frame; its bytes are `FrameDecoder.control`.
    case control(Opcode)
}

/// A client's frames, from bytes cut anywhere (RFC 6455 §5).
///
/// A long frame is not collected: what is there of it is handed on. Each byte is judged in order, so that the same
/// bytes have the same outcome however they are cut.
struct FrameDecoder {
    let takesText: Bool
    /// The payload of the control frame that was met last; 125 bytes at most.
    private(set) var control: [UInt8] = []
    /// How many frames have begun.
    private(set) var frames: UInt64 = 0

    /// The head of the next frame, as far as it is there.
    private var head = InlineArray<14, UInt8>(repeating: 0)
    private var headCount = 0
    /// How long the head is, as far as its first two bytes tell.
    private var headLength = 2
    /// Whether the head is complete and `left` bytes of payload follow.
    private var isInPayload = false
    private var left: UInt64 = 0
    private var mask = Mask()
    private var opcode = Opcode.continuation
    private var isFinal = false
    /// The kind of the message that has begun and not ended.
    private var message: Opcode?
    private var emptyFrames = 0

    init(takesText: Bool) {
        self.takesText = takesText
    }

    /// Takes bytes from the front of `input` up to the next piece; nil when there is none and the input is used up.
    ///
    /// - Parameter destination: where bytes of messages go, unmasked: the beginning of `input` or before it.
    mutating func next(
        _ input: inout UnsafeMutableRawBufferPointer, to destination: UnsafeMutableRawPointer
    ) throws(WebSocketFault) -> WebSocketPiece? {
        while true {
            if !isInPayload {
                guard try readHead(&input) else { return nil }
            }
            if left > 0, input.isEmpty { return nil }
            let count = Int(min(left, UInt64(input.count)))
            left -= UInt64(count)
            isInPayload = left > 0
            let bytes = UnsafeMutableRawBufferPointer(rebasing: input[..<count])
            input = UnsafeMutableRawBufferPointer(rebasing: input[count...])
            if opcode.isControl {
                for byte in bytes { control.append(byte ^ mask.next()) }
                if !isInPayload { return .control(opcode) }
            } else {
                if let source = bytes.baseAddress { mask.apply(from: source, to: destination, count: count) }
                return endPart(ByteView(start: UnsafeRawPointer(destination), count: count))
            }
        }
    }

    private mutating func endPart(_ bytes: ByteView) -> WebSocketPiece {
        let kind = message ?? opcode
        let isLast = isFinal && !isInPayload
        if isLast { message = nil }
        if !bytes.isEmpty { emptyFrames = 0 }
        return .message(kind, bytes, isLast: isLast)
    }

    // MARK: The head of a frame

    /// Takes the bytes of a head. True when it is complete.
    private mutating func readHead(_ input: inout UnsafeMutableRawBufferPointer) throws(WebSocketFault) -> Bool {
        var taken = 0
        while headCount < headLength {
            guard taken < input.count else {
                input = UnsafeMutableRawBufferPointer(rebasing: input[taken...])
                return false
            }
            head[headCount] = input[taken]
            headCount += 1
            taken += 1
            switch headCount {
            case 1: try firstByteRead(head[0])
            case 2: try secondByteRead(head[1])
            case 4 where headLength == 8, 10 where headLength == 14: try lengthRead()
            default: break
            }
        }
        input = UnsafeMutableRawBufferPointer(rebasing: input[taken...])
        try beginPayload()
        return true
    }

    private mutating func firstByteRead(_ byte: UInt8) throws(WebSocketFault) {
        guard byte & 0x70 == 0 else { throw .reservedBits }
        guard let opcode = Opcode(rawValue: byte & 0x0F) else { throw .reservedOpcode }
        self.opcode = opcode
        isFinal = byte & 0x80 != 0
        frames += 1
        switch opcode {
        case .close, .ping, .pong:
            guard isFinal else { throw .controlFragmented }
            control.removeAll(keepingCapacity: true)
        case .continuation:
            guard message != nil else { throw .nothingToContinue }
        case .text, .binary:
            guard message == nil else { throw .messageInterrupted }
            guard takesText || opcode == .binary else { throw .text }  // [MQTT-6.0.0-1]
            message = opcode
        }
    }

    private mutating func secondByteRead(_ byte: UInt8) throws(WebSocketFault) {
        guard byte & 0x80 != 0 else { throw .unmasked }
        let length = byte & 0x7F
        guard length <= 125 || !opcode.isControl else { throw .controlTooLong }
        switch length {
        case 126: headLength = 8
        case 127: headLength = 14
        default:
            headLength = 6
            left = UInt64(length)
        }
    }

    /// The length in two or eight bytes is there.
    private mutating func lengthRead() throws(WebSocketFault) {
        left = 0
        for index in 2..<headCount { left = left << 8 | UInt64(head[index]) }
        guard left >> 63 == 0 else { throw .lengthTooLong }
        guard left > (headCount == 4 ? 125 : 0xFFFF) else { throw .lengthNotMinimal }
    }

    private mutating func beginPayload() throws(WebSocketFault) {
        let start = headLength - 4
        mask = Mask(head[start], head[start + 1], head[start + 2], head[start + 3])
        headCount = 0
        headLength = 2
        isInPayload = true
        guard left == 0, !opcode.isControl else { return }
        emptyFrames += 1
        guard emptyFrames <= WebSocketLimits.emptyFramesMax else { throw .tooManyEmptyFrames }  // [M-53]
    }
}
