package import Bytes
package import Messaging

/// The topics that have a retained message, to be found by filter (MQTT 5.0 §3.3.1.3).
///
/// Topics that begin with `$` stand under a root of their own, so that wildcards in the first level pass them by
/// without looking [MQTT-4.7.2-1].
package struct RetainedTree {
    private var tree: LevelTree<UInt32>

    /// How many searches wait at a node: it stays for them though nothing else may need it.
    private var holders: [UInt32: Int] = [:]

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
        prune(node)
        return TopicID(index: topic)
    }

    /// Removes a node that nobody needs, and its parents that nobody needs then.
    private mutating func prune(_ leaf: UInt32) {
        var node = leaf
        while tree[node] == noTopic, holders.isEmpty || holders[node] == nil, let parent = tree.removeLeaf(node) {
            node = parent
        }
        tree.shrinkWhenEmpty()
    }

    private func root(of name: ByteView) -> UInt32 { name.beginsWithDollar ? 1 : 0 }
}

// MARK: - Search

extension RetainedTree {
    /// Where a search through the tree stands: it goes on there whatever was added and removed meanwhile. What is
    /// added behind it is not found any more.
    package struct Cursor: Equatable {
        /// The node to be looked at next; held in its place until then.
        fileprivate var node: UInt32
        /// Its level, counted from 0 for the root.
        fileprivate var depth: Int
    }

    /// What one step of a search may cost.
    package struct Share {
        /// Nodes to be looked at.
        package var nodesMax: Int
        /// Topics to be found.
        package var topicsMax: Int

        package init(nodesMax: Int = .max, topicsMax: Int = .max) {
            self.nodesMax = max(nodesMax, 1)
            self.topicsMax = max(topicsMax, 1)
        }
    }

    /// Appends every topic that `filter` matches, depth first; the branches of a level come in the order in which
    /// they first appeared.
    /// - Returns: how many nodes were looked at: what the search has cost.
    @discardableResult
    package func matches(filter: ByteView, into topics: inout [TopicID]) -> Int {
        var cursor: Cursor?
        return walk(filter, Share(), &cursor, into: &topics)
    }

    /// Appends the next topics that `filter` matches, in the order of `matches(filter:into:)`, as far as the share
    /// goes.
    /// - Parameter cursor: nil to begin; nil afterwards when the search has come to its end. A search that is given up
    ///   before must be `abandon`ed.
    /// - Returns: how many nodes were looked at.
    package mutating func search(
        filter: ByteView, _ share: Share, from cursor: inout Cursor?, into topics: inout [TopicID]
    ) -> Int {
        let start = cursor
        let visited = walk(filter, share, &cursor, into: &topics)
        if let next = cursor { hold(next.node) }
        if let start { letGo(start.node) }
        return visited
    }

    /// Gives a search up.
    package mutating func abandon(_ cursor: Cursor) {
        letGo(cursor.node)
    }

    private mutating func hold(_ node: UInt32) {
        holders[node, default: 0] += 1
    }

    /// One search less waits at a node, which goes now if nothing else needs it.
    private mutating func letGo(_ node: UInt32) {
        let left = (holders[node] ?? 1) - 1
        holders[node] = left > 0 ? left : nil
        prune(node)
    }

    private func walk(
        _ filter: ByteView, _ share: Share, _ cursor: inout Cursor?, into topics: inout [TopicID]
    ) -> Int {
        let start = cursor ?? Cursor(node: root(of: filter), depth: 0)
        cursor = nil
        guard tree.count > 0 else { return 0 }
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
            let path = Path(tokens: UnsafeBufferPointer(rebasing: scratch[..<tokenCount]), endsBelow: endsBelow)
            return walk(path, share, from: start, &cursor, into: &topics)
        }
    }

    /// A filter, its levels as tokens.
    private struct Path {
        let tokens: UnsafeBufferPointer<UInt32>
        /// Whether `#` follows them.
        let endsBelow: Bool

        /// Whether a topic of so many levels matches, whose levels are as the filter says.
        @inline(__always)
        func isMatch(_ depth: Int) -> Bool { depth == tokens.count || endsBelow && depth > tokens.count }

        /// Whether all branches match at this level, counted from 1.
        @inline(__always)
        func isAny(_ depth: Int) -> Bool { depth > tokens.count || tokens[depth - 1] == anyLevelToken }
    }

    /// Goes down the levels of the filter; where it says `+`, and below its end, through all children
    /// [MQTT-4.7.1-1]. The way back needs no stack: each node knows its parent and its sibling.
    private func walk(
        _ path: Path, _ share: Share, from start: Cursor, _ cursor: inout Cursor?, into topics: inout [TopicID]
    ) -> Int {
        var node = start.node
        var depth = start.depth
        var visited = 0
        let topicsMax = topics.count.addingReportingOverflow(share.topicsMax)
        while true {
            if visited >= share.nodesMax || !topicsMax.overflow && topics.count >= topicsMax.partialValue {
                cursor = Cursor(node: node, depth: depth)
                return visited
            }
            visited += 1
            if path.isMatch(depth), tree[node] != noTopic { topics.append(TopicID(index: tree[node])) }
            if let child = firstChild(of: node, depth, path) {
                node = child
                depth += 1
                continue
            }
            while true {
                if depth == 0 { return visited }
                if path.isAny(depth), let sibling = tree.sibling(after: node) {
                    node = sibling
                    break
                }
                node = tree.nodes[Int(node)].parent
                depth -= 1
            }
        }
    }

    private func firstChild(of node: UInt32, _ depth: Int, _ path: Path) -> UInt32? {
        if depth < path.tokens.count {
            guard path.tokens[depth] == anyLevelToken else { return tree.child(of: node, path.tokens[depth]) }
        } else if !path.endsBelow {
            return nil
        }
        let child = tree.nodes[Int(node)].firstChild
        return child == noNode ? nil : child
    }
}

private let noTopic = UInt32.max
