/// What the broker has counted since it began. Nothing is lost without a count: at every moment
/// `deliveriesOwed` = `delivered` + `undelivered` + what waits or is in flight.
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
    /// Messages that sessions were to get: one for each session that a message matched, and for each retained message
    /// when a subscription's turn for it came.
    package var deliveriesOwed: UInt64 = 0
    /// Deliveries at QoS 1 and 2 that are the client's: its PUBACK or PUBREC came.
    package var acknowledged: UInt64 = 0
    /// Deliveries not made because the session's queue, or the room for all queues, was full.
    package var droppedQueueFull: UInt64 = 0
    /// Deliveries at QoS 0 not made because the client reads too slowly.
    package var droppedSlowLink: UInt64 = 0
    /// Deliveries that the link could never carry (too long, topic refused).
    package var droppedUndeliverable: UInt64 = 0
    /// Deliveries at QoS 0 not made because the client is away.
    package var droppedAway: UInt64 = 0
    /// Deliveries at QoS 0 to devices whose link ended in the middle of them.
    package var lostWithLink: UInt64 = 0
    /// Deliveries that the client answered with a PUBACK or PUBREC that says no.
    package var refusedByReceiver: UInt64 = 0
    /// Deliveries whose message expired while it waited.
    package var expired: UInt64 = 0
    /// Deliveries whose place in a sleeping device's queue a newer message of the topic took.
    package var replaced: UInt64 = 0
    /// Deliveries that waited when the access rules took them back.
    package var droppedNotAllowed: UInt64 = 0
    /// Deliveries discarded with a session, or with a shared subscription, that ended.
    package var discardedWithSession: UInt64 = 0
    /// Deliveries not made because the database no longer has the message.
    package var droppedUnreadable: UInt64 = 0
    /// PUBLISH refused: not allowed, no room, bad topic.
    package var publishesRefused: UInt64 = 0
    /// PUBREL or PUBREC for an id that is not open.
    package var unknownIdentifiers: UInt64 = 0
    /// Retained messages not kept because the limit was reached.
    package var retainedRefused: UInt64 = 0

    /// Levels and subscriptions that were looked at to find who gets a message, and filters that were subscribed to or
    /// unsubscribed from: the cost of matching.
    package var matchingWork: UInt64 = 0

    /// Deliveries that were made, and those that met a full link or queue: what publishing has cost.
    package var deliveriesTried: UInt64 {
        messagesSent.total + droppedSlowLink + droppedQueueFull + droppedUndeliverable
    }

    /// Deliveries that were made: at QoS 0 a message is handed over once, at QoS 1 and 2 it is acknowledged.
    package var delivered: UInt64 { messagesSent.qos0 + acknowledged }

    /// Deliveries that somebody was to get and did not, through no choice of the client's.
    package var dropped: UInt64 {
        droppedQueueFull + droppedSlowLink + droppedUndeliverable + lostWithLink + discardedWithSession
            + droppedNotAllowed + droppedUnreadable
    }

    /// Deliveries that are over and were not made, whatever the reason.
    package var undelivered: UInt64 { dropped + expired + replaced + droppedAway + refusedByReceiver }

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
    /// Of these, what is not in memory: the database has it.
    package var heldBytesOnDisk = 0
    /// Topics interned at the moment, idle ones included.
    package var topics = 0
}
