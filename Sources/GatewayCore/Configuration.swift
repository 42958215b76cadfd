package import Bytes
package import Messaging

extension Gateway {
    /// What the operator decides about devices.
    package struct Configuration: Sendable {
        /// What differs between listeners, indexed by `DatagramPath.listener`.
        package var listeners: [Listener] = []
        /// What holds on listeners that are not listed.
        package var unlisted = Listener()
        /// What a topic name or filter may be.
        package var topicRules = TopicRules()

        /// Up to this share of `retryInterval` is added by chance, so that devices do not answer in chorus; percent.
        package var retryJitterPercent = 20
        /// How long the old address of a device has to answer when a newcomer claims its client id [D-15].
        package var challengeInterval: Duration = .seconds(3)
        /// Seconds that a session with CleanSession=0 outlives its connection; `UInt32.max` for ever.
        package var sessionExpiryInterval: UInt32 = .max

        /// Whether `takeChange` is asked for the devices that changed; else they are not noted.
        package var notesChanges = false
        /// Whether what outlives the gateway is told to the journal.
        package var isDurable = false
        /// Device records: connected, asleep, or away with a session.
        package var devicesMax = 100_000
        /// Of these, so many behind one forwarder [D-90].
        package var devicesPerForwarderMax = Int.max
        /// Normal topic ids in each device's table (§7.3).
        package var topicsPerDeviceMax = 1024
        /// Normal topic ids in all tables together.
        package var topicsMax = 1_000_000
        /// Bytes of an application message, wills included; `Int.max` for whatever fits a datagram.
        package var payloadBytesMax = Int.max
        /// Bytes in a will message.
        package var willMessageBytesMax = 4_096
        /// Bytes in all stored wills together.
        package var willBytesMax = 16 << 20
        /// Bytes in a client id [D-40].
        package var clientIDBytesMax = 64
        /// PUBLISH at QoS 1 or 2 that a device may have open towards us; 8 at most [D-38].
        package var uplinksPerDeviceMax = 8
        /// Claims to client ids in use that can be under examination at the same time [D-15].
        package var challengesMax = 64
        /// Answers a second to addresses that no device is known at [D-16].
        package var strangerRepliesPerSecond = 10
        /// PUBLISH at QoS -1 a second taken from strangers, all together; 0 for no limit.
        package var anonymousPublishesPerSecond = 1_000

        package init() {}
    }
}

extension Gateway.Configuration {
    /// What holds for the devices of one listener.
    package struct Listener: Sendable {
        /// Whether devices come by it at all: a restored device of another one is not reached there.
        package var isForDevices = true
        /// Whether devices may come that no list names and that have not shown who they are.
        package var allowsAnonymous = true
        /// Which devices may come by it, from where, and who they are.
        package var admission = Admission()
        /// GwId in GWINFO and ADVERTISE (§5.3.6).
        package var gatewayID: UInt8 = 1
        /// Multicast groups, once for each interface, where devices look for this gateway (§6.1); 0: it says nothing
        /// by itself [D-42].
        package var groupLinks: UInt16 = 0
        /// T_ADV: seconds between two ADVERTISE, at least 1 (§7.2).
        package var advertiseInterval: UInt16 = 900
        /// Time to live, or hop limit, of what is said in groups, at most [D-66].
        package var groupHops: UInt8 = 1
        /// Topic ids that devices know without asking (§6.7).
        package var predefinedTopics: [PredefinedTopic] = []
        /// T_retry: how long to wait for an answer before a packet is sent again (§7.2).
        package var retryInterval: Duration = .seconds(10)
        /// N_retry: how often a packet is sent again before its receiver is given up (§7.2).
        package var retryCount = 4
        /// T_WAIT: how long deliveries rest after a device answered "congestion" [D-46].
        package var waitInterval: Duration = .seconds(60)
        /// How much longer than it said a device may be silent [D-20].
        package var tolerance = Tolerance()
        /// Deliveries in one wake of a sleeping device before PINGRESP ends it; 0 for no limit [D-17].
        package var messagesPerWakeMax = 0
        /// What may wait for a sleeping device.
        package var sleepQueue = QueueLimits(messages: 64, bytes: 16 << 10)
        /// Where a device may turn up without being questioned [D-13].
        package var rebind: Rebind = .port
        /// The letter of the specification, where `SPEC-DECISIONS.md` names a lenient and a strict way.
        package var isStrict = false
        /// Whether strangers may publish at QoS -1 [D-33].
        package var allowsAnonymousPublish = false
        /// Whether QoS -1 may carry the topic's name in its data [D-32].
        package var allowsInlineNames = false
        /// Put before each client id that comes in here [D-45].
        package var clientIDPrefix = ByteString()
        /// The longest message sent to a device, in bytes, with encapsulation; deliveries that need more are dropped
        /// [D-43].
        package var messageBytesMax = 1_400
        /// The same for clients whose ids fit a pattern, the first that does; it goes before `messageBytesMax`.
        package var messageBytesMaxOfClients: [(clients: GlobPattern, bytes: Int)] = []
        /// Whose encapsulated messages are taken [D-48].
        package var forwarders: [Forwarder] = []

        package init() {}
    }

    /// How far a device may move without being questioned, as long as it is not active [D-13].
    package enum Rebind: Sendable {
        /// Not at all.
        case never
        /// To another port of the same address: what a NAT does.
        case port
        /// To any address.
        case address
    }

    /// A topic id whose meaning devices and gateway know beforehand (§6.7).
    package struct PredefinedTopic: Equatable, Sendable {
        /// 0x0001 to 0xFFFE; others are never found.
        package var id: UInt16
        /// The topic's name; `%c` in it stands for the client id.
        package var name: ByteString
        /// Whose id it is: of the clients whose ids fit. nil for all that have no such id of their own.
        package var clients: GlobPattern?

        package init(id: UInt16, name: ByteString, clients: GlobPattern? = nil) {
            self.id = id
            self.name = name
            self.clients = clients
        }
    }

    /// How much longer than announced a device may be silent (§7.2) [D-20].
    package struct Tolerance: Sendable {
        /// Added to durations of up to `boundary`; percent.
        package var shortPercent = 50
        /// Added to longer durations; percent.
        package var longPercent = 10
        /// The longest duration that counts as short.
        package var boundary: Duration = .seconds(60)

        package init() {}
    }

    /// The rules of the listener that a datagram came in by.
    func rules(of listener: UInt16) -> Listener {
        Int(listener) < listeners.count ? listeners[Int(listener)] : unlisted
    }

    /// One rule of the listener, without a copy of all: they are looked at with each delivery.
    @inline(__always)
    func rule<Value>(_ rule: (Listener) -> Value, of listener: UInt16) -> Value {
        Int(listener) < listeners.count ? rule(listeners[Int(listener)]) : rule(unlisted)
    }
}
