package import Authentication
package import Bytes
package import Messaging
package import SecureTransport

/// One `listener` section: a transport, its addresses, and what holds for the clients that come by it.
package struct ListenerConfiguration: Equatable, Sendable {
    /// What is spoken on the listener, with the settings that only this protocol has (`protocol`).
    package enum Kind: Equatable, Sendable {
        /// MQTT 3.1, 3.1.1 and 5.0 over TCP (`protocol mqtt`) or over WebSocket (`protocol websockets`).
        case mqtt(MQTTListenerSettings)
        /// MQTT-SN 1.2 over UDP (`protocol mqttsn`).
        case mqttsn(SNListenerSettings)
    }

    /// The TCP or UDP port; 0 lets the system choose a free one.
    package var port: UInt16
    /// The addresses to bind: one that the file names, or a pair of IPv4 and IPv6.
    package var addresses: [IPAddress]
    /// Whether the pair was chosen here and not by the operator, so that a machine without one of the two families
    /// still has a working listener. At least one address must be bound.
    package var toleratesMissingFamily: Bool
    /// Whether clients may come without having shown who they are (`allow_anonymous`). Where the file is silent a
    /// listener on loopback that names no users allows them; one that can be reached from elsewhere needs the
    /// operator's word.
    package var allowsAnonymous: Bool
    /// What clients that come by it may do (`acl_file`); everything where the file names no rules.
    package var accessRules: AccessRules
    /// The protocol and what only it has.
    package var kind: Kind
    /// What secures the listener, TLS or DTLS, with the contents of its files (`certfile`, `psk_file` and so on); nil
    /// for nothing.
    package var security: SecureSettings?
    /// Where the section begins, for messages about it; nil where the file has no `listener` at all.
    package var origin: FileLocation?

    package init(
        port: UInt16 = 1883, addresses: [IPAddress] = IPAddress.loopback, toleratesMissingFamily: Bool = true,
        allowsAnonymous: Bool = true, accessRules: AccessRules = .allowAll, kind: Kind,
        security: SecureSettings? = nil, origin: FileLocation? = nil
    ) {
        self.port = port
        self.addresses = addresses
        self.toleratesMissingFamily = toleratesMissingFamily
        self.allowsAnonymous = allowsAnonymous
        self.accessRules = accessRules
        self.kind = kind
        self.security = security
        self.origin = origin
    }
}

/// What an MQTT listener has beyond its address.
package struct MQTTListenerSettings: Equatable, Sendable {
    /// Connections at one time (`max_connections`); nil: as many as `max_clients` allows.
    package var connectionsMax: Int?
    /// The highest QoS that clients may publish with (`max_qos`): 0, 1 or 2.
    package var qosMax: UInt8 = 2
    /// Topic aliases that a client may use toward us (`max_topic_alias`), MQTT 5.0 §3.2.2.3.8.
    package var topicAliasMax: UInt16 = 16
    /// Topic aliases that we use toward a client that takes them (`max_topic_alias_broker`), MQTT 5.0 §3.1.2.11.5.
    package var outgoingAliasMax: UInt16 = 16
    /// Whether a client may leave its id to us (`allow_zero_length_clientid`) [MQTT-3.1.3-6].
    package var allowsEmptyClientID = true
    /// What ids of our making begin with (`auto_id_prefix`).
    package var autoIDPrefix: ByteString = "auto-"
    /// Who may come by SCRAM-SHA-256 (`scram_file`), MQTT 5.0 §4.12; nil where the method is not spoken.
    package var scramUsers: ScramUsers?
    /// Who may come by a password in CONNECT (`password_file`); nil where none is looked at.
    package var passwordUsers: PasswordUsers?
    /// What only `protocol websockets` has; nil for MQTT on TCP itself.
    package var webSocket: WebSocketSettings?

    package init() {}
}

/// What a WebSocket listener has beyond what MQTT has.
package struct WebSocketSettings: Equatable, Sendable {
    /// The origins whose pages may connect (`websockets_origin`), such as `https://plant.example`; empty for all.
    package var origins: [ByteString] = []

    package init() {}
}

/// What an MQTT-SN listener has beyond its address. The names are those of MQTT-SN 1.2.
package struct SNListenerSettings: Equatable, Sendable {
    /// The GwId that this listener answers SEARCHGW with (`gateway_id`), MQTT-SN 1.2 §5.3.9.
    package var gatewayID: UInt8 = 1
    /// Where devices look for this gateway, one for each group and interface (`multicast_group`), MQTT-SN 1.2 §6.1;
    /// empty: ADVERTISE is not sent [D-42].
    package var multicastGroups: [MulticastGroup] = []
    /// T_ADV: seconds between two ADVERTISE (`advertise_interval`), MQTT-SN 1.2 §7.2.
    package var advertiseIntervalSeconds: UInt16 = 900
    /// How many routers what is said in groups may pass, plus one (`multicast_hops`) [D-66].
    package var multicastHops: UInt8 = 1
    /// Topics known to both sides without registration, ascending by id (`predefined_topic`), MQTT-SN 1.2 §6.7.
    package var predefinedTopics: [PredefinedTopic] = []
    /// T_retry: how long an answer is waited for (`retry_interval`), MQTT-SN 1.2 §7.2.
    package var retryInterval = Duration.seconds(10)
    /// N_retry: how often a message is sent again before the device is lost (`retry_count`), MQTT-SN 1.2 §7.2.
    package var retryCount = 4
    /// T_WAIT: how long a device is left alone that answered "congestion" (`wait_interval`), MQTT-SN 1.2 §7.2.
    package var waitInterval = Duration.seconds(60)
    /// The longest message sent to a device, in bytes (`device_message_size`).
    package var messageBytesMax = 1_400
    /// The same for clients whose ids fit, the first that does (`device_message_size_for`).
    package var messageSizes: [ClientMessageSize] = []
    /// Messages kept for a sleeping device (`sleep_queue_messages`), DESIGN §7.
    package var sleepQueueMessagesMax = 64
    /// Bytes kept for a sleeping device (`sleep_queue_bytes`), DESIGN §7.
    package var sleepQueueBytesMax = 16_384
    /// What gives way when that is full (`sleep_queue_policy`): `dropNewest` or `dropOldest`; nil for what
    /// `queue_full_policy` says [D-75].
    package var sleepQueuePolicy: QueueFullPolicy?
    /// Whether only the last message of each topic is kept (`sleep_queue_keep_last`) [D-76].
    package var sleepQueueKeepsLast = false
    /// Seconds after which a message is not worth a wake (`sleep_queue_expiry`); 0 for none [D-77].
    package var sleepQueueExpirySeconds: UInt32 = 0
    /// Messages that end a wake (`messages_per_wake`); 0 for no such limit [D-17].
    package var messagesPerWakeMax = 0
    /// How much longer than it said a device may be silent that said up to a minute, in percent
    /// (`keepalive_tolerance_short`) [D-20].
    package var shortTolerancePercent = 50
    /// The same for a device that said more than a minute (`keepalive_tolerance_long`).
    package var longTolerancePercent = 10
    /// Whether the letter of the specification holds where `docs/SPEC-DECISIONS.md` names a lenient way too
    /// (`strict`).
    package var isStrict = false
    /// Whether PUBLISH at QoS -1 is taken from addresses that are no device's (`allow_anonymous_publish`) [D-33].
    package var allowsAnonymousPublish = false
    /// From where devices may come (`allow_networks`); from anywhere if none is named [D-120].
    package var networks: [ConfiguredNetwork] = []
    /// Whose client ids fit (`allow_clients`); everybody's if none is named [D-120].
    package var clients: [GlobPattern] = []
    /// Which user a device is (`device_file`) [D-121].
    package var users: DeviceUsers?
    /// Who a device is of which nothing else is known (`listener_user`) [D-121].
    package var user: ByteString?
    /// Who publishes at QoS -1 without being connected (`anonymous_publish_user`) [D-33].
    package var anonymousPublishUser: ByteString?
    /// Whether PUBLISH at QoS -1 may carry the topic name in its data (`allow_inline_names`) [D-32].
    package var allowsInlineNames = false
    /// How far a device may move without being questioned (`rebind`) [D-13].
    package var rebind = RebindPolicy.port
    /// Whose encapsulated messages are taken (`forwarder`), MQTT-SN 1.2 §5.5 [D-48].
    package var forwarders: [ConfiguredForwarder] = []

    package init() {}
}

/// From where a device that is not active may go on without being questioned [D-13] [D-15] [D-62].
package enum RebindPolicy: String, CaseIterable, Sendable {
    /// From its address and port alone.
    case never
    /// From any port of its address: what a NAT does.
    case port
    /// From anywhere: whoever knows its client id gets what waits for it.
    case address
}

/// One `predefined_topic ID NAME` or `predefined_topic_for CLIENTS ID NAME`: MQTT-SN 1.2 §6.7.
package struct PredefinedTopic: Hashable, Sendable {
    /// 1 to 65,534.
    package var id: UInt16
    /// A topic name; `%c` as a whole level stands for the client id of the device.
    package var name: ByteString
    /// Whose id it is (`predefined_topic_for`); nil for all clients that have no such id of their own.
    package var clients: GlobPattern?

    package init(id: UInt16, name: ByteString, clients: GlobPattern? = nil) {
        self.id = id
        self.name = name
        self.clients = clients
    }
}

/// One `device_message_size_for CLIENTS BYTES`.
package struct ClientMessageSize: Equatable, Sendable {
    /// The clients whose ids fit.
    package var clients: GlobPattern
    /// The longest message they are sent, 16 to 65,507 bytes.
    package var bytes: Int

    package init(clients: GlobPattern, bytes: Int) {
        self.clients = clients
        self.bytes = bytes
    }
}
