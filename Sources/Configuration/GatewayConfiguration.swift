/// All that `gateway.conf` says, checked and complete: what is not in the file has its default here.
///
/// A plain value: the executable hands its parts to the cores and the transports, and nothing reads the file
/// again. DESIGN §9.
package struct GatewayConfiguration: Equatable, Sendable {
    /// What is listened on, in the order of the file.
    package var listeners: [ListenerConfiguration] = []
    /// Everything that a peer can make grow, and how far: DESIGN §7.
    package var limits = ConfiguredLimits()
    /// How sessions and messages are treated, whichever listener they came by.
    package var broker = BrokerSettings()
    /// What MQTT 5 clients are told, and what is asked of what they say.
    package var answers = AnswerSettings()
    /// What is logged and where to.
    package var logging = LogSettings()
    /// Where what has to survive is kept; nil keeps everything in memory (`persistence`).
    package var persistence: PersistenceSettings?
    /// What an acknowledgement promises: DESIGN §5. Something else than `none` only with `persistence`.
    package var durability = Durability.none
    /// Where the executable writes its process id; nil writes none.
    package var pidFile: String?
    /// The system user that the operator wants the process to be. This version does not change its user: the
    /// executable refuses to run as root when another user is named here.
    package var user: String?

    package init() {}
}

/// How the broker treats sessions and messages: the directives that hold for all listeners.
package struct BrokerSettings: Equatable, Sendable {
    /// The longest keep-alive a client may ask for, in seconds; 0 also allows clients without any
    /// (`max_keepalive`). MQTT 5 clients are told the value [MQTT-3.2.2-21], older ones refused.
    package var keepAliveSecondsMax: UInt16 = 65_535
    /// Whether messages can be retained (`retain_available`).
    package var isRetainAvailable = true
    /// Whether subscriptions may be shared (`shared_subscriptions`).
    package var sharesSubscriptions = true
    /// How long a session may stay without its client (`persistent_client_expiration`); nil: forever.
    package var sessionExpiryMax: Duration?
    /// Whether QoS 0 messages are queued for offline sessions too (`queue_qos0_messages`).
    package var queuesQoS0 = false
    /// What happens to a message that finds a queue full (`queue_full_policy`).
    package var queueFullPolicy = QueueFullPolicy.dropNewest
    /// How often `$SYS` is published (`sys_interval`); nil: never.
    package var sysInterval: Duration? = .seconds(10)

    package init() {}
}

/// What happens to a message that finds a client's queue, or the room of all queues, full.
package enum QueueFullPolicy: String, CaseIterable, Sendable {
    /// It is dropped for that client.
    case dropNewest = "drop_newest"
    /// What has waited longest for that client makes place.
    case dropOldest = "drop_oldest"
    /// Nobody gets it, and its publisher is told.
    case refuse
}

/// What stands on disk when an acknowledgement leaves: DESIGN §5.
package enum Durability: String, CaseIterable, Sendable {
    /// Synced to disk before the acknowledgement.
    case disk
    /// Written before the acknowledgement, synced at least each second.
    case process
    /// Everything is in memory and is lost when the process ends.
    case none
}
