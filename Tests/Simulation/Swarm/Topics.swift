/// Topics as the standard describes them (§4.7): levels between slashes, compared byte by byte.
enum Topics {
    static func levels(_ octets: Octets) -> [Octets] {
        octets.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Octets($0) }
    }

    static func matches(filter: Octets, topic: Octets) -> Bool {
        // A wildcard at the beginning does not match the server's own topics [MQTT-4.7.2-1].
        if topic.first == UInt8(ascii: "$"), filter.first != UInt8(ascii: "$") { return false }
        return matches(levels(filter)[...], levels(topic)[...])
    }

    private static func matches(_ filter: ArraySlice<Octets>, _ topic: ArraySlice<Octets>) -> Bool {
        guard let level = filter.first else { return topic.isEmpty }
        if level == Octets("#".utf8) { return true }
        guard let name = topic.first else { return false }
        return (level == name || level == Octets("+".utf8)) && matches(filter.dropFirst(), topic.dropFirst())
    }

    static func isFilter(_ octets: Octets, _ rules: Rules) -> Bool {
        let levels = levels(isShared(octets) ? shared(octets) : octets)
        guard !isShared(octets) || !shared(octets).isEmpty else { return false }
        guard !octets.isEmpty, octets.count <= rules.topicBytesMax, levels.count <= rules.levelsMax else {
            return false
        }
        return levels.enumerated().allSatisfy { index, level in
            if level.contains(UInt8(ascii: "#")) { return level.count == 1 && index == levels.count - 1 }
            return level.contains(UInt8(ascii: "+")) ? level.count == 1 : true
        }
    }

    /// Whether a name without wildcards is within the server's limits.
    static func isName(_ octets: Octets, _ rules: Rules) -> Bool {
        !octets.isEmpty && octets.count <= rules.topicBytesMax && levels(octets).count <= rules.levelsMax
    }

    static func belongsToServer(_ octets: Octets) -> Bool { octets.first == UInt8(ascii: "$") }
    static func isShared(_ filter: Octets) -> Bool { levels(filter).first == Octets("$share".utf8) }
}
