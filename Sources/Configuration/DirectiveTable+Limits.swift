extension DirectiveTable {
    /// As many of anything as an operator may ask for: far beyond 100 times each default, far below overflow.
    private static let countMax = 1_000_000_000
    /// As many bytes of anything as an operator may ask for: a tebibyte.
    private static let bytesMax = 1_099_511_627_776

    /// How sessions and messages are treated, whichever listener they came by.
    static let sessionRows: [Directive] = [
        .number("max_keepalive", 0...65_535, "seconds") { $0.configuration.broker.keepAliveSecondsMax = UInt16($1) },
        .flag("retain_available") { $0.configuration.broker.isRetainAvailable = $1 },
        .flag("shared_subscriptions") { $0.configuration.broker.sharesSubscriptions = $1 },
        .text("persistent_client_expiration", "a number and one of h, d, w, m, y, such as 14d") {
            $0.setSessionExpiry($1)
        },
        .flag("queue_qos0_messages") { $0.configuration.broker.queuesQoS0 = $1 },
        .word("queue_full_policy", QueueFullPolicy.allCases.map { $0.rawValue }) {
            $0.configuration.broker.queueFullPolicy = QueueFullPolicy(rawValue: $1) ?? .dropNewest
        },
        // Packets always leave at once, whatever it says.
        .flag("set_tcp_nodelay") { _, _ in },
        .number("sys_interval", 0...65_535, "seconds") {
            $0.configuration.broker.sysInterval = $1 == 0 ? nil : .seconds($1)
        },
    ]

    /// The limits of DESIGN §7. Where mosquitto has the name too, its 0 for "no limit" means as much as there can be.
    static let limitRows: [Directive] = [
        .number("max_packet_size", 20...16_777_216, "bytes") { $0.configuration.limits.packetBytesMax = $1 },
        .number("message_size_limit", 0...16_777_216, "bytes") {
            $0.configuration.limits.payloadBytesMax = $1 == 0 ? nil : $1
        },
        .number("preauth_packet_size", 64...16_777_216, "bytes") {
            $0.configuration.limits.packetBeforeConnectBytesMax = $1
        },
        .number("connect_timeout", 1...3600, "seconds") { $0.configuration.limits.connectTimeout = .seconds($1) },
        .number("max_topic_bytes", 1...65_535, "bytes") { $0.configuration.limits.topicBytesMax = $1 },
        .number("max_topic_levels", 1...65_535) { $0.configuration.limits.topicLevelsMax = $1 },
        .number("max_client_id_bytes", 23...65_535, "bytes") { $0.configuration.limits.clientIDBytesMax = $1 },
        .number("max_device_id_bytes", 23...65_535, "bytes") { $0.configuration.limits.deviceIDBytesMax = $1 },
        .number("max_subscriptions_per_client", 1...countMax) {
            $0.configuration.limits.subscriptionsPerClientMax = $1
        },
        .number("max_subscriptions", 1...countMax) { $0.configuration.limits.subscriptionsMax = $1 },
        .number("max_inflight_messages", 0...65_535) {
            $0.configuration.limits.inflightMessagesMax = $1 == 0 ? .max : UInt16($1)
        },
        .number("max_clients", 1...100_000_000) { $0.configuration.limits.clientsMax = $1 },
        .number("max_devices", 1...100_000_000) { $0.configuration.limits.devicesMax = $1 },
        .number("max_devices_per_forwarder", 0...100_000_000) {
            $0.configuration.limits.devicesPerForwarderMax = $1 == 0 ? nil : $1
        },
        .number("max_device_topics", 0...100_000_000) { $0.configuration.limits.deviceTopicsMax = $1 },
        .number("max_queued_messages", 0...countMax) {
            $0.configuration.limits.queuedMessagesMax = $1 == 0 ? countMax : $1
        },
        .number("max_queued_bytes", 0...bytesMax, "bytes") {
            $0.configuration.limits.queuedBytesMax = $1 == 0 ? bytesMax : $1
        },
        .number("max_queued_total_bytes", 1024...bytesMax, "bytes") {
            $0.configuration.limits.queuedTotalBytesMax = $1
        },
        .number("max_queued_memory", 0...bytesMax, "bytes") {
            $0.configuration.limits.queuedMemoryMax = $1
        },
        .number("max_queued_memory_per_client", 0...bytesMax, "bytes") {
            $0.configuration.limits.queuedMemoryPerClientMax = $1
        },
        .number("max_queued_total_messages", 0...countMax) {
            $0.configuration.limits.queuedTotalMessagesMax = $1 == 0 ? nil : $1
        },
        .number("max_queued_total_overhead", 0...bytesMax, "bytes") {
            $0.configuration.limits.queuedTotalOverheadMax = $1 == 0 ? nil : $1
        },
        .number("max_retained_messages", 0...countMax) { $0.configuration.limits.retainedMessagesMax = $1 },
        .number("max_retained_bytes", 0...bytesMax, "bytes") { $0.configuration.limits.retainedBytesMax = $1 },
        .number("max_retained_levels", 0...countMax) {
            $0.configuration.limits.retainedLevelsMax = $1 == 0 ? nil : $1
        },
        .number("max_subscription_levels", 0...countMax) {
            $0.configuration.limits.subscriptionLevelsMax = $1 == 0 ? nil : $1
        },
        .number("route_cache_entries", 0...countMax) {
            $0.configuration.limits.routeCacheEntriesMax = $1 == 0 ? nil : $1
        },
        .number("write_buffer_bytes", 1024...1_073_741_824, "bytes") {
            $0.configuration.limits.writeBufferBytesMax = $1
        },
        .number("max_unfinished_bytes", 65_536...bytesMax, "bytes") {
            $0.configuration.limits.unfinishedBytesMax = $1
        },
        .number("max_filters_per_packet", 1...65_535) { $0.configuration.limits.filtersPerPacketMax = $1 },
        .number("topic_ids_per_device", 1...65_534) { $0.configuration.limits.topicIDsPerDeviceMax = $1 },
        .number("max_predefined_topics", 0...65_534) { $0.configuration.limits.predefinedTopicsMax = $1 },
        .number("max_stranger_replies", 0...1_000_000, "a second") {
            $0.configuration.limits.strangerRepliesPerSecondMax = $1
        },
        .number("max_anonymous_publishes", 0...1_000_000, "a second") {
            $0.configuration.limits.anonymousPublishesPerSecondMax = $1
        },
    ]
}
