import BrokerCore
import Bytes
import Clockwork
import Messaging
import Testing

@Suite struct RetainedTreeTests {
    private static func find(_ tree: RetainedTree, _ filter: String) -> [UInt32] {
        var topics: [TopicID] = []
        _ = bytes(filter) { tree.matches(filter: $0, into: &topics) }
        return topics.map(\.index)
    }

    @Test("A filter finds its topics, depth first and in the order of their branches")
    func order() {
        var tree = RetainedTree(seed: 1)
        let names = ["b/x", "a", "a/b/c", "b", "$SYS/load", "a//c", "/", "$SYS", "b/y", "a/b"]
        for (number, name) in names.enumerated() {
            bytes(name) { tree.insert(name: $0, topic: TopicID(index: UInt32(number))) }
        }
        #expect(tree.count == names.count)
        let cases: [(String, [String])] = [
            ("#", ["b", "b/x", "b/y", "a", "a/b", "a/b/c", "a//c", "/"]),
            ("+", ["b", "a"]),
            ("+/+", ["b/x", "b/y", "a/b", "/"]),
            ("a/#", ["a", "a/b", "a/b/c", "a//c"]),
            ("a/+/c", ["a/b/c", "a//c"]),
            ("+/b/#", ["a/b", "a/b/c"]),
            ("+/#", ["b", "b/x", "b/y", "a", "a/b", "a/b/c", "a//c", "/"]),
            ("/+", ["/"]),
            ("$SYS/#", ["$SYS", "$SYS/load"]),
            ("$SYS/+", ["$SYS/load"]),
            ("+/load", []),
            ("a/b", ["a/b"]),
            ("a/x", []),
            ("nowhere/#", []),
            ("a/+/nowhere", []),
        ]
        for (filter, expected) in cases {
            let found = Self.find(tree, filter).map { names[Int($0)] }
            #expect(found == expected, "filter \(filter) [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.2-1]")
        }
    }

    @Test("The same name replaces, and removing an unknown name does nothing")
    func replacement() {
        var tree = RetainedTree(seed: 1)
        bytes("a/b") { name in
            tree.insert(name: name, topic: TopicID(index: 1))
            tree.insert(name: name, topic: TopicID(index: 2))
            #expect(tree.count == 1)
            #expect(bytes("a") { tree.remove(name: $0) } == nil)
            #expect(bytes("a/b/c") { tree.remove(name: $0) } == nil)
            #expect(tree.remove(name: name) == TopicID(index: 2))
            #expect(tree.remove(name: name) == nil)
        }
        #expect(tree.count == 0 && tree.nodeCount == 0)
        #expect(Self.find(tree, "#") == [])
    }

    @Test("The tree agrees with the naive matcher through random change", arguments: 1...20)
    func property(seed: UInt64) {
        var generator = TopicGenerator(seed: seed)
        var tree = RetainedTree(seed: seed)
        var model: [String: UInt32] = [:]
        let removals = generator.random.below(4)
        for step in 0..<600 {
            let name = generator.name()
            if generator.random.below(4) < removals {
                #expect(bytes(name) { tree.remove(name: $0) }?.index == model.removeValue(forKey: name))
            } else {
                bytes(name) { tree.insert(name: $0, topic: TopicID(index: UInt32(step))) }
                model[name] = UInt32(step)
            }
            #expect(tree.count == model.count)
            guard step % 15 == 0 else { continue }
            let filter = generator.filter(levelsMax: 6)
            let expected = model.filter { naiveMatches(filter: filter, topic: $0.key) }.values.sorted()
            #expect(Self.find(tree, filter).sorted() == expected, "filter \(filter)")
        }
        for name in model.keys { bytes(name) { _ = tree.remove(name: $0) } }
        #expect(tree.nodeCount == 0)
    }

    @Test("The same changes give the same order in every tree, whatever its seed")
    func determinism() {
        var first = RetainedTree(seed: 1)
        var second = RetainedTree(seed: 2)
        var generator = TopicGenerator(seed: 9)
        for step in 0..<2_000 {
            let name = generator.name()
            bytes(name) { view in
                if step % 3 == 0 {
                    _ = (first.remove(name: view), second.remove(name: view))
                } else {
                    first.insert(name: view, topic: TopicID(index: UInt32(step)))
                    second.insert(name: view, topic: TopicID(index: UInt32(step)))
                }
            }
        }
        #expect(!Self.find(first, "#").isEmpty)
        #expect(Self.find(first, "#") == Self.find(second, "#"))
    }

    @Test("Churn does not grow the tree, and an empty one gives its memory back")
    func churn() {
        var tree = RetainedTree(seed: 3)
        var memory = 0
        for round in 0..<10 {
            for number in 0..<2_000 {
                bytes("plant/\(round)/\(number)/a-level-of-more-than-16-bytes") {
                    tree.insert(name: $0, topic: TopicID(index: UInt32(number)))
                }
                guard number >= 50 else { continue }
                bytes("plant/\(round)/\(number - 50)/a-level-of-more-than-16-bytes") { _ = tree.remove(name: $0) }
            }
            for number in 1_950..<2_000 {
                bytes("plant/\(round)/\(number)/a-level-of-more-than-16-bytes") { _ = tree.remove(name: $0) }
            }
            if round == 0 { memory = tree.bytes }
            #expect(tree.count == 0 && tree.nodeCount == 0 && tree.bytes <= memory)
        }
    }

    @Test("Names and filters of 65,535 levels are walked without recursion [attack 51]")
    func depth() {
        var tree = RetainedTree(seed: 4)
        let deep = String(repeating: "/", count: 65_534)
        bytes(deep) { tree.insert(name: $0, topic: TopicID(index: 1)) }
        #expect(Self.find(tree, "#") == [1])
        #expect(Self.find(tree, deep) == [1])
        #expect(Self.find(tree, String(repeating: "+/", count: 65_534) + "+") == [1])
        #expect(Self.find(tree, String(repeating: "+/", count: 65_535) + "+") == [])
        #expect(bytes(deep) { tree.remove(name: $0) }?.index == 1)
        #expect(tree.nodeCount == 0)
    }

    @Test("A search by steps finds what a whole one finds, in the same order", arguments: 1...10)
    func steps(seed: UInt64) {
        var generator = TopicGenerator(seed: seed)
        var tree = RetainedTree(seed: seed)
        for step in 0..<300 {
            bytes(generator.name()) { tree.insert(name: $0, topic: TopicID(index: UInt32(step))) }
        }
        for _ in 0..<40 {
            let filter = generator.filter(levelsMax: 6)
            let nodesMax = Int(generator.random.below(20))
            let topicsMax = Int(generator.random.below(5))
            let share = RetainedTree.Share(nodesMax: nodesMax, topicsMax: topicsMax)
            var found: [TopicID] = []
            var cursor: RetainedTree.Cursor?
            repeat {
                let before = found.count
                let visited = bytes(filter) { tree.search(filter: $0, share, from: &cursor, into: &found) }
                #expect(visited <= max(share.nodesMax, 64))
                #expect(found.count - before <= share.topicsMax)
            } while cursor != nil
            #expect(found.map(\.index) == Self.find(tree, filter), "filter \(filter)")
        }
    }

    @Test("A search goes on while topics come and go: what stays is found once, and nothing else is left behind")
    func changesBetweenSteps() {
        for seed: UInt64 in 1...20 {
            var generator = TopicGenerator(seed: seed)
            var tree = RetainedTree(seed: seed)
            for number in 0..<200 {
                bytes("stays/\(number % 20)/\(number)") { tree.insert(name: $0, topic: TopicID(index: UInt32(number))) }
            }
            var others: Set<String> = []
            var found: [TopicID] = []
            var cursor: RetainedTree.Cursor?
            repeat {
                let share = RetainedTree.Share(nodesMax: 3, topicsMax: 2)
                _ = bytes("#") { tree.search(filter: $0, share, from: &cursor, into: &found) }
                for _ in 0..<3 {
                    let name = "stays/\(generator.random.below(25))/x\(generator.random.below(9))/\(generator.name())"
                    if others.remove(name) != nil || generator.random.below(2) == 0 {
                        bytes(name) { _ = tree.remove(name: $0) }
                    } else {
                        others.insert(name)
                        bytes(name) { tree.insert(name: $0, topic: TopicID(index: 1_000)) }
                    }
                    if generator.random.below(3) == 0, let gone = others.popFirst() {
                        bytes(gone) { _ = tree.remove(name: $0) }
                    }
                }
            } while cursor != nil
            #expect(found.map(\.index).filter { $0 < 1_000 }.sorted() == Array(0..<200))
            for name in others { bytes(name) { _ = tree.remove(name: $0) } }
            for number in 0..<200 { bytes("stays/\(number % 20)/\(number)") { _ = tree.remove(name: $0) } }
            #expect(tree.nodeCount == 0)
        }
    }

    @Test("A search that is given up holds nothing, and one that waits holds one way through the tree")
    func abandoned() {
        var tree = RetainedTree(seed: 1)
        for name in ["a/b/c", "a/b/d", "e"] { bytes(name) { tree.insert(name: $0, topic: TopicID(index: 1)) } }
        var cursors: [RetainedTree.Cursor?] = [nil, nil]
        var found: [TopicID] = []
        for index in 0..<2 {
            let share = RetainedTree.Share(nodesMax: 3)
            _ = bytes("#") { tree.search(filter: $0, share, from: &cursors[index], into: &found) }
        }
        for name in ["a/b/c", "a/b/d", "e"] { bytes(name) { _ = tree.remove(name: $0) } }
        #expect(tree.count == 0 && tree.nodeCount == 3)
        for cursor in cursors { cursor.map { tree.abandon($0) } }
        #expect(tree.nodeCount == 0)
    }
}
