internal import Bytes

extension DirectiveTable {
    /// What opens a listener, and what holds for one.
    static let listenerRows: [Directive] = [
        .own("listener", "PORT [ADDRESS]") { $0.openListener($1) },
        .number("port", in: .defaultListener, 0...65_535) { $0.listeners[0].port = UInt16($1) },
        .text("bind_address", in: .defaultListener, "an address") { $0.listeners[0].address = $1.text },
        .own("protocol", in: .listener, "mqtt, mqttsn or websockets") { $0.setProtocol($1) },
        .word("socket_domain", in: .listener, ["ipv4", "ipv6"]) { $0.listener.family = $1 == "ipv6" ? .v6 : .v4 },
        .flag("per_listener_settings") { $0.isPerListener = $1 },
        .flag("allow_anonymous", in: .security) { $0.security.allowsAnonymous = $1 },
        .flag("listener_allow_anonymous", in: .listener) { $0.listener.allowsAnonymous = $1 },
        .text("password_file", in: .security, "a file") { $0.namePasswordFile($1) },
        .text("scram_file", in: .security, "a file") { $0.nameScramFile($1) },
        .text("acl_file", in: .security, "a file") { $0.pendingAccess = PendingAccess(.rules, $1) },
        .flag("allow_zero_length_clientid", in: .security) { $0.security.allowsEmptyClientID = $1 },
        .text("auto_id_prefix", in: .security, "a prefix") { $0.security.autoIDPrefix = ByteString($1.value) },
        .text("listener_auto_id_prefix", in: .mqttListener, "a prefix") {
            $0.listener.mqtt.autoIDPrefix = ByteString($1.value)
            $0.listener.hasOwnIDPrefix = true
        },
        .number("max_connections", in: .mqttListener, -1...100_000_000) {
            $0.listener.mqtt.connectionsMax = $1 < 0 ? nil : $1
        },
        .number("max_qos", in: .mqttListener, 0...2) { $0.listener.mqtt.qosMax = UInt8($1) },
        .number("maximum_qos", in: .mqttListener, 0...2) { $0.listener.mqtt.qosMax = UInt8($1) },
        .number("max_topic_alias", in: .mqttListener, 0...65_535) { $0.listener.mqtt.topicAliasMax = UInt16($1) },
    ]

    /// What only a listener for MQTT-SN devices has: none of it is mosquitto's.
    static let deviceRows: [Directive] = [
        .number("gateway_id", in: .deviceListener, 0...255) { $0.listener.devices.gatewayID = UInt8($1) },
        .own("predefined_topic", in: .deviceListener, "ID NAME") { $0.addPredefinedTopic($1) },
        .own("predefined_topic_for", in: .deviceListener, "CLIENTS ID NAME") { $0.addPredefinedTopicForClients($1) },
        .number("device_message_size", in: .deviceListener, 16...65_507, "bytes") {
            $0.listener.devices.messageBytesMax = $1
        },
        .own("device_message_size_for", in: .deviceListener, "CLIENTS BYTES") { $0.addMessageSize($1) },
        .number("retry_interval", in: .deviceListener, 1...3600, "seconds") {
            $0.listener.devices.retryInterval = .seconds($1)
        },
        .number("retry_count", in: .deviceListener, 0...100) { $0.listener.devices.retryCount = $1 },
        .number("wait_interval", in: .deviceListener, 1...86_400, "seconds") {
            $0.listener.devices.waitInterval = .seconds($1)
        },
        .number("sleep_queue_messages", in: .deviceListener, 1...1_000_000) {
            $0.listener.devices.sleepQueueMessagesMax = $1
        },
        .number("sleep_queue_bytes", in: .deviceListener, 256...1_073_741_824, "bytes") {
            $0.listener.devices.sleepQueueBytesMax = $1
        },
        .word("sleep_queue_policy", in: .deviceListener, ["drop_newest", "drop_oldest"]) {
            $0.listener.devices.sleepQueuePolicy = QueueFullPolicy(rawValue: $1)
        },
        .flag("sleep_queue_keep_last", in: .deviceListener) { $0.listener.devices.sleepQueueKeepsLast = $1 },
        .number("sleep_queue_expiry", in: .deviceListener, 0...4_294_967_295, "seconds") {
            $0.listener.devices.sleepQueueExpirySeconds = UInt32($1)
        },
        .number("messages_per_wake", in: .deviceListener, 0...1_000_000) {
            $0.listener.devices.messagesPerWakeMax = $1
        },
        .number("keepalive_tolerance_short", in: .deviceListener, 0...1_000, "percent") {
            $0.listener.devices.shortTolerancePercent = $1
        },
        .number("keepalive_tolerance_long", in: .deviceListener, 0...1_000, "percent") {
            $0.listener.devices.longTolerancePercent = $1
        },
        .flag("strict", in: .deviceListener) { $0.listener.devices.isStrict = $1 },
        .flag("allow_anonymous_publish", in: .deviceListener) { $0.listener.devices.allowsAnonymousPublish = $1 },
        .text("anonymous_publish_user", in: .deviceListener, "a user") {
            $0.listener.devices.anonymousPublishUser = ByteString($1.value)
        },
        .own("allow_clients", in: .deviceListener, "CLIENTS ...") { $0.addClients($1) },
        .own("allow_networks", in: .deviceListener, "ADDRESS[/PREFIX] ...") { $0.addNetworks($1) },
        .text("device_file", in: .deviceListener, "a file") { $0.pendingAccess = PendingAccess(.devices, $1) },
        .text("listener_user", in: .deviceListener, "a user") {
            $0.listener.devices.user = ByteString($1.value)
        },
        .flag("allow_inline_names", in: .deviceListener) { $0.listener.devices.allowsInlineNames = $1 },
        .word("rebind", in: .deviceListener, RebindPolicy.allCases.map { $0.rawValue }) {
            $0.listener.devices.rebind = RebindPolicy(rawValue: $1) ?? .port
        },
        .own("forwarder", in: .deviceListener, "ADDRESS[/PREFIX][:PORT]") { $0.addForwarder($1) },
    ]
}
