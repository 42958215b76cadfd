package import Bytes

/// The properties of one packet, still as they stand on the wire: MQTT 5.0 §2.2.2.
package struct PropertyList: Equatable {
    /// The section without its length.
    package let raw: ByteView

    /// A section that we wrote ourselves with `OutputBuffer.append(property:…)`, or none.
    package init(raw: ByteView = .empty) {
        self.raw = raw
    }

    /// A section from a peer.
    ///
    /// - Throws: for unknown, misplaced and repeated properties, values out of range, bad strings and lengths, and
    ///   more user properties than `limits` allows.
    package init(
        validating section: ByteView, in packet: PropertyPackets, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) {
        var scanner = PropertyScanner(section, in: packet, limits: limits)
        while try scanner.next() != nil {}
        raw = section
    }

    package var isEmpty: Bool { raw.isEmpty }

    /// Bytes that the section takes with its length.
    var encodedByteCount: Int { VariableByteInteger.byteCount(of: raw.count) + raw.count }
}

extension PropertyList: Sequence {
    /// Goes through the properties in their order, without allocating. Ends early at bytes that are no property,
    /// which a validated section does not have.
    package struct Iterator: IteratorProtocol {
        fileprivate var reader: ByteReader

        package mutating func next() -> (id: PropertyID, value: PropertyValue)? {
            guard let raw = reader.readUInt8(), let id = PropertyID(rawValue: raw) else { return nil }
            guard let value = try? reader.readPropertyValue(id.row.type) else { return nil }
            return (id, value)
        }
    }

    package func makeIterator() -> Iterator {
        Iterator(reader: ByteReader(raw))
    }
}

extension PropertyList {
    /// The property's value; nil if it is not there. The first one of a property that may repeat.
    package subscript(id: PropertyID) -> PropertyValue? {
        if raw.isEmpty { return nil }
        for property in self where property.id == id { return property.value }
        return nil
    }

    /// A flag or another Byte property.
    package func byte(_ id: PropertyID) -> UInt8? {
        if case .byte(let value) = self[id] { value } else { nil }
    }

    /// A Two Byte Integer property.
    package func uint16(_ id: PropertyID) -> UInt16? {
        if case .uint16(let value) = self[id] { value } else { nil }
    }

    /// A Four Byte Integer property, or the first Subscription Identifier.
    package func uint32(_ id: PropertyID) -> UInt32? {
        switch self[id] {
        case .uint32(let value), .variableByteInteger(let value): value
        default: nil
        }
    }

    /// A string or binary property, as a view of the packet.
    package func view(_ id: PropertyID) -> ByteView? {
        if case .view(let value) = self[id] { value } else { nil }
    }

    /// Every User Property, in order [MQTT-3.3.2-18].
    package func forEachUserProperty(_ body: (_ name: ByteView, _ value: ByteView) -> Void) {
        for case (.userProperty, .pair(let name, let value)) in self { body(name, value) }
    }
}

/// Writing a section: into a buffer of its own, which then becomes `PropertyList(raw: scratch.pending)`. Each value
/// must be of the property's type, and strings 65,535 bytes at most.
extension OutputBuffer {
    package mutating func append(property id: PropertyID, byte value: UInt8) {
        append(id.rawValue)
        append(value)
    }

    package mutating func append(property id: PropertyID, uint16 value: UInt16) {
        append(id.rawValue)
        append(value)
    }

    package mutating func append(property id: PropertyID, uint32 value: UInt32) {
        append(id.rawValue)
        append(value)
    }

    /// Subscription Identifier: 1 to 268,435,455.
    package mutating func append(property id: PropertyID, variableByteInteger value: UInt32) {
        append(id.rawValue)
        append(variableByteInteger: Int(value))
    }

    package mutating func append(property id: PropertyID, view value: ByteView) {
        append(id.rawValue)
        appendLengthPrefixed(value)
    }

    package mutating func append(property id: PropertyID, string value: ByteString) {
        value.withView { append(property: id, view: $0) }
    }

    /// A User Property: a pair of strings.
    package mutating func appendUserProperty(name: ByteView, value: ByteView) {
        append(PropertyID.userProperty.rawValue)
        appendLengthPrefixed(name)
        appendLengthPrefixed(value)
    }

    /// A property with a value of any type.
    package mutating func append(property id: PropertyID, value: PropertyValue) {
        switch value {
        case .byte(let value): append(property: id, byte: value)
        case .uint16(let value): append(property: id, uint16: value)
        case .uint32(let value): append(property: id, uint32: value)
        case .variableByteInteger(let value): append(property: id, variableByteInteger: value)
        case .view(let value): append(property: id, view: value)
        case .pair(let name, let value): appendUserProperty(name: name, value: value)
        }
    }

    /// A whole section with its length; nothing before MQTT 5.
    mutating func append(_ properties: PropertyList, version: ProtocolVersion) {
        guard version == .v5 else { return }
        append(variableByteInteger: properties.raw.count)
        append(properties.raw)
    }
}
