/// Bytes of the wire. The swarm has a reader and a writer of its own, so that a fault of the gateway's codec cannot
/// hide behind the same fault here.
typealias Octets = [UInt8]

/// What a client says it speaks.
enum Version: UInt8 {
    case v31 = 3
    case v311 = 4
    case v5 = 5
}

/// One property of MQTT 5: its identifier and the encoded value (§2.2.2.2).
struct Property: Equatable {
    var id: UInt8
    var value: Octets

    init(_ id: UInt8, _ value: Octets) {
        self.id = id
        self.value = value
    }

    static func byte(_ id: UInt8, _ value: UInt8) -> Property { Property(id, [value]) }
    static func short(_ id: UInt8, _ value: Int) -> Property { Property(id, twoBytes(value)) }
    static func long(_ id: UInt8, _ value: UInt32) -> Property {
        Property(id, stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt32($0)) })
    }
    static func text(_ id: UInt8, _ value: Octets) -> Property { Property(id, prefixed(value)) }
    static func pair(_ key: Octets, _ value: Octets) -> Property { Property(0x26, prefixed(key) + prefixed(value)) }

    /// The value as a number, where it is one.
    var number: Int { value.reduce(0) { $0 << 8 | Int($1) } }
    /// The value as a variable byte integer.
    var variable: Int {
        value.enumerated().reduce(0) { $0 | Int($1.element & 0x7F) << (7 * $1.offset) }
    }
    /// The bytes behind the length.
    var octets: Octets { Octets(value.dropFirst(2)) }
}

extension [Property] {
    func first(_ id: UInt8) -> Property? { first { $0.id == id } }
    func number(_ id: UInt8) -> Int? { first(id)?.number }

    var encoded: Octets {
        let body = flatMap { [$0.id] + $0.value }
        return variableInteger(body.count) + body
    }
}

/// Identifiers of properties (§2.2.2.2).
enum ID {
    static let payloadFormat: UInt8 = 0x01
    static let messageExpiry: UInt8 = 0x02
    static let contentType: UInt8 = 0x03
    static let responseTopic: UInt8 = 0x08
    static let correlationData: UInt8 = 0x09
    static let subscriptionIdentifier: UInt8 = 0x0B
    static let sessionExpiry: UInt8 = 0x11
    static let assignedClientID: UInt8 = 0x12
    static let serverKeepAlive: UInt8 = 0x13
    static let requestProblemInformation: UInt8 = 0x17
    static let willDelay: UInt8 = 0x18
    static let reasonString: UInt8 = 0x1F
    static let receiveMaximum: UInt8 = 0x21
    static let topicAliasMaximum: UInt8 = 0x22
    static let topicAlias: UInt8 = 0x23
    static let userProperty: UInt8 = 0x26
    static let maximumPacketSize: UInt8 = 0x27
}

func twoBytes(_ value: Int) -> Octets { [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)] }

func prefixed(_ octets: Octets) -> Octets { twoBytes(octets.count) + octets }

func variableInteger(_ value: Int) -> Octets {
    value < 128 ? [UInt8(value)] : [UInt8(value & 0x7F | 0x80)] + variableInteger(value >> 7)
}

/// A packet: first byte, Remaining Length, body (§2.1).
func packet(_ first: UInt8, _ body: Octets) -> Octets { [first] + variableInteger(body.count) + body }

// MARK: - Packets

/// PUBLISH, from either side (§3.3).
struct Publish: Equatable {
    var topic: Octets
    var id = 0
    var qos = 0
    var dup = false
    var retain = false
    var properties: [Property] = []
    var payload: Octets = []

    func encoded(_ version: Version) -> Octets {
        let first = 0x30 | (dup ? 8 : 0) | UInt8(qos) << 1 | (retain ? 1 : 0)
        var body = prefixed(topic)
        if qos > 0 { body += twoBytes(id) }
        if version == .v5 { body += properties.encoded }
        return packet(first, body + payload)
    }
}

/// A step of a handshake; the raw value is the packet type (§3.4 to §3.7).
enum Step: UInt8 {
    case puback = 4
    case pubrec = 5
    case pubrel = 6
    case pubcomp = 7
}

/// What the server sends.
enum ServerPacket {
    case connack(isPresent: Bool, code: UInt8, [Property])
    case publish(Publish)
    case step(Step, id: Int, code: UInt8, [Property])
    case suback(id: Int, codes: Octets, [Property])
    case unsuback(id: Int, codes: Octets, [Property])
    case pingresp
    case disconnect(code: UInt8, [Property])
}

/// What is wrong with the server's bytes.
struct Illegible: Error {
    var reason: String
}

/// Reads fields from the front.
struct Reader {
    var rest: ArraySlice<UInt8>

    mutating func byte() throws -> UInt8 {
        guard let byte = rest.popFirst() else { throw Illegible(reason: "too short") }
        return byte
    }

    mutating func octets(_ count: Int) throws -> Octets {
        guard rest.count >= count else { throw Illegible(reason: "too short") }
        defer { rest = rest.dropFirst(count) }
        return Octets(rest.prefix(count))
    }

    mutating func short() throws -> Int { Int(try byte()) << 8 | Int(try byte()) }

    mutating func text() throws -> Octets { try octets(try short()) }

    mutating func variable() throws -> Int {
        var value = 0
        for shift in stride(from: 0, through: 21, by: 7) {
            let byte = try byte()
            value |= Int(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Illegible(reason: "length of more than four bytes")
    }

    mutating func properties() throws -> [Property] {
        var section = Reader(rest: try octets(try variable())[...])
        var list: [Property] = []
        while !section.rest.isEmpty {
            let id = try section.byte()
            let before = section.rest
            switch id {
            case 0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A: _ = try section.octets(1)
            case 0x13, 0x21, 0x22, 0x23: _ = try section.octets(2)
            case 0x02, 0x11, 0x18, 0x27: _ = try section.octets(4)
            case 0x0B: _ = try section.variable()
            case 0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F: _ = try section.text()
            case 0x26:
                _ = try section.text()
                _ = try section.text()
            default: throw Illegible(reason: "property \(id)")
            }
            list.append(Property(id, Octets(before.prefix(before.count - section.rest.count))))
        }
        return list
    }
}

extension ServerPacket {
    /// Takes the first packet off `stream`; nil while it is not complete.
    static func next(in stream: inout Octets, _ version: Version) throws -> (ServerPacket, byteCount: Int)? {
        var reader = Reader(rest: stream[...])
        guard stream.count >= 2, stream.count >= 5 || stream[1...].contains(where: { $0 < 0x80 }) else { return nil }
        let first = try reader.byte()
        let length = try reader.variable()
        guard reader.rest.count >= length else { return nil }
        let byteCount = stream.count - reader.rest.count + length
        var body = Reader(rest: try reader.octets(length)[...])
        let packet = try decode(first, &body, version)
        guard body.rest.isEmpty else { throw Illegible(reason: "more than the packet needs") }
        stream.removeFirst(byteCount)
        return (packet, byteCount)
    }

    private static func decode(_ first: UInt8, _ body: inout Reader, _ version: Version) throws -> ServerPacket {
        let type = first >> 4
        guard type == 3 || first & 0x0F == (type == 6 ? 2 : 0) else { throw Illegible(reason: "flags of \(first)") }
        switch type {
        case 2:
            let flags = try body.byte()
            let code = try body.byte()
            return .connack(isPresent: flags == 1, code: code, version == .v5 ? try body.properties() : [])
        case 3: return .publish(try publish(first, &body, version))
        case 4...7:
            guard let step = Step(rawValue: type) else { break }
            let id = try body.short()
            let code = body.rest.isEmpty ? 0 : try body.byte()
            return .step(step, id: id, code: code, body.rest.isEmpty ? [] : try body.properties())
        case 9, 11:
            let id = try body.short()
            let properties = version == .v5 ? try body.properties() : []
            let codes = try body.octets(body.rest.count)
            return type == 9 ? .suback(id: id, codes: codes, properties) : .unsuback(id: id, codes: codes, properties)
        case 13: return .pingresp
        case 14 where version == .v5:
            let code = body.rest.isEmpty ? 0 : try body.byte()
            return .disconnect(code: code, body.rest.isEmpty ? [] : try body.properties())
        default: break
        }
        throw Illegible(reason: "a server does not send \(type)")
    }

    private static func publish(_ first: UInt8, _ body: inout Reader, _ version: Version) throws -> Publish {
        var publish = Publish(topic: try body.text())
        publish.qos = Int(first >> 1 & 3)
        publish.dup = first & 8 != 0
        publish.retain = first & 1 != 0
        if publish.qos > 0 { publish.id = try body.short() }
        if version == .v5 { publish.properties = try body.properties() }
        publish.payload = try body.octets(body.rest.count)
        return publish
    }
}

/// CONNECT (§3.1).
struct Connect {
    var version: Version
    var clientID: Octets
    var cleanStart: Bool
    var keepAlive = 0
    var properties: [Property] = []
    var will: Publish?

    var encoded: Octets {
        var flags: UInt8 = cleanStart ? 2 : 0
        if let will { flags |= 4 | UInt8(will.qos) << 3 | (will.retain ? 0x20 : 0) }
        let name = Octets((version == .v31 ? "MQIsdp" : "MQTT").utf8)
        var body = prefixed(name) + [version.rawValue, flags] + twoBytes(keepAlive)
        if version == .v5 { body += properties.encoded }
        body += prefixed(clientID)
        if let will {
            if version == .v5 { body += will.properties.encoded }
            body += prefixed(will.topic) + prefixed(will.payload)
        }
        return packet(0x10, body)
    }
}

/// One filter of a SUBSCRIBE and its options (§3.8.3.1).
struct Request {
    var filter: Octets
    var qos: Int
    var noLocal = false
    var retainAsPublished = false
    var retainHandling = 0

    var options: UInt8 {
        UInt8(qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | retainHandling << 4)
    }
}

/// What a client sends.
enum ClientPacket {
    case connect(Connect)
    case publish(Publish)
    case step(Step, id: Int, code: UInt8)
    case subscribe(id: Int, [Request], identifier: Int?)
    case unsubscribe(id: Int, [Octets])
    case pingreq
    case disconnect(code: UInt8, expiry: UInt32?)
    /// What no client may send, and the reasons that the server may give for ending the connection.
    case broken(String, Octets, codes: [UInt8])

    func encoded(_ version: Version) -> Octets {
        switch self {
        case .connect(let connect): return connect.encoded
        case .publish(let publish): return publish.encoded(version)
        case .step(let step, let id, let code):
            let first = step.rawValue << 4 | (step == .pubrel ? 2 : 0)
            return packet(first, twoBytes(id) + (code == 0 || version != .v5 ? [] : [code]))
        case .subscribe(let id, let requests, let identifier):
            var body = twoBytes(id)
            if version == .v5 {
                body += (identifier.map { [Property(ID.subscriptionIdentifier, variableInteger($0))] } ?? []).encoded
            }
            for request in requests { body += prefixed(request.filter) + [request.options] }
            return packet(0x82, body)
        case .unsubscribe(let id, let filters):
            let properties: Octets = version == .v5 ? [0] : []
            return packet(0xA2, twoBytes(id) + properties + filters.flatMap { prefixed($0) })
        case .pingreq: return packet(0xC0, [])
        case .disconnect(let code, let expiry):
            guard version == .v5, code != 0 || expiry != nil else { return packet(0xE0, []) }
            return packet(0xE0, [code] + (expiry.map { [Property.long(ID.sessionExpiry, $0)] } ?? []).encoded)
        case .broken(_, let octets, _): return octets
        }
    }
}
