extension SNWords {
    /// One form of a message: its fields as the description prints them, and as they pass the wire (§5.4).
    struct Layout {
        var type: UInt8
        var columns: [Column]
        /// Names of fields; `flags` for all that are bits of the Flags octet.
        var wire: [String]

        /// `text` has the fields in the description's order: `msgID` must be given, `msgID=0` has a usual value,
        /// `duration?` may be missing, which the wire shows by its length. Flags are off unless given.
        init(_ type: UInt8, _ text: String, wire: String) {
            self.type = type
            columns = text.split(separator: " ").map { Column(String($0)) }
            self.wire = wire.split(separator: " ").map(String.init)
        }

        static let all: [String: [Layout]] = [
            "ADVERTISE": [Layout(0x00, "gwID duration", wire: "gwID duration")],
            "SEARCHGW": [Layout(0x01, "radius=0", wire: "radius")],
            "GWINFO": [Layout(0x02, "gwID gwAdd?", wire: "gwID gwAdd")],
            "CONNECT": [
                Layout(
                    0x04, "protocolID=1 duration=60s will cleanSession clientID",
                    wire: "flags protocolID duration clientID")
            ],
            "CONNACK": [Layout(0x05, "returnCode=accepted", wire: "returnCode")],
            "WILLTOPICREQ": [Layout(0x06, "", wire: "")],
            "WILLTOPIC": [Layout(0x07, "empty", wire: ""), Layout(0x07, "qos=0 retain topic", wire: "flags topic")],
            "WILLMSGREQ": [Layout(0x08, "", wire: "")],
            "WILLMSG": [Layout(0x09, "message", wire: "message")],
            "REGISTER": [Layout(0x0A, "topicID=0x0000 msgID topicName", wire: "topicID msgID topicName")],
            "REGACK": [Layout(0x0B, "topicID msgID returnCode=accepted", wire: "topicID msgID returnCode")],
            "PUBLISH": [
                Layout(
                    0x0C, "qos=0 dup retain type=normal topicID msgID=0 data", wire: "flags topicID msgID data")
            ],
            "PUBACK": [Layout(0x0D, "topicID msgID returnCode=accepted", wire: "topicID msgID returnCode")],
            "PUBCOMP": [Layout(0x0E, "msgID", wire: "msgID")],
            "PUBREC": [Layout(0x0F, "msgID", wire: "msgID")],
            "PUBREL": [Layout(0x10, "msgID", wire: "msgID")],
            "SUBSCRIBE": [
                Layout(0x12, "qos=0 dup msgID topicName", wire: "flags msgID topicName"),
                Layout(0x12, "qos=0 dup msgID type topicID", wire: "flags msgID topicID"),
            ],
            "SUBACK": [
                Layout(0x13, "qos=0 topicID msgID returnCode=accepted", wire: "flags topicID msgID returnCode")
            ],
            "UNSUBSCRIBE": [
                Layout(0x14, "msgID topicName", wire: "flags msgID topicName"),
                Layout(0x14, "msgID type topicID", wire: "flags msgID topicID"),
            ],
            "UNSUBACK": [Layout(0x15, "msgID", wire: "msgID")],
            "PINGREQ": [Layout(0x16, "clientID?", wire: "clientID")],
            "PINGRESP": [Layout(0x17, "", wire: "")],
            "DISCONNECT": [Layout(0x18, "duration?", wire: "duration")],
            "WILLTOPICUPD": [Layout(0x1A, "empty", wire: ""), Layout(0x1A, "qos=0 retain topic", wire: "flags topic")],
            "WILLTOPICRESP": [Layout(0x1B, "returnCode=accepted", wire: "returnCode")],
            "WILLMSGUPD": [Layout(0x1C, "message", wire: "message")],
            "WILLMSGRESP": [Layout(0x1D, "returnCode=accepted", wire: "returnCode")],
        ]

        // MARK: - The wire

        func write(_ fields: [Field]) throws -> [UInt8] {
            let values = Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.value) })
            return try wire.flatMap { name -> [UInt8] in
                if name == "flags" { return [try flags(fields)] }
                guard let value = values[name] else { return [] }
                return try Column.kind(of: name).write(value)
            }
        }

        private func flags(_ fields: [Field]) throws -> UInt8 {
            try fields.reduce(0) { octet, field in
                guard let bits = Column.bits[field.name] else { return octet }
                return try octet | bits.write(field.value)
            }
        }

        /// The fields in a message's variable part; nil if it has another form.
        func read(_ body: ArraySlice<UInt8>) -> [Field]? {
            var rest = body
            var values: [String: String] = [:]
            if columns.first?.name == "empty" {
                return body.isEmpty ? [Field(name: "empty", value: "")] : nil
            }
            for name in wire {
                if name == "flags" {
                    guard let octet = rest.popFirst() else { return nil }
                    for (flag, bits) in Column.bits { values[flag] = bits.read(octet) }
                    // By name or by id: TopicIdType says which.
                    let isName = values["type"] == "normal"
                    if wire.contains("topicName"), !isName { return nil }
                    if type == 0x12 || type == 0x14, wire.contains("topicID"), isName { return nil }
                } else if rest.isEmpty, columns.contains(where: { $0.name == name && $0.isOptional }) {
                    continue
                } else {
                    let isShort = name == "topicID" && values["type"] == "short"
                    guard let value = Column.kind(of: name).read(&rest, isShort: isShort) else { return nil }
                    values[name] = value
                }
            }
            guard rest.isEmpty else { return nil }
            return columns.compactMap { column in values[column.name].map { Field(name: column.name, value: $0) } }
        }
    }
}

extension SNWords.Layout {
    /// A field as a text has it.
    struct Column {
        var name: String
        var fallback: String?
        var isOptional: Bool

        init(_ text: String) {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            name = parts[0].replacing("?", with: "")
            fallback = parts.count > 1 ? parts[1] : nil
            isOptional = parts[0].hasSuffix("?") || Self.bits[name]?.isFlag == true || name == "empty"
        }

        /// The value in its only form; variables stay.
        func canonical(_ value: String) throws -> String {
            if value.hasPrefix("$") || Self.bits[name] != nil || value.isEmpty { return value }
            let kind = Self.kind(of: name)
            var bytes = try kind.write(value)[...]
            guard let text = kind.read(&bytes, isShort: value.hasPrefix("'")) else {
                throw SNWords.Malformed(description: "\(name)=\(value) is no value of that field")
            }
            return text
        }

        static let bits: [String: Bits] = [
            "dup": .flag(0x80), "retain": .flag(0x10), "will": .flag(0x08), "cleanSession": .flag(0x04),
            "qos": .choice(["0", "1", "2", "-1"], shift: 5),
            "type": .choice(["normal", "predefined", "short", "reserved"], shift: 0),
        ]

        static func kind(of name: String) -> Kind {
            switch name {
            case "gwID", "radius", "protocolID": .octet
            case "msgID": .number
            case "topicID": .topicID
            case "duration": .seconds
            case "returnCode": .code
            default: .bytes
            }
        }
    }

    /// Bits of the Flags octet (§5.3.4).
    enum Bits {
        case flag(UInt8)
        case choice([String], shift: Int)

        var isFlag: Bool {
            if case .flag = self { return true }
            return false
        }

        func write(_ value: String) throws -> UInt8 {
            switch self {
            case .flag(let mask): return mask
            case .choice(let words, let shift):
                guard let index = words.firstIndex(of: value) else {
                    throw SNWords.Malformed(description: "\(value) is none of \(words)")
                }
                return UInt8(index) << UInt8(shift)
            }
        }

        func read(_ octet: UInt8) -> String? {
            switch self {
            case .flag(let mask): octet & mask != 0 ? "" : nil
            case .choice(let words, let shift): words[Int(octet >> UInt8(shift) & 3)]
            }
        }
    }

    enum Kind {
        case octet, number, topicID, seconds, code, bytes

        private static let codes = ["accepted", "congestion", "invalidTopicID", "notSupported"]

        func write(_ value: String) throws -> [UInt8] {
            let malformed = SNWords.Malformed(description: "not a number: \(value)")
            func sixteenBits(_ text: some StringProtocol) throws -> [UInt8] {
                let isHex = text.hasPrefix("0x")
                guard let number = UInt16(isHex ? String(text.dropFirst(2)) : String(text), radix: isHex ? 16 : 10)
                else { throw malformed }
                return [UInt8(number >> 8), UInt8(number & 0xFF)]
            }
            switch self {
            case .octet:
                guard let number = UInt8(value) else { throw malformed }
                return [number]
            case .number: return try sixteenBits(value)
            case .topicID: return value.hasPrefix("'") ? try Words.bytes(value) : try sixteenBits(value)
            case .seconds: return try sixteenBits(value.replacing("s", with: ""))
            case .code:
                if let index = Self.codes.firstIndex(of: value) { return [UInt8(index)] }
                guard let number = UInt8(value.replacing("reserved(", with: "").replacing(")", with: "")) else {
                    throw malformed
                }
                return [number]
            case .bytes: return try Words.bytes(value)
            }
        }

        func read(_ rest: inout ArraySlice<UInt8>, isShort: Bool) -> String? {
            func number() -> UInt16? {
                guard rest.count >= 2 else { return nil }
                return UInt16(rest.removeFirst()) << 8 | UInt16(rest.removeFirst())
            }
            switch self {
            case .octet: return rest.popFirst().map { "\($0)" }
            case .number: return number().map { "\($0)" }
            case .seconds: return number().map { "\($0)s" }
            case .topicID:
                guard let id = number() else { return nil }
                if isShort { return Words.quoted([UInt8(id >> 8), UInt8(id & 0xFF)]) }
                let digits = String(id, radix: 16)
                return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
            case .code:
                return rest.popFirst().map { $0 < 4 ? Self.codes[Int($0)] : "reserved(\($0))" }
            case .bytes:
                defer { rest = [] }
                return Words.quoted(rest)
            }
        }
    }
}
