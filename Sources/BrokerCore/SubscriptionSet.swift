internal import Bytes
internal import Messaging

/// The subscriptions of one session, by filter: few for most, thousands for some. Finding, adding and removing one
/// costs the same however many there are.
///
/// Most sessions have a handful: those are searched through, and only more of them get a table.
struct SubscriptionSet {
    /// A filter as the client wrote it, and how it wants its messages.
    struct Entry {
        let filter: ByteString
        var options: SubscriptionOptions
    }

    /// All of them; the order follows from what was subscribed and unsubscribed, and from nothing else. Whoever is
    /// removed leaves its place to the last one.
    private(set) var entries: [Entry] = []
    /// From the filters' hashes to their places in `entries`.
    private var index: HashSlots?

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    var keys: [ByteString] { entries.map(\.filter) }

    /// The options of a filter; nil if it is not subscribed to.
    subscript(filter: ByteString) -> SubscriptionOptions? {
        place(of: filter).map { entries[$0].options }
    }

    /// Adds a filter or changes its options; returns the older ones.
    mutating func updateValue(_ options: SubscriptionOptions, forKey filter: ByteString) -> SubscriptionOptions? {
        if let place = place(of: filter) {
            defer { entries[place].options = options }
            return entries[place].options
        }
        entries.append(Entry(filter: filter, options: options))
        if index != nil {
            index?.insert(Self.hash(filter), UInt32(entries.count - 1))
        } else if entries.count > unindexedMax {
            makeIndex()
        }
        return nil
    }

    /// Removes a filter and returns its options; nil if it was not subscribed to.
    mutating func removeValue(forKey filter: ByteString) -> SubscriptionOptions? {
        guard let place = place(of: filter) else { return nil }
        let last = entries.count - 1
        let options = entries[place].options
        if index != nil {
            index?.remove(Self.hash(filter), UInt32(place))
            if place != last {
                let moved = Self.hash(entries[last].filter)
                index?.remove(moved, UInt32(last))
                index?.insert(moved, UInt32(place))
            }
        }
        entries.swapAt(place, last)
        entries.removeLast()
        if entries.isEmpty {
            entries = []
            index = nil
        }
        return options
    }

    private func place(of filter: ByteString) -> Int? {
        guard let index else { return entries.firstIndex { $0.filter == filter } }
        return index.find(Self.hash(filter)) { entries[Int($0)].filter == filter }.map(Int.init)
    }

    private mutating func makeIndex() {
        var index = HashSlots()
        for (place, entry) in entries.enumerated() { index.insert(Self.hash(entry.filter), UInt32(place)) }
        self.index = index
    }

    /// Keyed by a secret of this process, so that no client can choose filters that collide. Where an entry stands
    /// does not depend on it.
    private static func hash(_ filter: ByteString) -> UInt64 {
        var hasher = Hasher()
        filter.withView { hasher.combine(bytes: $0.memory) }
        return UInt64(truncatingIfNeeded: hasher.finalize())
    }
}

/// As many filters are found as fast by looking at each.
private let unindexedMax = 8
