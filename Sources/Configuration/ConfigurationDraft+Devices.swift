internal import Bytes

/// What is said about the devices of a listener: topic ids and sizes, for all of them or for clients whose ids fit.
extension ConfigurationDraft {
    /// `predefined_topic 5 plant/%c/temperature`: the name goes to the end of the line, blanks inside included.
    mutating func addPredefinedTopic(_ statement: Statement) {
        addPredefinedTopic(statement.value[...], of: nil, statement)
    }

    /// `predefined_topic_for pump-* 5 pumps/%c/pressure`.
    mutating func addPredefinedTopicForClients(_ statement: Statement) {
        var rest = statement.value[...]
        let clients = GlobPattern(ByteString(Array(Self.takeWord(&rest))))
        addPredefinedTopic(rest, of: clients, statement)
    }

    private mutating func addPredefinedTopic(
        _ value: ArraySlice<UInt8>, of clients: GlobPattern?, _ statement: Statement
    ) {
        var name = value
        let word = String(decoding: Self.takeWord(&name), as: UTF8.self)
        let directive = statement.name.quoted
        guard let number = Self.number(word), let id = UInt16(exactly: number), (1...65_534).contains(id) else {
            let place = clients == nil ? "first" : "behind the pattern of client ids"
            report(
                .error, at: statement.location, "\(directive) takes an id from 1 to 65534 \(place), not \(word.quoted)")
            return
        }
        guard !name.isEmpty else {
            let usage = clients == nil ? "ID NAME" : "CLIENTS ID NAME"
            report(.error, at: statement.location, "\(directive) needs \(usage); the name is missing")
            return
        }
        if let fault = Self.fault(inPredefinedName: name) {
            report(.error, at: statement.location, "\(directive): \(fault)")
            return
        }
        listener.devices.predefinedTopics.append(
            PredefinedTopic(id: id, name: ByteString(Array(name)), clients: clients))
        listener.predefinedTopicLines.append(statement.location)
    }

    /// Why a name cannot be predefined; lengths are checked when the limits are known.
    private static func fault(inPredefinedName name: ArraySlice<UInt8>) -> String? {
        if name.contains(UInt8(ascii: "#")) || name.contains(UInt8(ascii: "+")) {
            return "the name has a wildcard, + or #, but an id stands for one topic"
        }
        let clientID = Array("%c".utf8)
        for level in name.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true)
        where level.count > 2 && level.indices.dropLast().contains(where: { level[$0...].starts(with: clientID) }) {
            return "%c must be the whole of a level, as in plant/%c/temperature"
        }
        return nil
    }

    /// `device_message_size_for pump-* 60`.
    mutating func addMessageSize(_ statement: Statement) {
        let words = statement.words
        let range = 16...65_507
        guard words.count == 2, let bytes = Self.number(words[1]), range.contains(bytes) else {
            report(
                .error, at: statement.location,
                "\(statement.name.quoted) takes a pattern of client ids and a number from \(range.lowerBound) to "
                    + "\(range.upperBound) (bytes), not \(statement.text.quoted)")
            return
        }
        let clients = GlobPattern(ByteString(words[0]))
        guard !listener.devices.messageSizes.contains(where: { $0.clients == clients }) else {
            report(.error, at: statement.location, "\(words[0].quoted) has a size already")
            return
        }
        guard listener.devices.messageSizes.count < Self.messageSizesMax else {
            report(.error, at: statement.location, "more than \(Self.messageSizesMax) sizes for patterns of client ids")
            return
        }
        listener.devices.messageSizes.append(ClientMessageSize(clients: clients, bytes: bytes))
    }

    /// Patterns are tried one after the other with each message to a device.
    static let messageSizesMax = 64

    /// Takes the first word away, and the blanks behind it.
    private static func takeWord(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let word = rest.prefix { $0 != 0x20 && $0 != 0x09 }
        rest = rest.dropFirst(word.count).drop { $0 == 0x20 || $0 == 0x09 }
        return word
    }
}
