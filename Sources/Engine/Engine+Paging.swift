internal import BrokerCore
package import Journal

/// Queues that are larger than memory: what the broker wants read back, and what comes.
extension Engine {
    /// The serials of messages that are wanted from the store, each to be answered by `loaded`, in this order. To be
    /// asked at the end of a turn.
    package mutating func takeLoads() -> [UInt64] { broker.takeLoads() }

    /// What the store had of messages that were wanted. Who waited for them goes on with the next `advance`, which is
    /// due at once.
    package mutating func loaded(_ messages: [StoredMessage]) {
        for message in messages {
            message.withBytes { broker.loaded(message.serial, $0) }
        }
    }
}
