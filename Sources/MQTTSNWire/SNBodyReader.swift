import Bytes

/// Reads the fields of a variable part (§5.3) in order; one that is not there is an error.
struct SNBodyReader {
    private var reader: ByteReader

    init(_ body: ByteView) {
        reader = ByteReader(body)
    }

    var isAtEnd: Bool { reader.remaining == 0 }

    mutating func readUInt8() throws(SNDecodeError) -> UInt8 {
        guard let value = reader.readUInt8() else { throw .messageTooShort }
        return value
    }

    mutating func readUInt16() throws(SNDecodeError) -> UInt16 {
        guard let value = reader.readUInt16() else { throw .messageTooShort }
        return value
    }

    mutating func readFlags() throws(SNDecodeError) -> SNFlags {
        SNFlags(octet: try readUInt8())
    }

    mutating func readReturnCode() throws(SNDecodeError) -> SNReturnCode {
        SNReturnCode(rawValue: try readUInt8())
    }

    /// The field that takes what is left, any bytes.
    mutating func readRest() -> ByteView {
        reader.readRest()
    }

    /// TopicName or WillTopic. It may be empty or hold wildcards: the gateway answers those [D-28]. [SN-5.3.12]
    mutating func readTopicName() throws(SNDecodeError) -> ByteView {
        let name = reader.readRest()
        guard name.isMQTTString else { throw .malformedTopicName }
        return name
    }

    /// ClientId. It may be empty or longer than 23 characters: the gateway answers those [D-40]. [SN-5.3.1]
    mutating func readClientID() throws(SNDecodeError) -> ByteView {
        let clientID = reader.readRest()
        guard clientID.isMQTTString else { throw .malformedClientID }
        return clientID
    }
}

extension UInt16 {
    /// Whether these two octets can be a short topic name: "all rules that apply to normal topic names also apply to
    /// short topic names" (§6.7), so they are UTF-8 without U+0000. [SN-6.7]
    var isShortTopicName: Bool {
        let first = UInt8(self >> 8)
        let second = UInt8(truncatingIfNeeded: self)
        switch first {
        case 0x01...0x7F: return (0x01...0x7F).contains(second)
        case 0xC2...0xDF: return (0x80...0xBF).contains(second)
        default: return false
        }
    }
}
