import Bytes
import Messaging
import Testing

@Suite struct RuleListTests {
    /// Filters and topics of few letters, so that many of them match.
    private func name(_ random: inout Chance, _ parts: [String]) -> ByteString {
        let count = 1 + random.below(4)
        return ByteString((0..<count).map { _ in parts[random.below(parts.count)] }.joined(separator: "/"))
    }

    private func filter(_ random: inout Chance, _ parts: [String]) -> ByteString {
        let name = name(&random, parts)
        return random.below(3) == 0 ? ByteString(name.bytes + Array("/#".utf8)) : name
    }

    @Test("What rules say does not depend on how they are looked for", arguments: 0..<100)
    func asOneByOne(seed: UInt64) {
        var random = Chance(state: seed)
        let kinds: [AccessRules.Access] = [.read, .write, .readwrite, .deny]
        var rules: [AccessRules.Rule] = []
        for _ in 0..<random.below(12) {
            let filter = filter(&random, ["a", "b", "", "+", "ab", "$S"])
            if let rule = AccessRules.Rule(kinds[random.below(random.below(4) == 0 ? 4 : 3)], filter) {
                rules.append(rule)
            }
        }
        let all = AccessRules(anonymous: rules)
        for _ in 0..<200 {
            let topic = name(&random, ["a", "b", "", "ab", "$S", "c"])
            guard !topic.isEmpty else { continue }
            // One rule alone says what it matches; the denials of a list count first.
            let matching = rules.filter { rule in
                guard let plain = AccessRules.Rule(.readwrite, rule.filter) else { return false }
                return topic.withView { AccessRules(anonymous: [plain]).mayReceive($0, .anonymous) }
            }
            let isDenied = matching.contains { $0.access == .deny }
            let mayRead = !isDenied && matching.contains { $0.access == .read || $0.access == .readwrite }
            let mayWrite = !isDenied && matching.contains { $0.access == .write || $0.access == .readwrite }
            topic.withView { topic in
                #expect(all.mayReceive(topic, .anonymous) == mayRead, "\(topic.escaped)")
                #expect(all.mayPublish(topic, .anonymous) == mayWrite, "\(topic.escaped)")
            }
        }
    }
}
