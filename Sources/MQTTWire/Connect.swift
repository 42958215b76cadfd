package import Bytes
package import Messaging

/// CONNECT: MQTT 5.0 §3.1.
package struct ConnectPacket: Equatable {
    package var version: ProtocolVersion
    /// Clean Session before MQTT 5.
    package var cleanStart: Bool
    /// Seconds; 0 switches it off.
    package var keepAlive: UInt16
    /// May be empty; whether that is allowed is for the connection to say [MQTT-3.1.3-6].
    package var clientID: ByteView
    package var will: WillFields?
    package var userName: ByteView?
    package var password: ByteView?
    package var properties: PropertyList

    package init(
        version: ProtocolVersion, cleanStart: Bool, keepAlive: UInt16, clientID: ByteView, will: WillFields? = nil,
        userName: ByteView? = nil, password: ByteView? = nil, properties: PropertyList = PropertyList()
    ) {
        self.version = version
        self.cleanStart = cleanStart
        self.keepAlive = keepAlive
        self.clientID = clientID
        self.will = will
        self.userName = userName
        self.password = password
        self.properties = properties
    }
}

/// The will in a CONNECT: §3.1.2.5 and §3.1.3.2 to §3.1.3.4. Its topic is UTF-8; whether it is a topic name is not
/// checked here.
package struct WillFields: Equatable {
    package var qos: QoS
    package var retain: Bool
    package var properties: PropertyList
    package var topic: ByteView
    package var payload: ByteView

    package init(
        qos: QoS, retain: Bool, properties: PropertyList = PropertyList(), topic: ByteView, payload: ByteView
    ) {
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.topic = topic
        self.payload = payload
    }
}

/// The bits of Connect Flags: §3.1.2.3.
private struct ConnectFlags: OptionSet {
    let rawValue: UInt8

    static let reserved = ConnectFlags(rawValue: 0x01)
    static let cleanStart = ConnectFlags(rawValue: 0x02)
    static let will = ConnectFlags(rawValue: 0x04)
    static let willQoS = ConnectFlags(rawValue: 0x18)
    static let willRetain = ConnectFlags(rawValue: 0x20)
    static let password = ConnectFlags(rawValue: 0x40)
    static let userName = ConnectFlags(rawValue: 0x80)

    var willQoSBits: UInt8 { rawValue >> 3 & 0b11 }
}

// MARK: - Decoding

extension ConnectPacket {
    /// The packet in `frame`; it names its version itself.
    ///
    /// - Throws: `unknownProtocolName`, `unsupportedProtocolVersion`, and what is wrong with flags and fields.
    package static func decode(
        _ frame: MQTTFrame, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) -> ConnectPacket {
        try frame.check(.connect, version: .v5)
        var reader = ByteReader(frame.body)
        let version = try readVersion(&reader)
        let flags = ConnectFlags(rawValue: try reader.readByte())
        try check(flags, version: version)
        let keepAlive = try reader.readTwoByteInteger()
        let properties = try reader.readProperties(of: .connect, version: version, limits: limits)
        if properties.view(.authenticationData) != nil, properties.view(.authenticationMethod) == nil {
            throw .missingAuthenticationMethod  // §3.1.2.11.10
        }
        var packet = ConnectPacket(
            version: version, cleanStart: flags.contains(.cleanStart), keepAlive: keepAlive,
            clientID: try reader.readString(), properties: properties)  // [MQTT-3.1.3-4]
        if flags.contains(.will) {
            packet.will = try readWill(&reader, flags: flags, version: version, limits: limits)
        }
        if flags.contains(.userName), !isMissing(reader, version) { packet.userName = try reader.readString() }
        if flags.contains(.password), !isMissing(reader, version) { packet.password = try reader.readBinary() }
        try reader.expectEnd()
        return packet
    }

    /// The version that a CONNECT names, whatever is wrong with the rest of it; nil if it cannot be read.
    package static func version(in frame: MQTTFrame) -> ProtocolVersion? {
        var reader = ByteReader(frame.body)
        return try? readVersion(&reader)
    }

    /// Protocol name and level: §3.1.2.1 and §3.1.2.2.
    private static func readVersion(_ reader: inout ByteReader) throws(MQTTDecodeError) -> ProtocolVersion {
        let name = try reader.readString()
        let isMQTT = name.memory.elementsEqual("MQTT".utf8)
        guard isMQTT || name.memory.elementsEqual("MQIsdp".utf8) else { throw .unknownProtocolName }
        switch (try reader.readByte(), isMQTT) {
        case (3, false): return .v3_1
        case (4, true): return .v3_1_1
        case (5, true): return .v5
        default: throw .unsupportedProtocolVersion  // [MQTT-3.1.2-2]
        }
    }

    private static func check(_ flags: ConnectFlags, version: ProtocolVersion) throws(MQTTDecodeError) {
        guard !flags.contains(.reserved) else { throw .reservedBits }  // [MQTT-3.1.2-3]
        if flags.contains(.will) {
            guard flags.willQoSBits != 3 else { throw .invalidWillFlags }  // [MQTT-3.1.2-12]
        } else if version != .v3_1 {
            // MQTT 3.1 disregards both fields when there is no will.
            guard flags.isDisjoint(with: [.willQoS, .willRetain]) else { throw .invalidWillFlags }  // [MQTT-3.1.2-11]
        }
        if version != .v5, flags.contains(.password), !flags.contains(.userName) {
            throw .passwordWithoutUserName
        }
    }

    private static func readWill(
        _ reader: inout ByteReader, flags: ConnectFlags, version: ProtocolVersion, limits: DecodeLimits
    ) throws(MQTTDecodeError) -> WillFields {
        guard let qos = QoS(rawValue: flags.willQoSBits) else { throw .invalidWillFlags }
        let properties = try reader.readProperties(of: .will, version: version, limits: limits)
        if let response = properties.view(.responseTopic), response.hasWildcard { throw .wildcardInResponseTopic }
        return WillFields(
            qos: qos, retain: flags.contains(.willRetain), properties: properties,
            topic: try reader.readString(), payload: try reader.readBinary())  // [MQTT-3.1.3-11]
    }

    /// MQTT 3.1 lets Remaining Length take precedence over the flags: user name and password may be announced and
    /// left out, for clients of the protocol before it.
    private static func isMissing(_ reader: ByteReader, _ version: ProtocolVersion) -> Bool {
        version == .v3_1 && reader.remaining == 0
    }
}

// MARK: - Encoding

extension ConnectPacket {
    /// Appends the packet in its own version. Before MQTT 5 a password needs a user name.
    package func encode(into output: inout OutputBuffer) {
        output.appendFixedHeader(.connect, bodyBytes: bodyBytes)
        let name: StaticString = version == .v3_1 ? "MQIsdp" : "MQTT"
        output.appendLengthPrefixed(ByteView(start: name.utf8Start, count: name.utf8CodeUnitCount))
        output.append(version.rawValue)
        output.append(flags.rawValue)
        output.append(keepAlive)
        output.append(properties, version: version)
        output.appendLengthPrefixed(clientID)
        if let will {
            output.append(will.properties, version: version)
            output.appendLengthPrefixed(will.topic)
            output.appendLengthPrefixed(will.payload)
        }
        if let userName { output.appendLengthPrefixed(userName) }
        if let password { output.appendLengthPrefixed(password) }
    }

    private var flags: ConnectFlags {
        var flags: ConnectFlags = cleanStart ? .cleanStart : []
        if let will {
            flags.formUnion([.will, ConnectFlags(rawValue: will.qos.rawValue << 3)])
            if will.retain { flags.insert(.willRetain) }
        }
        if userName != nil { flags.insert(.userName) }
        if password != nil { flags.insert(.password) }
        return flags
    }

    private var bodyBytes: Int {
        let nameBytes = version == .v3_1 ? 6 : 4
        var bytes = 2 + nameBytes + 4 + 2 + clientID.count
        if version == .v5 { bytes += properties.encodedByteCount }
        if let will {
            bytes += 4 + will.topic.count + will.payload.count
            if version == .v5 { bytes += will.properties.encodedByteCount }
        }
        if let userName { bytes += 2 + userName.count }
        if let password { bytes += 2 + password.count }
        return bytes
    }
}
