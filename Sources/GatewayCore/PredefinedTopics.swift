internal import Bytes

/// The predefined topic ids of the configuration, found by index (§6.7).
struct PredefinedTopics {
    private struct Name {
        var bytes: ByteString
        var hasPlaceholder: Bool
        /// Whose clients' name it is; nil for all that have no other.
        var clients: GlobPattern?
        /// The place plus one of the name that counts for the others; 0 for none.
        var next: UInt16
    }

    private var names: [Name] = []
    /// For each id the place of its first name plus one; 0 for none.
    private var places: [UInt16] = [0]

    /// For a client the first entry of an id counts that names it by a pattern, then the last one for all. The reserved
    /// ids are left out (§5.3.11).
    init(_ topics: [Gateway.Configuration.PredefinedTopic]) {
        for topic in topics where topic.clients == nil { append(topic) }
        for topic in topics.reversed() where topic.clients != nil { append(topic) }
    }

    /// Puts a name before those that its id has.
    private mutating func append(_ topic: Gateway.Configuration.PredefinedTopic) {
        guard topic.id != 0, topic.id != 0xFFFF, names.count < Int(UInt16.max) else { return }
        let id = Int(topic.id)
        if id >= places.count { places += [UInt16](repeating: 0, count: id + 1 - places.count) }
        names.append(
            Name(
                bytes: topic.name, hasPlaceholder: Self.placeholder(in: topic.name.bytes, from: 0) != nil,
                clients: topic.clients, next: places[id]))
        places[id] = UInt16(names.count)
    }

    /// The highest id; 0 if there is none.
    var highestID: Int { places.count - 1 }

    /// The name under `id` for this client as it was configured, `%c` included; nil if there is none.
    func pattern(_ id: UInt16, of clientID: ByteString?) -> ByteString? {
        name(id, of: clientID)?.bytes
    }

    private func name(_ id: UInt16, of clientID: ByteString?) -> Name? {
        guard Int(id) < places.count else { return nil }
        var place = places[Int(id)]
        while place != 0 {
            let name = names[Int(place) - 1]
            guard let clients = name.clients else { return name }
            if let clientID, clientID.withView(clients.matches) { return name }
            place = name.next
        }
        return nil
    }

    /// Writes the name under `id` into `scratch`, with `%c` replaced by the client id.
    ///
    /// nil if there is no such id, or if the client id would add levels or wildcards to the name (attack case 84), or
    /// if there is no client: nobody in particular has none.
    func name(_ id: UInt16, clientID: ByteString?, in scratch: Scratch) -> ByteView? {
        guard let name = name(id, of: clientID) else { return nil }
        guard name.hasPlaceholder else { return scratch.keep { $0.append(name.bytes) } }
        guard let clientID, Self.isPlain(clientID) else { return nil }
        return scratch.keep { Self.expand(name.bytes.bytes, clientID, into: &$0) }
    }

    private static func expand(_ pattern: [UInt8], _ clientID: ByteString, into buffer: inout OutputBuffer) {
        var start = 0
        while let found = placeholder(in: pattern, from: start) {
            for byte in pattern[start..<found] { buffer.append(byte) }
            buffer.append(clientID)
            start = found + 2
        }
        for byte in pattern[start...] { buffer.append(byte) }
    }

    /// Where the next `%c` begins.
    private static func placeholder(in pattern: [UInt8], from start: Int) -> Int? {
        var index = start
        while index + 1 < pattern.count {
            if pattern[index] == UInt8(ascii: "%"), pattern[index + 1] == UInt8(ascii: "c") { return index }
            index += 1
        }
        return nil
    }

    private static func isPlain(_ clientID: ByteString) -> Bool {
        !clientID.bytes.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
    }
}
