internal import Authentication
internal import Bytes
internal import Messaging

extension GatewayConfiguration {
    /// What is in force, for `dormouse check -v` and the start of a log: a line for each listener, the durability,
    /// what full queues do, and each limit by its directive.
    package var summary: [String] {
        listeners.map { $0.summary }
            + [persistenceSummary, "durability \(durability.rawValue)"]
            + ["queue_full_policy \(broker.queueFullPolicy.rawValue)"]
            + limits.summary
    }
}

extension GatewayConfiguration {
    /// `persistence true, in /var/lib/dormouse`.
    fileprivate var persistenceSummary: String {
        guard let persistence else { return "persistence false" }
        let retained = persistence.keepsRetained ? "" : ", without retained messages"
        return "persistence true, in \(persistence.directory.escapedForTerminal)\(retained)"
    }
}

extension ListenerConfiguration {
    /// `listener 1883 127.0.0.1 ::1 mqttsn, gateway 1, 2 predefined topics, anonymous`.
    package var summary: String {
        let place = addresses.map { $0.description }.joined(separator: " ")
        let clients =
            (allowsAnonymous ? "anonymous clients allowed" : "anonymous clients refused")
            + (accessRules.allowsAll ? "" : ", access rules")
        switch kind {
        case .mqtt(let settings):
            let most = settings.connectionsMax.map { ", \($0) connections at most" } ?? ""
            let qos = settings.qosMax < 2 ? ", QoS \(settings.qosMax) at most" : ""
            let kinds = [(settings.passwordUsers?.count, "password"), (settings.scramUsers?.count, "SCRAM-SHA-256")]
            let users = kinds.map { count, kind in
                count.map { ", \($0) \($0 == 1 ? "user" : "users") by \(kind)" } ?? ""
            }.joined()
            let name = settings.webSocket == nil ? "mqtt" : "websockets"
            let origins = settings.webSocket.map { $0.summary } ?? ""
            return "listener \(port) \(place) \(name)\(securitySummary), \(clients)\(users)\(most)\(qos)\(origins)"
        case .mqttsn(let settings):
            let topics = settings.predefinedTopics.count
            let manner = settings.isStrict ? ", strict" : ""
            let forwarders = settings.forwarders.isEmpty ? "" : ", forwarders at " + settings.forwarders.summary
            return "listener \(port) \(place) mqttsn\(securitySummary), \(clients), gateway \(settings.gatewayID), "
                + "\(topics) predefined \(topics == 1 ? "topic" : "topics")\(manner)"
                + settings.groupSummary + forwarders
        }
    }
}

extension [ConfiguredForwarder] {
    /// Each as its directive writes it: `10.0.0.7 10.0.0.0/24:1885 [fd00::7]:1885`.
    fileprivate var summary: String {
        map { forwarder in
            let isWhole = forwarder.prefixBits == (forwarder.address.isV6 ? 128 : 32)
            let prefix = isWhole ? "" : "/\(forwarder.prefixBits)"
            guard let port = forwarder.port else { return "\(forwarder.address)\(prefix)" }
            let host = forwarder.address.isV6 ? "[\(forwarder.address)]" : "\(forwarder.address)"
            return "\(host)\(prefix):\(port)"
        }.joined(separator: " ")
    }
}

extension WebSocketSettings {
    /// Which pages may connect, as the end of a listener's line.
    fileprivate var summary: String {
        origins.isEmpty
            ? ", pages of every origin" : ", pages of " + origins.map { $0.description }.joined(separator: " ")
    }
}

extension ConfiguredLimits {
    /// Each limit as the directive that sets it.
    package var summary: [String] {
        let values: [(String, Int)] = [
            ("max_packet_size", packetBytesMax),
            ("message_size_limit", payloadBytesMax ?? 0),
            ("preauth_packet_size", packetBeforeConnectBytesMax),
            ("connect_timeout", Int(connectTimeout.components.seconds)),
            ("max_topic_bytes", topicBytesMax),
            ("max_topic_levels", topicLevelsMax),
            ("max_client_id_bytes", clientIDBytesMax),
            ("max_device_id_bytes", deviceIDBytesMax),
            ("max_subscriptions_per_client", subscriptionsPerClientMax),
            ("max_subscriptions", subscriptionsMax),
            ("max_inflight_messages", Int(inflightMessagesMax)),
            ("max_clients", clientsMax),
            ("max_devices", devicesMax),
            ("max_devices_per_forwarder", devicesPerForwarderMax ?? 0),
            ("max_device_topics", deviceTopicsMax),
            ("max_queued_messages", queuedMessagesMax),
            ("max_queued_bytes", queuedBytesMax),
            ("max_queued_total_bytes", queuedTotalBytesMax),
            ("max_queued_memory", queuedMemoryMax),
            ("max_queued_memory_per_client", queuedMemoryPerClientMax),
            ("max_queued_total_messages", queuedTotalMessagesMax ?? 0),
            ("max_queued_total_overhead", queuedTotalOverheadMax ?? 0),
            ("max_retained_messages", retainedMessagesMax),
            ("max_retained_bytes", retainedBytesMax),
            ("max_retained_levels", retainedLevelsMax ?? 0),
            ("max_subscription_levels", subscriptionLevelsMax ?? 0),
            ("route_cache_entries", routeCacheEntriesMax ?? 0),
            ("write_buffer_bytes", writeBufferBytesMax),
            ("max_unfinished_bytes", unfinishedBytesMax),
            ("max_filters_per_packet", filtersPerPacketMax),
            ("topic_ids_per_device", topicIDsPerDeviceMax),
            ("max_predefined_topics", predefinedTopicsMax),
            ("max_stranger_replies", strangerRepliesPerSecondMax),
            ("max_anonymous_publishes", anonymousPublishesPerSecondMax),
        ]
        return values.map { "\($0.0) \($0.1)" }
    }
}
