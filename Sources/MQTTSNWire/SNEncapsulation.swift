package import Bytes

/// Forwarder encapsulation, §5.5.
package enum SNEncapsulation {
    /// Octets before the Wireless Node Id: Length, MsgType, Ctrl (Table 28).
    package static let overheadOctets = 3
    /// The longest Wireless Node Id that a Length of one octet leaves room for.
    package static let wirelessNodeIDBytesMax = 252

    /// Appends Length, MsgType, Ctrl and Wireless Node Id; the message for the node is to be encoded right behind.
    /// Of `radius`, only the two bits of Table 29 are sent.
    ///
    /// Returns false and writes nothing if the node id is empty or longer than 252 bytes.
    @discardableResult
    package static func encodeHeader(
        radius: UInt8, wirelessNodeID: ByteView, into output: inout OutputBuffer
    ) -> Bool {
        guard (1...wirelessNodeIDBytesMax).contains(wirelessNodeID.count) else { return false }
        output.append(UInt8(overheadOctets + wirelessNodeID.count))
        output.append(SNMessageType.encapsulated.rawValue)
        output.append(radius & 0b11)
        output.append(wirelessNodeID)
        return true
    }

    /// Appends the encapsulation of a message that is not encoded yet. Returns its length; nil, and nothing is written,
    /// if the node id or the message cannot be encoded, or both are longer than 65,535 octets.
    package static func encode(
        _ packet: SNPacket, radius: UInt8, wirelessNodeID: ByteView, into output: inout OutputBuffer
    ) -> Int? {
        let start = output.count
        guard encodeHeader(radius: radius, wirelessNodeID: wirelessNodeID, into: &output) else { return nil }
        let count = packet.encode(into: &output) ? output.count - start : .max
        guard count <= SNHeader.messageOctetsMax else {
            output.truncate(to: start)
            return nil
        }
        return count
    }

    /// Divides an encapsulation. Length ends with the Wireless Node Id; the rest of the datagram is the message,
    /// which is not looked into: who may forward, and how deep, the gateway decides [D-48]. [SN-5.5]
    static func decode(_ header: SNHeader) throws(SNDecodeError) -> SNPacket {
        guard !header.isLong else { throw .encapsulationLengthNotOneOctet }
        var body = SNBodyReader(header.body)
        // Bits 7 to 2 of Ctrl are reserved (Table 29).
        let radius = try body.readUInt8() & 0b11
        let wirelessNodeID = body.readRest()
        guard !wirelessNodeID.isEmpty else { throw .wirelessNodeIDMissing }
        guard !header.rest.isEmpty else { throw .encapsulatedMessageMissing }
        return .encapsulated(radius: radius, wirelessNodeID: wirelessNodeID, message: header.rest)
    }

    static func encode(
        radius: UInt8, wirelessNodeID: ByteView, message: ByteView, into output: inout OutputBuffer
    ) -> Bool {
        let octets = overheadOctets + wirelessNodeID.count + message.count
        guard !message.isEmpty, octets <= SNHeader.messageOctetsMax else { return false }
        guard encodeHeader(radius: radius, wirelessNodeID: wirelessNodeID, into: &output) else { return false }
        output.append(message)
        return true
    }
}
