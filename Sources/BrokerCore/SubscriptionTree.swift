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
/// A node is the levels of a filter up to some depth, with `+` as a level of its own. It holds two circular lists of
/// subscribers: those whose filter ends there, and those whose filter goes on with `#`. Filters are taken as
/// `TopicRules.allowsFilter` lets them pass, without `$share/…/`.
package struct SubscriptionTree {
    private var tree: LevelTree<Branch>
    private var subscribers: [Subscriber] = []
    /// From (list, session) to the subscriber.
    private var index = HashSlots()
    private let hashing: ByteHash
    private var freeSubscriber = noSubscriber
    /// The most levels that any filter has had since the tree was empty, `#` not counted.
    private var deepest = 0

    private struct Branch {
        /// The child for `+`.
        var any = noNode
        /// The first subscriber to the levels up to here.
        var exact = noSubscriber
        /// The first subscriber to the levels up to here and everything below.
        var below = noSubscriber
    }

    private struct Subscriber {
        var session: UInt32
        var options: SubscriptionOptions
        /// Twice the node, plus 1 for the list of `#`.
        var list: UInt32
        /// A free one has the next free one here.
        var next: UInt32
        var previous: UInt32
    }

    /// - Parameter seed: of the hash functions; a secret, so that nobody can craft levels that collide.
    package init(seed: UInt64) {
        tree = LevelTree(seed: seed, rootCount: 1, empty: Branch())
        hashing = ByteHash(seed: seed &+ 1)
    }

    /// How many subscriptions there are.
    package var count: Int { index.count }

    /// How many levels of filters are stored: the cost of one match is bounded by it.
    package var nodeCount: Int { tree.count }

    /// Memory in bytes.
    package var bytes: Int {
        tree.bytes + index.bytes + subscribers.capacity * MemoryLayout<Subscriber>.stride
    }
}

// MARK: - Change

extension SubscriptionTree {
    /// Adds the subscription of `session` to `filter`; an older one to the same filter is replaced and returned
    /// [MQTT-3.8.4-3].
    @discardableResult
    package mutating func insert(
        filter: ByteView, session: UInt32, options: SubscriptionOptions
    ) -> SubscriptionOptions? {
        let list = makeList(filter)
        if let place = find(list, session) {
            let replaced = subscribers[Int(place)].options
            subscribers[Int(place)].options = options
            return replaced
        }
        append(session, options, to: list)
        return nil
    }

    /// Removes the subscription of `session` to `filter` and returns it; nil if there was none.
    @discardableResult
    package mutating func remove(filter: ByteView, session: UInt32) -> SubscriptionOptions? {
        guard let list = findList(filter), let place = find(list, session) else { return nil }
        let options = subscribers[Int(place)].options
        unlink(place)
        prune(list / 2)
        if count == 0 { shrinkWhenEmpty() }
        return options
    }

    private func find(_ list: UInt32, _ session: UInt32) -> UInt32? {
        index.find(hashing.hash(list, session)) { place in
            subscribers[Int(place)].session == session && subscribers[Int(place)].list == list
        }
    }

    /// The list of subscribers to a filter, if its levels are there.
    private func findList(_ filter: ByteView) -> UInt32? {
        var levels = TopicLevels(filter)
        var node = rootNode
        while let level = levels.next() {
            if levels.isAtEnd, level.isOnly(UInt8(ascii: "#")) { return node * 2 + 1 }
            let child = level.isOnly(UInt8(ascii: "+")) ? tree[node].any : tree.child(of: node, named: level) ?? noNode
            guard child != noNode else { return nil }
            node = child
        }
        return node * 2
    }

    /// The list of subscribers to a filter; makes the levels that are missing.
    private mutating func makeList(_ filter: ByteView) -> UInt32 {
        var levels = TopicLevels(filter)
        var node = rootNode
        var depth = 0
        while let level = levels.next() {
            if levels.isAtEnd, level.isOnly(UInt8(ascii: "#")) { return node * 2 + 1 }
            if level.isOnly(UInt8(ascii: "+")) {
                let child = tree.makeAnyChild(of: node)
                tree[node].any = child
                node = child
            } else {
                node = tree.makeChild(of: node, named: level)
            }
            depth += 1
            deepest = max(deepest, depth)
        }
        return node * 2
    }

    /// Removes a node that nobody needs, and its parents that nobody needs then.
    private mutating func prune(_ leaf: UInt32) {
        var node = leaf
        while tree[node].exact == noSubscriber, tree[node].below == noSubscriber {
            guard let parent = tree.removeLeaf(node) else { return }
            if tree[parent].any == node { tree[parent].any = noNode }
            node = parent
        }
    }

    private mutating func shrinkWhenEmpty() {
        tree.shrinkWhenEmpty()
        subscribers.removeAll(keepingCapacity: subscribers.capacity <= keptSubscribersMax)
        freeSubscriber = noSubscriber
        deepest = 0
    }
}

// MARK: - Lists of subscribers

extension SubscriptionTree {
    private func head(of list: UInt32) -> UInt32 {
        list & 1 == 0 ? tree[list / 2].exact : tree[list / 2].below
    }

    private mutating func setHead(of list: UInt32, _ place: UInt32) {
        if list & 1 == 0 {
            tree[list / 2].exact = place
        } else {
            tree[list / 2].below = place
        }
    }

    private mutating func append(_ session: UInt32, _ options: SubscriptionOptions, to list: UInt32) {
        let place = freeSubscriber == noSubscriber ? UInt32(subscribers.count) : freeSubscriber
        let head = head(of: list)
        let last = head == noSubscriber ? place : subscribers[Int(head)].previous
        let subscriber = Subscriber(
            session: session, options: options, list: list, next: head == noSubscriber ? place : head, previous: last)
        if freeSubscriber == noSubscriber {
            subscribers.append(subscriber)
        } else {
            freeSubscriber = subscribers[Int(place)].next
            subscribers[Int(place)] = subscriber
        }
        if head == noSubscriber {
            setHead(of: list, place)
        } else {
            subscribers[Int(last)].next = place
            subscribers[Int(head)].previous = place
        }
        index.insert(hashing.hash(list, session), place)
    }

    private mutating func unlink(_ place: UInt32) {
        let subscriber = subscribers[Int(place)]
        index.remove(hashing.hash(subscriber.list, subscriber.session), place)
        if subscriber.next == place {
            setHead(of: subscriber.list, noSubscriber)
        } else {
            subscribers[Int(subscriber.previous)].next = subscriber.next
            subscribers[Int(subscriber.next)].previous = subscriber.previous
            if head(of: subscriber.list) == place { setHead(of: subscriber.list, subscriber.next) }
        }
        subscribers[Int(place)].next = freeSubscriber
        freeSubscriber = place
    }
}

// MARK: - Match

extension SubscriptionTree {
    /// Appends every subscription whose filter matches `topic`: a session once for each of its filters. The order
    /// follows from the filters (at each level `#`, then the name, then `+`), and for the same filter from the order
    /// of subscribing.
    package func match(_ topic: ByteView, into matches: inout [Match]) {
        guard count > 0 else { return }
        // Levels deeper than any filter need no token: only `#` can match there.
        let tokenMax = min(topic.count + 1, deepest)
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 3 * tokenMax) { scratch in
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
            walk(path, into: &matches)
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

    private func walk(_ path: Path, into matches: inout [Match]) {
        var node = rootNode
        var depth = 0
        var waitingCount = 0
        while true {
            let branch = tree[node]
            let isHidden = depth == 0 && path.hidesFromWildcards  // [MQTT-4.7.2-1]
            // `#` stands for its parent level too [MQTT-4.7.1-1].
            if branch.below != noSubscriber, !isHidden { append(branch.below, to: &matches) }
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
            } else if path.isComplete, branch.exact != noSubscriber {
                append(branch.exact, to: &matches)
            }
            guard waitingCount > 0 else { return }
            waitingCount -= 2
            node = path.waiting[waitingCount]
            depth = Int(path.waiting[waitingCount + 1])
        }
    }

    @inline(__always)
    private func append(_ head: UInt32, to matches: inout [Match]) {
        var place = head
        repeat {
            let subscriber = subscribers[Int(place)]
            matches.append(Match(session: subscriber.session, options: subscriber.options))
            place = subscriber.next
        } while place != head
    }
}

private let rootNode: UInt32 = 0
private let noSubscriber = UInt32.max
private let keptSubscribersMax = 1024
