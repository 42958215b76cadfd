internal import Bytes

/// The predefined topic ids of the configuration, found by index (§6.7).
struct PredefinedTopics {
    private struct Name {
        var bytes: ByteString
        var hasPlaceholder: Bool
    }

    private var names: [Name] = []
    /// For each id the place of its name plus one; 0 for none.
    private var places: [UInt16] = [0]

    /// Later entries of the same id replace earlier ones; the reserved ids are left out (§5.3.11).
    init(_ topics: [Gateway.Configuration.PredefinedTopic]) {
        for topic in topics where topic.id != 0 && topic.id != 0xFFFF && names.count < Int(UInt16.max) {
            let id = Int(topic.id)
            if id >= places.count { places += [UInt16](repeating: 0, count: id + 1 - places.count) }
            names.append(
                Name(bytes: topic.name, hasPlaceholder: Self.placeholder(in: topic.name.bytes, from: 0) != nil))
            places[id] = UInt16(names.count)
        }
    }

    /// The highest id; 0 if there is none.
    var highestID: Int { places.count - 1 }

    /// The name under `id` as it was configured, `%c` included; nil if there is none.
    func pattern(_ id: UInt16) -> ByteString? {
        guard Int(id) < places.count, places[Int(id)] != 0 else { return nil }
        return names[Int(places[Int(id)]) - 1].bytes
    }

    /// Writes the name under `id` into `scratch`, with `%c` replaced by the client id.
    ///
    /// nil if there is no such id, or if the client id would add levels or wildcards to the name (attack case 84), or
    /// if there is no client: nobody in particular has none.
    func name(_ id: UInt16, clientID: ByteString?, in scratch: Scratch) -> ByteView? {
        guard Int(id) < places.count, places[Int(id)] != 0 else { return nil }
        let name = names[Int(places[Int(id)]) - 1]
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
