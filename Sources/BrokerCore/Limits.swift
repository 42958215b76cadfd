internal import Messaging

/// What the broker allows its sessions: the defaults of DESIGN §7.
package struct BrokerLimits: Equatable, Sendable {
    /// What a topic name or filter may be.
    package var topicBytesMax = 1024
    package var topicLevelsMax = 64
    /// Sessions in all, connected or not.
    package var sessionsMax = 110_000
    package var subscriptionsPerSessionMax = 4_096
    package var subscriptionsMax = 200_000
    /// Levels of all filters with wildcards, each level below the same ones counted once: they bound the memory of
    /// filters.
    package var subscriptionLevelsMax = 500_000
    /// Different shapes of those filters, level by level (which levels are `+`): they bound the time of a match [M-60].
    package var wildcardShapesMax = 10_000
    /// Receivers that topics remember, all together: a cache.
    package var routeEntriesMax = 2_000_000
    /// Messages sent and not yet acknowledged, for each session; a client's own Receive Maximum may be lower.
    package var inflightMessagesMax: UInt16 = 20
    /// A session's queue.
    package var queuedMessagesMax = 1_000
    package var queuedBytesMax = 1 << 20
    /// What happens when that, or the room of all queues, is used up.
    package var queueFullPolicy = QueueFullPolicy.dropNewest
    /// Properties and payloads of all messages that wait in queues or are in flight.
    package var heldBytesMax = 64 << 20
    /// How much of the messages that wait stays in memory where the disk has them: of all together, and of one
    /// session's queue [M-100]. In bytes of properties and payloads.
    package var queuedMemoryMax = 64 << 20
    package var queuedMemoryPerSessionMax = 1 << 20
    /// Places in all queues together: a message may wait in very many of them.
    package var queuedDeliveriesMax = 4_000_000
    /// What those messages may take beside their bytes: names of topics and records.
    package var heldOverheadBytesMax = 64 << 20
    package var retainedMessagesMax = 100_000
    package var retainedBytesMax = 64 << 20
    /// Levels of the names of all retained topics, each level below the same ones counted once.
    package var retainedLevelsMax = 1_000_000
    /// The longest that a session outlives its link, in seconds; `UInt32.max` for ever.
    package var sessionExpiryMax: UInt32 = .max
    /// Whether messages at QoS 0 wait for MQTT clients that are away (mosquitto's `queue_qos0_messages`).
    package var queuesQoS0 = false
    /// Whether `takeDeviceQueues` is asked what waits for devices; else it is not noted.
    package var notesDeviceQueues = false
    /// Whether retained messages are kept at all.
    package var retainAvailable = true
    /// Whether what outlives links is told to the journal.
    package var isDurable = false
    /// Whether retained messages are, then.
    package var retainedIsDurable = true
    /// Whether subscriptions may be shared.
    package var sharedSubscriptionsAvailable = true

    package init() {}

    var topicRules: TopicRules { TopicRules(bytesMax: topicBytesMax, levelsMax: topicLevelsMax) }
}

/// What happens to a message that finds a queue full [M-10].
package enum QueueFullPolicy: Equatable, Sendable {
    /// It is dropped for this session, as mosquitto does; the publisher hears success.
    case dropNewest
    /// The oldest delivery of the queue that the client has seen nothing of makes place.
    case dropOldest
    /// The publisher hears no, and nobody gets the message.
    case refuse
}
