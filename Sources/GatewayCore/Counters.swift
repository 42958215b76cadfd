extension Gateway {
    /// What the gateway has counted since it started, and how many devices are in each state now.
    package struct Counters: Equatable, Sendable {
        package var devicesConnecting = 0
        package var devicesActive = 0
        package var devicesAsleep = 0
        package var devicesAwake = 0
        package var devicesDisconnected = 0
        package var devicesLost = 0

        /// Datagrams that were no message [D-36].
        package var malformed = 0
        /// Messages from addresses that no device is known at.
        package var unknownAddress = 0
        /// Answers to strangers, and to errors at QoS 0, that were held back [D-08] [D-16].
        package var rateLimited = 0
        /// Messages that a gateway does not get, or that make no sense in the device's state.
        package var unexpected = 0
        /// Messages of nodes behind forwarders, whatever became of them [D-48].
        package var forwarded = 0
        /// Encapsulated messages from addresses that are no forwarder's [D-48].
        package var forwardersRefused = 0
        /// Encapsulated messages with a Wireless Node Id that is too long [D-60].
        package var nodeIDsTooLong = 0
        /// CONNECT refused because there were too many devices behind their forwarder [D-90].
        package var forwardersFull = 0
        /// PUBLISH, REGISTER and the like sent again.
        package var retransmitted = 0
        /// Devices given up because they did not answer.
        package var unanswered = 0
        /// Deliveries dropped because they were longer than a device's listener allows [D-43].
        package var droppedTooLong = 0
        /// Deliveries dropped because a device refused their topic id [D-06] [D-07].
        package var droppedTopicRefused = 0
        /// Deliveries dropped and registrations refused because a device's topic table was full.
        package var topicTableFull = 0
        /// PUBLISH under a topic id that is not in the device's table.
        package var unknownTopicID = 0
        /// PUBLISH beyond what a device may have open [D-38].
        package var tooManyOpen = 0
        /// PUBLISH at QoS -1 from strangers that was not allowed, or came too fast.
        package var anonymousRejected = 0
        /// CONNECT of client ids that a listener does not take, or that are another user's [D-120] [D-121].
        package var clientsRefused = 0
        /// Messages from outside of the networks that a listener takes devices from [D-120].
        package var outsidersIgnored = 0
        /// CONNECT answered with anything but "accepted".
        package var connectsRefused = 0
        /// Deliveries that came while another was under way; the broker keeps them.
        package var deliveriesOutOfTurn = 0
        /// SEARCHGW in multicast groups.
        package var groupSearches = 0
        /// ADVERTISE of other gateways in our groups.
        package var advertisementsHeard = 0
        /// GWINFO of others, gateways and clients, in our groups.
        package var gatewayInfosHeard = 0
        /// ADVERTISE and GWINFO of gateways that have our GwId [D-68].
        package var gatewayIDConflicts = 0

        /// Devices that are connected, asleep ones included.
        package var devicesConnected: Int { devicesActive + devicesAsleep + devicesAwake }
    }
}

extension Gateway.Counters {
    /// How many devices are in `state`.
    package internal(set) subscript(state: DeviceState) -> Int {
        get {
            switch state {
            case .connecting: devicesConnecting
            case .active: devicesActive
            case .asleep: devicesAsleep
            case .awake: devicesAwake
            case .disconnected: devicesDisconnected
            case .lost: devicesLost
            }
        }
        set {
            switch state {
            case .connecting: devicesConnecting = newValue
            case .active: devicesActive = newValue
            case .asleep: devicesAsleep = newValue
            case .awake: devicesAwake = newValue
            case .disconnected: devicesDisconnected = newValue
            case .lost: devicesLost = newValue
            }
        }
    }
}
