package import Bytes
package import Messaging

/// The topics that have a retained message, to be found by filter (MQTT 5.0 §3.3.1.3).
///
/// Topics that begin with `$` stand under a root of their own, so that wildcards in the first level pass them by
/// without looking [MQTT-4.7.2-1].
package struct RetainedTree {
    private var tree: LevelTree<UInt32>

    /// How many topics there are.
    package private(set) var count = 0

    /// - Parameter seed: of the hash functions; a secret, so that nobody can craft levels that collide.
    package init(seed: UInt64) {
        tree = LevelTree(seed: seed, rootCount: 2, empty: noTopic)
    }

    /// How many levels of names are stored: the cost of one search is bounded by it.
    package var nodeCount: Int { tree.count }

    /// Memory in bytes.
    package var bytes: Int { tree.bytes }

    /// Adds a topic; a topic of the same name is replaced.
    package mutating func insert(name: ByteView, topic: TopicID) {
        precondition(topic.index != noTopic)
        var levels = TopicLevels(name)
        var node = root(of: name)
        while let level = levels.next() { node = tree.makeChild(of: node, named: level) }
        if tree[node] == noTopic { count += 1 }
        tree[node] = topic.index
    }

    /// Removes the topic of this name and returns it; nil if there was none.
    @discardableResult
    package mutating func remove(name: ByteView) -> TopicID? {
        var levels = TopicLevels(name)
        var node = root(of: name)
        while let level = levels.next() {
            guard let child = tree.child(of: node, named: level) else { return nil }
            node = child
        }
        let topic = tree[node]
        guard topic != noTopic else { return nil }
        tree[node] = noTopic
        count -= 1
        while tree[node] == noTopic, let parent = tree.removeLeaf(node) { node = parent }
        tree.shrinkWhenEmpty()
        return TopicID(index: topic)
    }

    /// Appends every topic that `filter` matches, depth first; the branches of a level come in the order in which
    /// they first appeared.
    /// - Returns: how many nodes were looked at: what the search has cost.
    @discardableResult
    package func matches(filter: ByteView, into topics: inout [TopicID]) -> Int {
        guard count > 0 else { return 0 }
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: filter.count + 1) { scratch in
            var levels = TopicLevels(filter)
            var tokenCount = 0
            var endsBelow = false
            while let level = levels.next() {
                if levels.isAtEnd, level.isOnly(UInt8(ascii: "#")) {
                    endsBelow = true
                } else if level.isOnly(UInt8(ascii: "+")) {
                    scratch.initializeElement(at: tokenCount, to: anyLevelToken)
                    tokenCount += 1
                } else if let token = tree.levels.find(level) {
                    scratch.initializeElement(at: tokenCount, to: token)
                    tokenCount += 1
                } else {
                    return tokenCount
                }
            }
            let tokens = UnsafeBufferPointer(rebasing: scratch[..<tokenCount])
            return search(from: root(of: filter), tokens, endsBelow, into: &topics)
        }
    }

    private func root(of name: ByteView) -> UInt32 { name.beginsWithDollar ? 1 : 0 }

    /// Goes down the levels of the filter; where it says `+`, through all children. The way back needs no stack: each
    /// node knows its parent and its sibling.
    private func search(
        from root: UInt32, _ tokens: UnsafeBufferPointer<UInt32>, _ endsBelow: Bool, into topics: inout [TopicID]
    ) -> Int {
        var node = root
        var depth = 0
        var visited = 0
        while true {
            visited += 1
            if depth < tokens.count, let child = firstChild(of: node, tokens[depth]) {
                node = child
                depth += 1
                continue
            }
            if depth == tokens.count {
                if endsBelow {
                    visited += appendSubtree(node, to: &topics)
                } else {
                    append(node, to: &topics)
                }
            }
            while true {
                if depth == 0 { return visited }
                if tokens[depth - 1] == anyLevelToken, let sibling = tree.sibling(after: node) {
                    node = sibling
                    break
                }
                node = tree.nodes[Int(node)].parent
                depth -= 1
            }
        }
    }

    private func firstChild(of node: UInt32, _ token: UInt32) -> UInt32? {
        guard token == anyLevelToken else { return tree.child(of: node, token) }
        let child = tree.nodes[Int(node)].firstChild
        return child == noNode ? nil : child
    }

    private func append(_ node: UInt32, to topics: inout [TopicID]) {
        if tree[node] != noTopic { topics.append(TopicID(index: tree[node])) }
    }

    /// Appends the topic of a node, if it has one, and all below [MQTT-4.7.1-1].
    private func appendSubtree(_ top: UInt32, to topics: inout [TopicID]) -> Int {
        var node = top
        var visited = 0
        while true {
            visited += 1
            append(node, to: &topics)
            let child = tree.nodes[Int(node)].firstChild
            if child != noNode {
                node = child
                continue
            }
            while true {
                if node == top { return visited }
                if let sibling = tree.sibling(after: node) {
                    node = sibling
                    break
                }
                node = tree.nodes[Int(node)].parent
            }
        }
    }
}

private let noTopic = UInt32.max
