/// What the broker's tables take, in bytes as they count themselves: without what the allocator adds, and without
/// messages.
package struct BrokerMemory: Equatable, Sendable {
    /// Names and records of topics.
    package var topics = 0
    /// Subscriptions without wildcards, seen from their topics.
    package var exactSubscriptions = 0
    /// Subscriptions with wildcards, seen from their tree.
    package var wildcardSubscriptions = 0
    /// The tree of retained topics.
    package var retainedTopics = 0
}

extension Broker {
    /// What the tables take.
    package var memory: BrokerMemory {
        BrokerMemory(
            topics: topics.bytes, exactSubscriptions: exactSubscriptions.bytes,
            wildcardSubscriptions: wildcards.bytes, retainedTopics: retainedTopics.bytes)
    }
}
