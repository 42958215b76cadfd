package import Bytes
package import Messaging

/// A subscription whose filter matches a topic.
@frozen
package struct Match: Equatable, Sendable {
    package var session: UInt32
    package var options: SubscriptionOptions

    @inlinable
    package init(session: UInt32, options: SubscriptionOptions) {
        self.session = session
        self.options = options
    }
}

/// The subscriptions with wildcards (MQTT 5.0 §4.7); those without stand on their topic.
///
/// A node is the levels of a filter up to some depth, with `+` as a level of its own. It holds two lists of
/// subscribers: those whose filter ends there, and those whose filter goes on with `#`. Filters are taken as
/// `TopicRules.allowsFilter` lets them pass, without `$share/…/`.
package struct SubscriptionTree {
    private var tree: LevelTree<Branch>
    private var lists: SubscriberLists
    private var shapes = WildcardShapes()
    /// The most levels that any filter has had since the tree was empty, `#` not counted.
    private var deepest = 0

    private struct Branch {
        /// The child for `+`.
        var any = noNode
        /// The first subscriber to the levels up to here.
        var exact = noSubscriber
        /// The first subscriber to the levels up to here and everything below.
        var below = noSubscriber
        var shape = rootShape
    }

    /// Where a filter's subscribers stand.
    private struct Place {
        var node = rootNode
        var isBelow = false

        /// The number of the list.
        var list: UInt32 { node * 2 + (isBelow ? 1 : 0) }
    }

    /// - Parameter seed: of the hash functions; a secret, so that nobody can craft levels that collide.
    package init(seed: UInt64) {
        tree = LevelTree(seed: seed, rootCount: 1, empty: Branch())
        lists = SubscriberLists(seed: seed &+ 1)
    }

    /// How many subscriptions there are.
    package var count: Int { lists.count }

    /// How many levels of filters are stored.
    package var nodeCount: Int { tree.count }

    /// How many different shapes the filters have, level by level: no match looks at more nodes than these and the
    /// root.
    package var shapeCount: Int { shapes.count }

    /// Memory in bytes, without what the shapes take.
    package var bytes: Int { tree.bytes + lists.bytes }
}

// MARK: - Change

extension SubscriptionTree {
    /// Adds the subscription of `session` to `filter`; an older one to the same filter is replaced and returned
    /// [MQTT-3.8.4-3].
    @discardableResult
    package mutating func insert(
        filter: ByteView, session: UInt32, options: SubscriptionOptions
    ) -> SubscriptionOptions? {
        let place = make(filter)
        if place.isBelow {
            return lists.insert(
                session: session, options: options, list: place.list, head: &tree[place.node].below)
        }
        return lists.insert(session: session, options: options, list: place.list, head: &tree[place.node].exact)
    }

    /// Removes the subscription of `session` to `filter` and returns it; nil if there was none.
    @discardableResult
    package mutating func remove(filter: ByteView, session: UInt32) -> SubscriptionOptions? {
        guard let place = find(filter) else { return nil }
        let removed: SubscriptionOptions?
        if place.isBelow {
            removed = lists.remove(session: session, list: place.list, head: &tree[place.node].below)
        } else {
            removed = lists.remove(session: session, list: place.list, head: &tree[place.node].exact)
        }
        guard removed != nil else { return nil }
        prune(place.node)
        if count == 0 {
            tree.shrinkWhenEmpty()
            deepest = 0
        }
        return removed
    }

    /// How many shapes a filter would add.
    package func shapesAdded(by filter: ByteView) -> Int {
        var levels = TopicLevels(filter)
        var shape: UInt32? = rootShape
        var added = 0
        while let level = levels.next() {
            if levels.isAtEnd, level.isOnly(UInt8(ascii: "#")) { break }
            shape = shape.flatMap { shapes.child(of: $0, isAny: level.isOnly(UInt8(ascii: "+"))) }
            if shape == nil { added += 1 }
        }
        return added
    }

    /// Where the subscribers to a filter stand, if its levels are there.
    private func find(_ filter: ByteView) -> Place? {
        var levels = TopicLevels(filter)
        var place = Place()
        while let level = levels.next() {
            if levels.isAtEnd, level.isOnly(UInt8(ascii: "#")) {
                place.isBelow = true
                return place
            }
            let isAny = level.isOnly(UInt8(ascii: "+"))
            let child = isAny ? tree[place.node].any : tree.child(of: place.node, named: level) ?? noNode
            guard child != noNode else { return nil }
            place.node = child
        }
        return place
    }

    /// Where the subscribers to a filter stand; makes the levels that are missing.
    private mutating func make(_ filter: ByteView) -> Place {
        var levels = TopicLevels(filter)
        var place = Place()
        var depth = 0
        while let level = levels.next() {
            if levels.isAtEnd, level.isOnly(UInt8(ascii: "#")) {
                place.isBelow = true
                return place
            }
            place.node = makeChild(of: place.node, level)
            depth += 1
            deepest = max(deepest, depth)
        }
        return place
    }

    private mutating func makeChild(of node: UInt32, _ level: ByteView) -> UInt32 {
        let isAny = level.isOnly(UInt8(ascii: "+"))
        let before = tree.count
        let child = isAny ? tree.makeAnyChild(of: node) : tree.makeChild(of: node, named: level)
        guard tree.count > before else { return child }
        tree[child].shape = shapes.acquireChild(of: tree[node].shape, isAny: isAny)
        if isAny { tree[node].any = child }
        return child
    }

    /// Removes a node that nobody needs, and its parents that nobody needs then.
    private mutating func prune(_ leaf: UInt32) {
        var node = leaf
        while tree[node].exact == noSubscriber, tree[node].below == noSubscriber {
            let shape = tree[node].shape
            guard let parent = tree.removeLeaf(node) else { return }
            shapes.release(shape)
            if tree[parent].any == node { tree[parent].any = noNode }
            node = parent
        }
    }
}

// MARK: - Match

extension SubscriptionTree {
    /// Appends every subscription whose filter matches `topic`: a session once for each of its filters. The order
    /// follows from the filters (at each level `#`, then the name, then `+`), and for the same filter from the order
    /// of subscribing.
    /// - Returns: how many nodes were looked at.
    @discardableResult
    package func match(_ topic: ByteView, into matches: inout [Match]) -> Int {
        guard count > 0 else { return 0 }
        // Levels deeper than any filter need no token: only `#` can match there.
        let tokenMax = min(topic.count + 1, deepest)
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 3 * tokenMax) { scratch in
            var levels = TopicLevels(topic)
            var tokenCount = 0
            while tokenCount < tokenMax, let level = levels.next() {
                scratch.initializeElement(at: tokenCount, to: tree.levels.find(level) ?? noToken)
                tokenCount += 1
            }
            let path = Path(
                tokens: UnsafeBufferPointer(rebasing: scratch[..<tokenCount]),
                isComplete: levels.isAtEnd,
                hidesFromWildcards: topic.beginsWithDollar,
                waiting: UnsafeMutableBufferPointer(rebasing: scratch[tokenMax...]))
            return walk(path, into: &matches)
        }
    }

    private struct Path {
        /// The topic's levels, as far down as there are filters.
        let tokens: UnsafeBufferPointer<UInt32>
        /// Whether those are all its levels.
        let isComplete: Bool
        let hidesFromWildcards: Bool
        /// Room for a node and its depth for each level: of a level, one branch at most waits at a time.
        let waiting: UnsafeMutableBufferPointer<UInt32>
    }

    private func walk(_ path: Path, into matches: inout [Match]) -> Int {
        var node = rootNode
        var depth = 0
        var visited = 0
        var waitingCount = 0
        while true {
            visited += 1
            let branch = tree[node]
            let isHidden = depth == 0 && path.hidesFromWildcards  // [MQTT-4.7.2-1]
            // `#` stands for its parent level too [MQTT-4.7.1-1].
            if !isHidden { lists.append(branch.below, to: &matches) }
            if depth < path.tokens.count {
                if branch.any != noNode, !isHidden {
                    path.waiting.initializeElement(at: waitingCount, to: branch.any)
                    path.waiting.initializeElement(at: waitingCount + 1, to: UInt32(depth + 1))
                    waitingCount += 2
                }
                let token = path.tokens[depth]
                if token != noToken, let child = tree.child(of: node, token) {
                    node = child
                    depth += 1
                    continue
                }
            } else if path.isComplete {
                lists.append(branch.exact, to: &matches)
            }
            guard waitingCount > 0 else { return visited }
            waitingCount -= 2
            node = path.waiting[waitingCount]
            depth = Int(path.waiting[waitingCount + 1])
        }
    }
}

private let rootNode: UInt32 = 0
