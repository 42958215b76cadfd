import BrokerCore
import Bytes
import Clockwork
import Messaging
import Testing

@Suite struct SubscriptionTreeTests {
    private static func sessions(_ tree: SubscriptionTree, _ topic: String) -> [UInt32] {
        var matches: [Match] = []
        _ = bytes(topic) { tree.match($0, into: &matches) }
        return matches.map(\.session)
    }

    private static func options(_ identifier: UInt32) -> SubscriptionOptions {
        SubscriptionOptions(maximumQoS: .atLeastOnce, noLocal: identifier % 2 == 0, identifier: identifier)
    }

    @Test(
        "A filter matches the topics that §4.7 says [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.2-1] [MQTT-4.7.3-4]",
        arguments: [
            ("#", "a", true), ("#", "a/b/c", true), ("#", "/", true), ("#", "$SYS", false), ("#", "$SYS/a", false),
            ("+", "a", true), ("+", "a/b", false), ("+", "/a", false), ("+", "$SYS", false),
            ("/+", "/a", true), ("+/+", "/a", true), ("+/+", "$SYS/a", false), ("$SYS/+", "$SYS/a", true),
            ("$SYS/#", "$SYS", true), ("$SYS/#", "$SYS/a/b", true), ("$SYS/#", "$SYSTEM", false),
            ("a/#", "a", true), ("a/#", "a/", true), ("a/#", "ab", false), ("a/+", "a", false), ("a/+", "a/", true),
            ("a/+/c", "a/b/c", true), ("a/+/c", "a//c", true), ("a/+/c", "a/b/d", false), ("+/#", "a", true),
            ("+/b/#", "a/b", true), ("+/b/#", "b", false), ("a/b", "a/b", true), ("A/#", "a", false),
            ("a/+/#", "a", false), ("a/+/#", "a/b", true), ("a/$b/+", "a/$b/c", true), ("a/+", "a/$b", true),
            ("caf\u{E9}/#", "cafe\u{301}", false), ("caf\u{E9}/#", "caf\u{E9}/x", true),
        ])
    func matching(filter: String, topic: String, matches: Bool) {
        var tree = SubscriptionTree(seed: 1)
        bytes(filter) { _ = tree.insert(filter: $0, session: 7, options: Self.options(1)) }
        #expect(Self.sessions(tree, topic) == (matches ? [7] : []))
        #expect(naiveMatches(filter: filter, topic: topic) == matches)
    }

    @Test("A second subscription to the same filter replaces the first and returns it [MQTT-3.8.4-3]")
    func replacement() {
        var tree = SubscriptionTree(seed: 1)
        bytes("a/+") { filter in
            #expect(tree.insert(filter: filter, session: 1, options: Self.options(1)) == nil)
            #expect(tree.insert(filter: filter, session: 1, options: Self.options(2)) == Self.options(1))
            #expect(tree.insert(filter: filter, session: 2, options: Self.options(3)) == nil)
            #expect(tree.count == 2)
            #expect(tree.remove(filter: filter, session: 1) == Self.options(2))
            #expect(tree.remove(filter: filter, session: 1) == nil)
            #expect(tree.remove(filter: filter, session: 2) == Self.options(3))
        }
        #expect(tree.count == 0)
        #expect(tree.nodeCount == 0)
        #expect(bytes("never/+/there") { tree.remove(filter: $0, session: 1) } == nil)
    }

    @Test("Matches come as #, name, + at each level, and for one filter in the order of subscribing")
    func order() {
        var tree = SubscriptionTree(seed: 1)
        for (session, filter) in [
            (1, "+/+"), (2, "a/b"), (3, "#"), (4, "a/+"), (5, "+/b"), (6, "a/#"), (7, "a/b/#"), (8, "a/+"), (0, "a/+"),
        ] {
            bytes(filter) { _ = tree.insert(filter: $0, session: UInt32(session), options: Self.options(0)) }
        }
        #expect(Self.sessions(tree, "a/b") == [3, 6, 7, 2, 4, 8, 0, 5, 1])
    }

    @Test("The tree agrees with the naive matcher through random subscribing and unsubscribing", arguments: 1...20)
    func property(seed: UInt64) {
        var generator = TopicGenerator(seed: seed)
        var tree = SubscriptionTree(seed: seed)
        struct Key: Hashable {
            let filter: String
            let session: UInt32
        }
        var model: [Key: SubscriptionOptions] = [:]
        let removals = generator.random.below(4)
        for step in 0..<600 {
            let key = Key(filter: generator.filter(), session: UInt32(generator.random.below(6)))
            if generator.random.below(4) < removals {
                let removed = bytes(key.filter) { tree.remove(filter: $0, session: key.session) }
                #expect(removed == model.removeValue(forKey: key))
            } else {
                let options = Self.options(UInt32(step))
                let replaced = bytes(key.filter) { tree.insert(filter: $0, session: key.session, options: options) }
                #expect(replaced == model.updateValue(options, forKey: key))
            }
            #expect(tree.count == model.count)
            guard step % 15 == 0 else { continue }
            let topic = generator.name(levelsMax: 6)
            var matches: [Match] = []
            _ = bytes(topic) { tree.match($0, into: &matches) }
            let expected = model.filter { naiveMatches(filter: $0.key.filter, topic: topic) }
            let found = matches.map { [$0.session, $0.options.identifier] }.sorted { $0.lexicographicallyPrecedes($1) }
            let wanted = expected.map { [$0.key.session, $0.value.identifier] }
                .sorted { $0.lexicographicallyPrecedes($1) }
            #expect(found == wanted, "topic \(topic)")
        }
        for key in model.keys { bytes(key.filter) { _ = tree.remove(filter: $0, session: key.session) } }
        #expect(tree.count == 0)
        #expect(tree.nodeCount == 0)
    }

    @Test("Churn does not grow the tree, and an empty one gives its memory back [attack 62]")
    func churn() {
        var tree = SubscriptionTree(seed: 3)
        var memory = 0
        for round in 0..<20 {
            for number in 0..<2_000 {
                bytes("churn/+/a-level-of-more-than-16-bytes-\(round)-\(number)/#") {
                    _ = tree.insert(filter: $0, session: UInt32(number), options: Self.options(1))
                }
                guard number >= 50 else { continue }
                bytes("churn/+/a-level-of-more-than-16-bytes-\(round)-\(number - 50)/#") {
                    _ = tree.remove(filter: $0, session: UInt32(number - 50))
                }
            }
            #expect(tree.count == 50 && tree.nodeCount == 52)
            for number in 1_950..<2_000 {
                bytes("churn/+/a-level-of-more-than-16-bytes-\(round)-\(number)/#") {
                    #expect(tree.remove(filter: $0, session: UInt32(number)) != nil)
                }
            }
            if round == 0 { memory = tree.bytes }
            #expect(tree.bytes <= memory)
        }
        for number in 0..<20_000 {
            bytes("\(number)/+") { _ = tree.insert(filter: $0, session: 1, options: Self.options(1)) }
        }
        #expect(tree.bytes > 1_000_000)
        for number in 0..<20_000 { bytes("\(number)/+") { _ = tree.remove(filter: $0, session: 1) } }
        #expect(tree.bytes < 50_000)
    }

    @Test("Many sessions on one filter are found, replaced and removed one by one")
    func fanOut() {
        var tree = SubscriptionTree(seed: 4)
        bytes("a/+") { filter in
            for session in 0..<5_000 {
                _ = tree.insert(filter: filter, session: UInt32(session), options: Self.options(1))
            }
            for session in stride(from: 0, to: 5_000, by: 2) {
                #expect(tree.remove(filter: filter, session: UInt32(session)) != nil)
            }
        }
        #expect(Self.sessions(tree, "a/b") == Array(stride(from: 1, to: 5_000, by: 2)))
    }

    @Test("A filter and a topic of 65,535 levels are walked without recursion [attack 51]")
    func depth() {
        var tree = SubscriptionTree(seed: 5)
        let slashes = String(repeating: "/", count: 65_534)
        let wildcards = String(repeating: "+/", count: 65_534) + "#"
        for filter in [slashes + "+", wildcards, "/#"] {
            bytes(filter) { _ = tree.insert(filter: $0, session: 1, options: Self.options(1)) }
        }
        #expect(Self.sessions(tree, slashes).count == 3)
        #expect(Self.sessions(tree, slashes + "/").count == 2)
        #expect(Self.sessions(tree, "/").count == 1)
        for filter in [slashes + "+", wildcards, "/#"] {
            bytes(filter) { _ = tree.remove(filter: $0, session: 1) }
        }
        #expect(tree.nodeCount == 0)
    }

    @Test("Overlapping wildcards visit each node once [attack 61]")
    func overlap() {
        var tree = SubscriptionTree(seed: 6)
        for pattern in 0..<1_024 {
            let filter = (0..<10).map { pattern >> $0 & 1 == 0 ? "+" : "a" }.joined(separator: "/")
            bytes(filter) { _ = tree.insert(filter: $0, session: UInt32(pattern), options: Self.options(1)) }
        }
        #expect(tree.nodeCount == 2_046)
        let found = Self.sessions(tree, "a/a/a/a/a/a/a/a/a/a")
        #expect(found.sorted() == Array(0..<1_024))
        #expect(Self.sessions(tree, "b/b/b/b/b/b/b/b/b/b") == [0])
    }

    @Test("Filters and topics that TopicRules refuses do no harm", arguments: ["", "#/a", "a#", "+a/#", "a/#/b", "\0"])
    func oddities(filter: String) {
        var tree = SubscriptionTree(seed: 7)
        bytes(filter) { view in
            #expect(tree.insert(filter: view, session: 1, options: Self.options(1)) == nil)
            #expect(Self.sessions(tree, filter) == [1])
            #expect(tree.remove(filter: view, session: 1) != nil)
        }
        #expect(tree.nodeCount == 0)
    }
}
