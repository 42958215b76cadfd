internal import Bytes

/// The data representations of MQTT 5.0 §1.5, read or refused.
extension ByteReader {
    mutating func readByte() throws(MQTTDecodeError) -> UInt8 {
        guard let value = readUInt8() else { throw .truncated }
        return value
    }

    mutating func readTwoByteInteger() throws(MQTTDecodeError) -> UInt16 {
        guard let value = readUInt16() else { throw .truncated }
        return value
    }

    mutating func readFourByteInteger() throws(MQTTDecodeError) -> UInt32 {
        guard let value = readUInt32() else { throw .truncated }
        return value
    }

    /// §1.5.6: any bytes.
    mutating func readBinary() throws(MQTTDecodeError) -> ByteView {
        guard let value = readLengthPrefixed() else { throw .truncated }
        return value
    }

    /// §1.5.4: well-formed UTF-8 without U+0000. A byte order mark stays where it is [MQTT-1.5.4-3].
    mutating func readString() throws(MQTTDecodeError) -> ByteView {
        let value = try readBinary()
        guard value.isMQTTString else { throw .invalidUTF8 }  // [MQTT-1.5.4-1] [MQTT-1.5.4-2]
        return value
    }

    /// A packet identifier, which is never 0 [MQTT-2.2.1-3].
    mutating func readPacketIdentifier() throws(MQTTDecodeError) -> UInt16 {
        let value = try readTwoByteInteger()
        guard value != 0 else { throw .zeroPacketIdentifier }
        return value
    }

    /// A property section without its length, not yet looked into.
    mutating func readPropertySection() throws(MQTTDecodeError) -> ByteView {
        let length = try readVariableByteInteger()
        guard let section = readBytes(Int(length)) else { throw .truncated }
        return section
    }

    /// The property section of a packet, validated; empty before MQTT 5, where there is none.
    mutating func readProperties(
        of packet: PropertyPackets, version: ProtocolVersion, limits: DecodeLimits
    ) throws(MQTTDecodeError) -> PropertyList {
        guard version == .v5 else { return PropertyList() }
        return try PropertyList(validating: readPropertySection(), in: packet, limits: limits)
    }

    /// Refuses bytes behind the last field.
    func expectEnd() throws(MQTTDecodeError) {
        guard remaining == 0 else { throw .trailingBytes }
    }
}
