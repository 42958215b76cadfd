internal import Bytes

/// Collects the head of the client's request, up to its empty line, and nothing that follows.
///
/// Each byte is looked at once, in order, and the first fault decides: however the bytes are cut into reads, the
/// outcome is the same. What gets through has lines that end in CRLF, no other control byte but the tab, and is not
/// longer than the limits.
struct HandshakeReader {
    /// What was read so far; the whole head, empty line included, once `read` said so.
    private(set) var head = OutputBuffer()
    private var lines = 0
    private var lineBytes = 0
    private var isAfterReturn = false

    /// Takes bytes from the front of `input`. True when the head is complete.
    mutating func read(_ input: inout ByteView) throws(HandshakeRefusal) -> Bool {
        var taken = 0
        var isComplete = false
        while taken < input.count, !isComplete {
            guard head.count + taken < WebSocketLimits.requestBytesMax else { throw .tooLarge }
            isComplete = try endsHead(input[taken])
            taken += 1
        }
        head.append(input[0..<taken])
        input = input.dropFirst(taken)
        return isComplete
    }

    /// Whether the head ends with this byte.
    private mutating func endsHead(_ byte: UInt8) throws(HandshakeRefusal) -> Bool {
        if isAfterReturn {
            guard byte == 0x0A else { throw .malformed }
            isAfterReturn = false
            if lineBytes == 0 { return true }
            lines += 1
            lineBytes = 0
            // The request's own line is none of the fields.
            guard lines <= 1 + WebSocketLimits.requestFieldsMax else { throw .tooLarge }
            return false
        }
        switch byte {
        case 0x0D:
            guard lines > 0 || lineBytes > 0 else { throw .malformed }
            isAfterReturn = true
        case 0x09, 0x20...0x7E, 0x80...: lineBytes += 1
        default: throw .malformed
        }
        return false
    }

    mutating func freeMemory() {
        head.deallocate()
    }
}
