/// What the broker has counted since it began. Nothing is lost without a count:
/// deliveries owed = deliveries sent + dropped + expired + still waiting.
package struct BrokerCounters: Equatable, Sendable {
    /// PUBLISH taken from clients, by quality.
    package var messagesReceived = PerQoS()
    /// PUBLISH handed to links, by quality; redeliveries are counted again.
    package var messagesSent = PerQoS()
    /// Payloads of the PUBLISH taken, in bytes.
    package var payloadBytesReceived: UInt64 = 0
    /// Links that asked for a session, whatever became of it.
    package var attachRequests: UInt64 = 0
    /// Sessions that ended because their time was over while the client was away.
    package var sessionsExpired: UInt64 = 0
    /// Deliveries not made because the session's queue, or the room for all queues, was full.
    package var droppedQueueFull: UInt64 = 0
    /// Deliveries at QoS 0 not made because the client reads too slowly.
    package var droppedSlowLink: UInt64 = 0
    /// Deliveries that the link could never carry (too long, topic refused).
    package var droppedUndeliverable: UInt64 = 0
    /// Deliveries whose message expired while it waited.
    package var expired: UInt64 = 0
    /// Deliveries discarded with a session that ended.
    package var discardedWithSession: UInt64 = 0
    /// PUBLISH refused: not allowed, no room, bad topic.
    package var publishesRefused: UInt64 = 0
    /// PUBREL or PUBREC for an id that is not open.
    package var unknownIdentifiers: UInt64 = 0
    /// Retained messages not kept because the limit was reached.
    package var retainedRefused: UInt64 = 0

    /// Levels and subscriptions that were looked at to find who gets a message: the cost of matching.
    package var matchingWork: UInt64 = 0

    /// Deliveries that were made, and those that met a full link or queue: what publishing has cost.
    package var deliveriesTried: UInt64 { messagesSent.total + droppedSlowLink + droppedQueueFull }

    package init() {}

    /// A figure for each quality of service.
    package struct PerQoS: Equatable, Sendable {
        package var qos0: UInt64 = 0
        package var qos1: UInt64 = 0
        package var qos2: UInt64 = 0

        package var total: UInt64 { qos0 + qos1 + qos2 }
    }
}

/// What the broker holds right now.
package struct BrokerGauges: Equatable, Sendable {
    package var connectedClients = 0
    package var connectedDevices = 0
    /// Sessions whose client is away.
    package var offlineSessions = 0
    package var subscriptions = 0
    /// Those among them that are shared.
    package var sharedSubscriptions = 0
    package var retainedMessages = 0
    package var retainedBytes = 0
    /// Messages that wait in queues or are in flight, each counted once however many sessions hold it.
    package var heldMessages = 0
    package var heldBytes = 0
    /// Topics interned at the moment, idle ones included.
    package var topics = 0
}
