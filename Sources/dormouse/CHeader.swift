import Bytes
import Configuration

/// Predefined topic ids as a C header, for the firmware of devices (MQTT-SN 1.2 §6.7).
struct CHeader {
    /// Its lines, without line feeds. The same configuration gives the same header.
    let lines: [String]

    init(_ settings: SNListenerSettings) {
        var lines = [
            "/* The predefined topic ids of MQTT-SN (TopicIdType 0b01), by `dormouse topics --c-header`. */",
            "#ifndef DORMOUSE_TOPICS_H",
            "#define DORMOUSE_TOPICS_H",
            "",
            "#define DORMOUSE_GATEWAY_ID \(settings.gatewayID)u",
            "",
        ]
        for (topic, name) in zip(settings.predefinedTopics, Self.names(of: settings.predefinedTopics)) {
            let clients = topic.clients.map { ", for clients \(Self.comment($0.text))" } ?? ""
            lines.append("/* \(Self.comment(topic.name))\(clients) */")
            lines.append("#define \(name) \(topic.id)u")
        }
        lines += ["", "#endif"]
        self.lines = lines
    }

    /// A name of its own for each topic: what two topics would share gets their ids behind it.
    private static func names(of topics: [PredefinedTopic]) -> [String] {
        let plain = topics.map { name(of: $0.name) }
        let counts = plain.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        var taken = Set(plain.filter { counts[$0] == 1 })
        return zip(topics, plain).map { topic, plain in
            guard counts[plain] != 1 else { return plain }
            var name = "\(plain)_\(topic.id)"
            while !taken.insert(name).inserted { name += "_" }
            return name
        }
    }

    /// `sensors/%c/temperature` is `TOPIC_SENSORS_CLIENT_TEMPERATURE`.
    private static func name(of topic: ByteString) -> String {
        let levels = topic.bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let words = levels.map { level in
            level.elementsEqual("%c".utf8) ? "CLIENT" : String(level.map(character))
        }
        return "TOPIC_" + words.joined(separator: "_")
    }

    private static func character(_ byte: UInt8) -> Character {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Character(Unicode.Scalar(byte - 32))
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            Character(Unicode.Scalar(byte))
        default: "_"
        }
    }

    /// A comment must not end inside a name, nor a line go on behind one.
    private static func comment(_ text: ByteString) -> String {
        var words = ""
        for character in text.description.unicodeScalars {
            if character == "/", words.hasSuffix("*") { words += " " }
            words.unicodeScalars.append(character)
        }
        return words
    }
}
