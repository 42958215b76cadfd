import Bytes
import Clockwork

/// MQTT 5.0 §4.7 in a few lines: what the trees are compared with.
func naiveMatches(filter: String, topic: String) -> Bool {
    let wanted = Array(filter.utf8).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let given = Array(topic.utf8).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let (one, all) = ([UInt8(ascii: "+")][...], [UInt8(ascii: "#")][...])
    if topic.utf8.first == UInt8(ascii: "$"), wanted[0] == one || wanted[0] == all { return false }
    for (depth, level) in wanted.enumerated() {
        if level == all { return true }
        guard depth < given.count, level == one || level == given[depth] else { return false }
    }
    return wanted.count == given.count
}

/// Topics and filters that meet often: few levels, few words, some empty, some long, some with `$`.
struct TopicGenerator {
    var random: SeededGenerator
    let words: [String]

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        let kinds = [
            ["a", "b"],
            ["a", "b", "c", "", "$SYS", "$"],
            ["temperature", "hall-1", "", "a-level-of-more-than-16-bytes", "another-level-of-many-bytes", "$SYS"],
        ]
        words = kinds[Int(random.below(3))]
    }

    mutating func name(levelsMax: UInt64 = 5) -> String {
        var levels: [String] = []
        for _ in 0...random.below(levelsMax) { levels.append(pick(words)) }
        return levels.joined(separator: "/")
    }

    mutating func filter(levelsMax: UInt64 = 5) -> String {
        var levels: [String] = []
        for _ in 0...random.below(levelsMax) { levels.append(random.below(3) == 0 ? "+" : pick(words)) }
        if random.below(3) == 0 { levels.append("#") }
        if random.below(20) == 0 { return "#" }
        return levels.joined(separator: "/")
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int(random.below(UInt64(elements.count)))]
    }
}

/// Lends the UTF-8 bytes of `text`.
func bytes<Result>(_ text: String, _ body: (ByteView) throws -> Result) rethrows -> Result {
    try ByteString(text).withView(body)
}
