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
/// Filters are taken as `TopicRules.allowsFilter` lets them pass, without `$share/…/`.
package struct SubscriptionTree {
    /// - Parameter seed: of the hash functions; a secret, so that nobody can craft levels that collide.
    package init(seed: UInt64) {}

    /// How many subscriptions there are.
    package var count: Int { 0 }

    /// How many levels of filters are stored: the cost of one match is bounded by it.
    package var nodeCount: Int { 0 }

    /// Memory in bytes.
    package var bytes: Int { 0 }

    /// Adds the subscription of `session` to `filter`; an older one to the same filter is replaced and returned
    /// [MQTT-3.8.4-3].
    package mutating func insert(
        filter: ByteView, session: UInt32, options: SubscriptionOptions
    ) -> SubscriptionOptions? { nil }

    /// Removes the subscription of `session` to `filter` and returns it; nil if there was none.
    package mutating func remove(filter: ByteView, session: UInt32) -> SubscriptionOptions? { nil }

    /// Appends every subscription whose filter matches `topic`: a session once for each of its filters. The order
    /// follows from the filters, and for the same filter from the order of subscribing.
    package func match(_ topic: ByteView, into matches: inout [Match]) {}
}
