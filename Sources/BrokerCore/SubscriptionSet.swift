internal import Bytes
internal import Messaging

/// The subscriptions of one session: few for most, thousands for some. Finding, adding and removing one costs the same
/// however many there are.
///
/// Most sessions have one or a handful: the first stands in the session itself, a handful is searched through, and
/// only more of them get a table.
struct SubscriptionSet {
    /// What a subscription is known by. A filter that is a topic's name is not kept a second time: the subscription
    /// keeps its topic.
    enum Key: Hashable {
        case topic(TopicID)
        case filter(ByteString)
    }

    /// A filter, and how the client wants its messages.
    struct Entry {
        let key: Key
        var options: SubscriptionOptions
    }

    private var first: Entry?
    private var others: [Entry] = []
    /// From the keys' hashes to their places; none or one: an optional would make each session larger.
    private var index: [HashSlots] = []

    /// All of them; the order follows from what was subscribed and unsubscribed, and from nothing else. Whoever is
    /// removed leaves its place to the last one.
    var entries: [Entry] { (first.map { [$0] } ?? []) + others }
    var count: Int { first == nil ? 0 : others.count + 1 }
    var isEmpty: Bool { first == nil }

    /// The options of a subscription; nil if there is none.
    subscript(key: Key) -> SubscriptionOptions? {
        place(of: key).flatMap { entry(at: $0)?.options }
    }

    /// Adds a subscription or changes its options; returns the older ones.
    mutating func updateValue(_ options: SubscriptionOptions, forKey key: Key) -> SubscriptionOptions? {
        let entry = Entry(key: key, options: options)
        if let place = place(of: key) {
            defer { put(entry, at: place) }
            return self.entry(at: place)?.options
        }
        if first == nil { first = entry } else { others.append(entry) }
        if !index.isEmpty {
            index[0].insert(Self.hash(key), UInt32(others.count))
        } else if count > unindexedMax {
            makeIndex()
        }
        return nil
    }

    /// Removes a subscription and returns its options; nil if there was none.
    mutating func removeValue(forKey key: Key) -> SubscriptionOptions? {
        guard let place = place(of: key), let removed = entry(at: place) else { return nil }
        if !index.isEmpty { index[0].remove(Self.hash(key), UInt32(place)) }
        if let last = others.popLast() {
            if place <= others.count {
                let lastPlace = others.count + 1
                put(last, at: place)
                if !index.isEmpty {
                    let hash = Self.hash(last.key)
                    index[0].remove(hash, UInt32(lastPlace))
                    index[0].insert(hash, UInt32(place))
                }
            }
        } else {
            self = SubscriptionSet()
        }
        return removed.options
    }

    private func entry(at place: Int) -> Entry? {
        place == 0 ? first : others[place - 1]
    }

    private mutating func put(_ entry: Entry, at place: Int) {
        if place == 0 { first = entry } else { others[place - 1] = entry }
    }

    private func place(of key: Key) -> Int? {
        if let index = index.first {
            return index.find(Self.hash(key)) { entry(at: Int($0))?.key == key }.map(Int.init)
        }
        if first?.key == key { return 0 }
        return others.firstIndex { $0.key == key }.map { $0 + 1 }
    }

    private mutating func makeIndex() {
        var index = HashSlots()
        for (place, entry) in entries.enumerated() { index.insert(Self.hash(entry.key), UInt32(place)) }
        self.index = [index]
    }

    /// Keyed by a secret of this process, so that no client can choose filters that collide. Where an entry stands
    /// does not depend on it.
    private static func hash(_ key: Key) -> UInt64 {
        var hasher = Hasher()
        switch key {
        case .topic(let topic): hasher.combine(topic)
        case .filter(let filter): filter.withView { hasher.combine(bytes: $0.memory) }
        }
        return UInt64(truncatingIfNeeded: hasher.finalize())
    }
}

/// As many filters are found as fast by looking at each.
private let unindexedMax = 8
