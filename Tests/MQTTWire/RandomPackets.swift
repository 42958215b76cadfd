import Bytes
import Clockwork
import MQTTWire
import Messaging

/// Makes packets from a seed. Each maker switches some features off entirely, so that combinations without them
/// occur as often as those with them.
struct RandomPackets {
    let arena: Arena
    let version: ProtocolVersion
    private var random: SeededGenerator
    private let hasProperties: Bool
    private let hasLongFields: Bool
    private let hasWideText: Bool

    init(seed: UInt64, arena: Arena) {
        self.arena = arena
        random = SeededGenerator(seed: seed)
        version = [ProtocolVersion.v3_1, .v3_1_1, .v5, .v5][Int(random.below(4))]
        hasProperties = random.below(2) == 0
        hasLongFields = random.below(4) == 0
        hasWideText = random.below(2) == 0
    }

    mutating func next() -> MQTTPacket {
        switch random.below(version == .v5 ? 15 : 14) {
        case 0: .connect(connect())
        case 1: .connack(connack())
        case 2: .publish(publish())
        case 3: .puback(ack(.puback))
        case 4: .pubrec(ack(.pubrec))
        case 5: .pubrel(ack(.pubrel))
        case 6: .pubcomp(ack(.pubcomp))
        case 7: .subscribe(subscribe())
        case 8: .suback(suback())
        case 9: .unsubscribe(unsubscribe())
        case 10: .unsuback(unsuback())
        case 11: .pingreq
        case 12: .pingresp
        case 13: .disconnect(disconnect())
        default: .auth(auth())
        }
    }
}

// MARK: - Packets

extension RandomPackets {
    private mutating func connect() -> ConnectPacket {
        var packet = ConnectPacket(
            version: version, cleanStart: flip(), keepAlive: number(), clientID: text(),
            properties: properties(.connect))
        if flip() {
            packet.will = WillFields(
                qos: qos(), retain: flip(), properties: properties(.will), topic: text(), payload: bytes())
        }
        if flip() { packet.userName = text() }
        if flip(), version == .v5 || packet.userName != nil { packet.password = bytes() }
        return packet
    }

    private mutating func connack() -> ConnackPacket {
        let code = version == .v5 ? reason(.connack) : ConnectReturnCode(reason(.connack)).reasonCode
        return ConnackPacket(
            sessionPresent: version != .v3_1 && code == .success && flip(), reasonCode: code,
            properties: properties(.connack))
    }

    private mutating func publish() -> PublishPacket {
        let qos = qos()
        let section = properties(.publish)
        var topic = text()
        guard let properties = try? PublishProperties(validating: section.raw) else {
            preconditionFailure("the maker's own properties are refused")
        }
        if topic.isEmpty, properties.topicAlias == nil { topic = arena.keep("t") }
        return PublishPacket(
            topic: topic, packetIdentifier: qos == .atMostOnce ? 0 : identifier(), qos: qos,
            dup: qos != .atMostOnce && flip(), retain: flip(), properties: properties, payload: bytes())
    }

    private mutating func ack(_ type: PacketType) -> AckPacket {
        AckPacket(
            packetIdentifier: identifier(), reasonCode: version == .v5 ? reason(type) : .success,
            properties: properties(PropertyPackets(type)))
    }

    private mutating func subscribe() -> SubscribePacket {
        var output = OutputBuffer()
        defer { output.deallocate() }
        let count = 1 + Int(random.below(4))
        for _ in 0..<count {
            var options = SubscriptionOptions(maximumQoS: qos())
            if version == .v5 {
                options.noLocal = flip()
                options.retainAsPublished = flip()
                options.retainHandling = [.sendAtSubscribe, .sendIfNew, .doNotSend][Int(random.below(3))]
            }
            output.append(filter: text(), options: options, version: version)
        }
        return SubscribePacket(
            packetIdentifier: identifier(), properties: properties(.subscribe),
            filters: SubscriptionFilters(raw: arena.keep(Array(output.pending.memory)), count: count))
    }

    private mutating func suback() -> SubackPacket {
        let codes = (0...random.below(5)).map { _ in
            let code = reason(.suback)
            return version != .v5 && code.isError ? 0x80 : code.rawValue
        }
        return SubackPacket(
            packetIdentifier: identifier(), properties: properties(.suback),
            reasonCodes: ReasonCodes(raw: arena.keep(codes)))
    }

    private mutating func unsubscribe() -> UnsubscribePacket {
        var output = OutputBuffer()
        defer { output.deallocate() }
        let count = 1 + Int(random.below(4))
        for _ in 0..<count { output.appendLengthPrefixed(text()) }
        return UnsubscribePacket(
            packetIdentifier: identifier(), properties: properties(.unsubscribe),
            filters: UnsubscriptionFilters(raw: arena.keep(Array(output.pending.memory)), count: count))
    }

    private mutating func unsuback() -> UnsubackPacket {
        let codes = version == .v5 ? (0...random.below(5)).map { _ in reason(.unsuback).rawValue } : []
        return UnsubackPacket(
            packetIdentifier: identifier(), properties: properties(.unsuback),
            reasonCodes: ReasonCodes(raw: arena.keep(codes)))
    }

    private mutating func disconnect() -> DisconnectPacket {
        DisconnectPacket(
            reasonCode: version == .v5 ? reason(.disconnect) : .success, properties: properties(.disconnect))
    }

    private mutating func auth() -> AuthPacket {
        AuthPacket(reasonCode: reason(.auth), properties: properties(.auth))
    }
}

// MARK: - Fields

extension RandomPackets {
    /// A legal section for `packet`; AUTH always has its method, and data come only with one.
    private mutating func properties(_ packet: PropertyPackets) -> PropertyList {
        guard version == .v5, hasProperties || packet == .auth else { return PropertyList() }
        var output = OutputBuffer()
        defer { output.deallocate() }
        let hasMethod = packet == .auth || flip()
        for id in PropertyID.allCases where id.row.packets.contains(packet) {
            switch id {
            case .authenticationMethod where hasMethod: append(id, to: &output)
            case .authenticationMethod: break
            case .authenticationData where !hasMethod: break
            default: if flip() { append(id, to: &output) }
            }
            if id == .userProperty, flip() { append(id, to: &output) }
        }
        return PropertyList(raw: arena.keep(Array(output.pending.memory)))
    }

    private mutating func append(_ id: PropertyID, to output: inout OutputBuffer) {
        switch id.row.type {
        case .byte: output.append(property: id, byte: UInt8(random.below(2)))
        case .twoByteInteger: output.append(property: id, uint16: identifier())
        case .fourByteInteger: output.append(property: id, uint32: 1 + UInt32(random.below(0xFFFF_FFFF)))
        case .variableByteInteger:
            output.append(property: id, variableByteInteger: 1 + UInt32(random.below(268_435_455)))
        case .string: output.append(property: id, view: shortText())
        case .binary: output.append(property: id, view: bytes())
        case .stringPair: output.appendUserProperty(name: shortText(), value: shortText())
        }
    }

    private mutating func flip() -> Bool { random.below(2) == 0 }

    private mutating func number() -> UInt16 { UInt16(random.below(65_536)) }

    private mutating func identifier() -> UInt16 { 1 + UInt16(random.below(65_535)) }

    private mutating func qos() -> QoS { [.atMostOnce, .atLeastOnce, .exactlyOnce][Int(random.below(3))] }

    private mutating func reason(_ type: PacketType) -> ReasonCode {
        let codes = (UInt8.min...UInt8.max).compactMap(ReasonCode.init(rawValue:)).filter { $0.isValid(in: type) }
        return codes[Int(random.below(UInt64(codes.count)))]
    }

    private mutating func bytes() -> ByteView {
        let count = random.below(hasLongFields ? 3000 : 12)
        return arena.keep((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    private mutating func text() -> ByteView { text(charactersMax: hasLongFields ? 3000 : 12) }

    private mutating func shortText() -> ByteView { text(charactersMax: 12) }

    /// Text without NUL and wildcards, which some fields refuse.
    private mutating func text(charactersMax: UInt64) -> ByteView {
        let alphabet: [Character] =
            hasWideText ? ["a", "é", "\u{1}", "\u{FEFF}", "🍩", "\u{FFFE}", "/"] : ["a", "b", "c", "/", "$", " "]
        let count = random.below(charactersMax)
        let characters = (0..<count).map { _ in alphabet[Int(random.below(UInt64(alphabet.count)))] }
        return arena.keep(String(characters))
    }
}
