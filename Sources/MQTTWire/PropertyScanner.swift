package import Bytes

/// What a peer may put into one packet beyond its own length.
package struct DecodeLimits: Sendable {
    /// User properties in one property section.
    package var userPropertiesMax: Int
    /// Bytes of user properties in one section: their identifiers, lengths, names and values.
    package var userPropertyBytesMax: Int
    /// Topic filters of one SUBSCRIBE or UNSUBSCRIBE; nothing behind the last one that may be is looked at.
    package var filtersMax: Int

    package init(userPropertiesMax: Int = 32, userPropertyBytesMax: Int = 4096, filtersMax: Int = .max) {
        self.userPropertiesMax = userPropertiesMax
        self.userPropertyBytesMax = userPropertyBytesMax
        self.filtersMax = filtersMax
    }
}

/// The value of a property, as a number of its width or as a view of the packet.
package enum PropertyValue: Equatable {
    case byte(UInt8)
    case uint16(UInt16)
    case uint32(UInt32)
    case variableByteInteger(UInt32)
    case view(ByteView)
    case pair(name: ByteView, value: ByteView)
}

/// Reads a property section once, from front to back, and refuses what may not stand in it: MQTT 5.0 §2.2.2.
struct PropertyScanner {
    private var reader: ByteReader
    private let packet: PropertyPackets
    private let limits: DecodeLimits
    private var seen: UInt64 = 0
    private var userProperties = 0
    private var userPropertyBytes = 0

    init(_ section: ByteView, in packet: PropertyPackets, limits: DecodeLimits) {
        reader = ByteReader(section)
        self.packet = packet
        self.limits = limits
    }

    /// How many bytes of the section are still unread.
    var remaining: Int { reader.remaining }

    /// The next property; nil at the end of the section.
    mutating func next() throws(MQTTDecodeError) -> (id: PropertyID, value: PropertyValue)? {
        guard reader.remaining > 0 else { return nil }
        let before = reader.remaining
        let code = try reader.readVariableByteInteger()
        guard let raw = UInt8(exactly: code), let id = PropertyID(rawValue: raw) else { throw .unknownProperty }
        let row = id.row
        guard row.packets.isSuperset(of: packet) else { throw .misplacedProperty }
        let bit = UInt64(1) << UInt64(raw)
        guard seen & bit == 0 || id.repeats(in: packet) else { throw .duplicateProperty }
        seen |= bit
        let value = try reader.readPropertyValue(row.type)
        if case .pair = value {
            try countUserProperty(before - reader.remaining)
        } else {
            guard id.allows(value) else { throw .invalidPropertyValue }
        }
        return (id, value)
    }

    private mutating func countUserProperty(_ bytes: Int) throws(MQTTDecodeError) {
        userProperties += 1
        userPropertyBytes += bytes
        guard userProperties <= limits.userPropertiesMax, userPropertyBytes <= limits.userPropertyBytesMax else {
            throw .tooManyUserProperties
        }
    }
}

extension PropertyID {
    fileprivate func allows(_ value: PropertyValue) -> Bool {
        switch value {
        case .byte(let number): allows(UInt32(number))
        case .uint16(let number): allows(UInt32(number))
        case .uint32(let number), .variableByteInteger(let number): allows(number)
        case .view, .pair: true
        }
    }
}

extension ByteReader {
    /// The value of a property of this type.
    mutating func readPropertyValue(_ type: PropertyType) throws(MQTTDecodeError) -> PropertyValue {
        switch type {
        case .byte: .byte(try readByte())
        case .twoByteInteger: .uint16(try readTwoByteInteger())
        case .fourByteInteger: .uint32(try readFourByteInteger())
        case .variableByteInteger: .variableByteInteger(try readVariableByteInteger())
        case .string: .view(try readString())
        case .binary: .view(try readBinary())
        case .stringPair: .pair(name: try readString(), value: try readString())
        }
    }
}
