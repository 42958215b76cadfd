/// Everything that a peer can make grow and how far it may: the table of DESIGN §7, with its defaults.
///
/// Each property names its directive. What the protocol answers at the limit is the business of the core that
/// keeps it.
package struct ConfiguredLimits: Equatable, Sendable {
    /// The largest MQTT packet or MQTT-SN message, in bytes (`max_packet_size`; up to 16 MiB).
    package var packetBytesMax = 262_144
    /// The largest payload of a PUBLISH, in bytes (`message_size_limit`); nil: as large as the packet may be.
    package var payloadBytesMax: Int?
    /// The largest packet before a CONNECT was accepted, in bytes (`preauth_packet_size`).
    package var packetBeforeConnectBytesMax = 16_384
    /// How soon after the connection the CONNECT must be complete (`connect_timeout`).
    package var connectTimeout = Duration.seconds(5)
    /// The longest topic name or filter, in bytes (`max_topic_bytes`).
    package var topicBytesMax = 1024
    /// The most levels of a topic name or filter (`max_topic_levels`).
    package var topicLevelsMax = 64
    /// The longest MQTT client id, in bytes (`max_client_id_bytes`).
    package var clientIDBytesMax = 256
    /// The longest MQTT-SN client id, in bytes (`max_device_id_bytes`).
    package var deviceIDBytesMax = 64
    /// Subscriptions of one client (`max_subscriptions_per_client`).
    package var subscriptionsPerClientMax = 4096
    /// Subscriptions of all clients together (`max_subscriptions`).
    package var subscriptionsMax = 200_000
    /// Messages in flight to one client and from it, the Receive Maximum of MQTT 5 (`max_inflight_messages`).
    package var inflightMessagesMax: UInt16 = 20
    /// Clients connected over TCP (`max_clients`).
    package var clientsMax = 10_000
    /// MQTT-SN devices, sleeping ones included (`max_devices`).
    package var devicesMax = 100_000
    /// Devices behind one forwarder (`max_devices_per_forwarder`); nil: half of all.
    package var devicesPerForwarderMax: Int?
    /// Devices that have a topic below `$SYS/broker/sn/devices` (`max_device_topics`); 0: none.
    package var deviceTopicsMax = 10_000
    /// Messages queued for one session (`max_queued_messages`).
    package var queuedMessagesMax = 1000
    /// Bytes queued for one session (`max_queued_bytes`).
    package var queuedBytesMax = 1_048_576
    /// Bytes of what is queued that stay in memory where there is a disk: for one session and for all together
    /// (`max_queued_memory_per_client`, `max_queued_memory`).
    package var queuedMemoryPerClientMax = 1_048_576
    package var queuedMemoryMax = 67_108_864
    /// Bytes queued for all sessions together (`max_queued_total_bytes`).
    package var queuedTotalBytesMax = 67_108_864
    /// Messages queued for all sessions together, each counted once for every session it waits for
    /// (`max_queued_total_messages`); nil: what the bytes suggest.
    package var queuedTotalMessagesMax: Int?
    /// Bytes that queued messages may take beside their own: topic names and records (`max_queued_total_overhead`);
    /// nil: what the bytes suggest.
    package var queuedTotalOverheadMax: Int?
    /// Topics with a retained message (`max_retained_messages`).
    package var retainedMessagesMax = 100_000
    /// Bytes of all retained messages (`max_retained_bytes`).
    package var retainedBytesMax = 67_108_864
    /// Levels of the names of all retained topics, common ones counted once (`max_retained_levels`); nil: what the
    /// number of retained messages suggests.
    package var retainedLevelsMax: Int?
    /// Levels of all filters with wildcards, common ones counted once (`max_subscription_levels`); nil: what the number
    /// of subscriptions suggests.
    package var subscriptionLevelsMax: Int?
    /// Receivers that topics remember, all together (`route_cache_entries`); nil: the broker's own default.
    package var routeCacheEntriesMax: Int?
    /// Output that waits for one slow connection, in bytes (`write_buffer_bytes`).
    package var writeBufferBytesMax = 262_144
    /// Packets that have begun to come, of all connections together, in bytes (`max_unfinished_bytes`).
    package var unfinishedBytesMax = 67_108_864
    /// Topic filters of one SUBSCRIBE or UNSUBSCRIBE (`max_filters_per_packet`).
    package var filtersPerPacketMax = 1_000
    /// Topic ids registered for one device, the predefined ones not counted (`topic_ids_per_device`).
    package var topicIDsPerDeviceMax = 1024
    /// Predefined topics of one listener (`max_predefined_topics`).
    package var predefinedTopicsMax = 2000
    /// Replies a second to addresses that are no device's (`max_stranger_replies`) [D-16].
    package var strangerRepliesPerSecondMax = 10
    /// PUBLISH at QoS -1 a second taken from strangers, all together; 0 for no limit (`max_anonymous_publishes`).
    package var anonymousPublishesPerSecondMax = 1_000

    package init() {}
}
