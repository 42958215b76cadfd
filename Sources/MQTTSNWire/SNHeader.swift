import Bytes

/// Length and MsgType (§5.2), and what they divide the datagram into.
struct SNHeader {
    /// What Length can say at most (§5.2.1).
    static let messageOctetsMax = Int(UInt16.max)

    var type: SNMessageType
    /// Whether Length has three octets.
    var isLong: Bool
    /// The variable part: from behind MsgType to where Length says.
    var body: ByteView
    /// What follows the message. Only an encapsulation has something there.
    var rest: ByteView

    /// Reads the header. A 3-octet Length is accepted for a short message too: the standard says that such messages
    /// "may use the shorter" format. [D-37] [SN-5.2.1]
    init(_ datagram: ByteView) throws(SNDecodeError) {
        var reader = ByteReader(datagram)
        guard let first = reader.readUInt8() else { throw .headerIncomplete }
        isLong = first == 0x01
        var length = Int(first)
        if isLong {
            guard let long = reader.readUInt16() else { throw .headerIncomplete }
            length = Int(long)
        }
        guard let rawType = reader.readUInt8() else { throw .headerIncomplete }
        // Length counts itself and MsgType, so it can be too small as well as too large. [D-36] [SN-5.2.1]
        let headerOctets = datagram.count - reader.remaining
        guard length >= headerOctets, length <= datagram.count else { throw .lengthMismatch }
        guard length == datagram.count || rawType == SNMessageType.encapsulated.rawValue else {
            throw .lengthMismatch
        }
        guard let type = SNMessageType(rawValue: rawType) else { throw .reservedMessageType }  // [SN-5.2.2]
        self.type = type
        body = datagram[headerOctets..<length]
        rest = datagram[length..<datagram.count]
    }

    /// How long a message with `bodyOctets` behind MsgType is; one octet of Length while that suffices.
    static func messageOctets(bodyOctets: Int) -> Int {
        bodyOctets + 2 <= Int(UInt8.max) ? bodyOctets + 2 : bodyOctets + 4
    }

    /// Writes Length and MsgType and makes room for the body; false, and nothing written, if the message would be
    /// longer than Length can say.
    static func encode(_ type: SNMessageType, bodyOctets: Int, into output: inout OutputBuffer) -> Bool {
        let octets = messageOctets(bodyOctets: bodyOctets)
        guard octets <= messageOctetsMax else { return false }
        _ = output.reserve(octets)
        if octets <= Int(UInt8.max) {
            output.append(UInt8(octets))
        } else {
            output.append(0x01 as UInt8)
            output.append(UInt16(octets))
        }
        output.append(type.rawValue)
        return true
    }
}
