package import Bytes
package import Messaging

/// The topics that have a retained message, to be found by filter (MQTT 5.0 §3.3.1.3).
package struct RetainedTree {
    /// - Parameter seed: of the hash functions; a secret, so that nobody can craft levels that collide.
    package init(seed: UInt64) {}

    /// How many topics there are.
    package var count: Int { 0 }

    /// Memory in bytes.
    package var bytes: Int { 0 }

    /// Adds a topic; a topic of the same name is replaced.
    package mutating func insert(name: ByteView, topic: TopicID) {}

    /// Removes the topic of this name and returns it; nil if there was none.
    @discardableResult
    package mutating func remove(name: ByteView) -> TopicID? { nil }

    /// Appends every topic that `filter` matches, depth first; the branches of a level come in the order in which
    /// they first appeared.
    package func matches(filter: ByteView, into topics: inout [TopicID]) {}
}
