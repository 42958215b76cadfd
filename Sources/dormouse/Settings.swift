import BrokerCore
import Bytes
import Configuration
import ConnectionCore
import Engine
import GatewayCore
import Messaging
import SecureTransport
import Transport
import WebSocket

// From what the configuration says to what the cores and the transport take.

extension EngineSettings {
    init(_ configuration: GatewayConfiguration) {
        self.init()
        version = ByteString(Version.text)
        sysInterval = configuration.broker.sysInterval
        deviceTopicsMax = configuration.limits.deviceTopicsMax
        datagramBytesMax = configuration.limits.packetBytesMax
        logsSubscriptions = !configuration.logging.types.isDisjoint(with: [.subscribe, .unsubscribe])
        durability = ByteString(configuration.durability.rawValue)
        broker = BrokerLimits(configuration)
        connections = ConnectionLimits(configuration)
        gateway = Gateway.Configuration(configuration)
        access = AccessRuleSets(configuration)
    }
}

extension GatewayConfiguration {
    /// `persistent_client_expiration` in seconds.
    fileprivate var sessionExpirySeconds: UInt32 {
        broker.sessionExpiryMax.map { UInt32(clamping: $0.components.seconds) } ?? .max
    }
}

extension BrokerLimits {
    init(_ configuration: GatewayConfiguration) {
        self.init()
        let limits = configuration.limits
        topicBytesMax = limits.topicBytesMax
        topicLevelsMax = limits.topicLevelsMax
        sessionsMax = limits.clientsMax + limits.devicesMax
        subscriptionsPerSessionMax = limits.subscriptionsPerClientMax
        subscriptionsMax = limits.subscriptionsMax
        inflightMessagesMax = limits.inflightMessagesMax
        queuedMessagesMax = limits.queuedMessagesMax
        queuedBytesMax = limits.queuedBytesMax
        heldBytesMax = limits.queuedTotalBytesMax
        queuedMemoryMax = limits.queuedMemoryMax
        queuedMemoryPerSessionMax = limits.queuedMemoryPerClientMax
        // Who gives messages, topics or subscriptions more room means their names and places too.
        heldOverheadBytesMax = limits.queuedTotalOverheadMax ?? max(heldOverheadBytesMax, heldBytesMax)
        queuedDeliveriesMax = limits.queuedTotalMessagesMax ?? max(queuedDeliveriesMax, heldBytesMax / 16)
        retainedLevelsMax = limits.retainedLevelsMax ?? max(retainedLevelsMax, 10 * limits.retainedMessagesMax)
        subscriptionLevelsMax =
            limits.subscriptionLevelsMax ?? max(subscriptionLevelsMax, 2 * limits.subscriptionsMax)
        routeEntriesMax = limits.routeCacheEntriesMax ?? routeEntriesMax
        queueFullPolicy =
            switch configuration.broker.queueFullPolicy {
            case .dropNewest: .dropNewest
            case .dropOldest: .dropOldest
            case .refuse: .refuse
            }
        retainedMessagesMax = limits.retainedMessagesMax
        retainedBytesMax = limits.retainedBytesMax
        sessionExpiryMax = configuration.sessionExpirySeconds
        queuesQoS0 = configuration.broker.queuesQoS0
        retainAvailable = configuration.broker.isRetainAvailable
        sharedSubscriptionsAvailable = configuration.broker.sharesSubscriptions
        isDurable = configuration.persistence != nil
        retainedIsDurable = configuration.persistence?.keepsRetained ?? false
    }
}

extension ConnectionLimits {
    init(_ configuration: GatewayConfiguration) {
        self.init()
        let limits = configuration.limits
        connectionsMax = limits.clientsMax
        packetBeforeConnectBytesMax = limits.packetBeforeConnectBytesMax
        packetBytesMax = limits.packetBytesMax
        payloadBytesMax = limits.payloadBytesMax ?? .max
        connectTimeout = limits.connectTimeout
        clientIDBytesMax = limits.clientIDBytesMax
        topicBytesMax = limits.topicBytesMax
        outputBytesMax = limits.writeBufferBytesMax
        filtersPerPacketMax = limits.filtersPerPacketMax
        // One packet at least has room, however long it may be.
        unfinishedBytesMax = max(limits.unfinishedBytesMax, limits.packetBytesMax)
        // 0 in the file lifts the maximum, as in mosquitto.
        let keepAlive = configuration.broker.keepAliveSecondsMax
        keepAliveMax = keepAlive == 0 ? .max : keepAlive
        receiveMaximum = limits.inflightMessagesMax
        retainAvailable = configuration.broker.isRetainAvailable
        sharedSubscriptionsAvailable = configuration.broker.sharesSubscriptions
        persistentSessionExpiry = configuration.sessionExpirySeconds
        let answers = configuration.answers
        checksPayloadFormat = answers.checksPayloadFormat
        responseInformation = answers.responseInformation
        if !answers.serverReferences.isEmpty {
            redirection = ServerRedirection(
                references: answers.serverReferences, isPermanent: answers.hasMoved,
                refusesNewClients: answers.redirectsClients)
        }
        listeners = configuration.listeners.map { listener in
            var rules = Listener()
            guard case .mqtt(let settings) = listener.kind else { return rules }
            rules.allowsAnonymous = listener.allowsAnonymous
            rules.scramUsers = settings.scramUsers
            rules.passwordUsers = settings.passwordUsers
            rules.demandsTransportIdentity = listener.security?.demandsIdentity ?? false
            rules.connectionsMax = settings.connectionsMax ?? .max
            rules.qosMax = QoS(rawValue: settings.qosMax) ?? .exactlyOnce
            rules.topicAliasMax = settings.topicAliasMax
            rules.outgoingAliasMax = settings.outgoingAliasMax
            rules.allowsEmptyClientID = settings.allowsEmptyClientID
            rules.assignedClientIDPrefix = settings.autoIDPrefix
            return rules
        }
    }
}

extension Gateway.Configuration {
    init(_ configuration: GatewayConfiguration) {
        self.init()
        let limits = configuration.limits
        topicRules = TopicRules(bytesMax: limits.topicBytesMax, levelsMax: limits.topicLevelsMax)
        devicesMax = limits.devicesMax
        devicesPerForwarderMax = limits.devicesPerForwarderMax ?? max(1, limits.devicesMax / 2)
        topicsPerDeviceMax = limits.topicIDsPerDeviceMax
        clientIDBytesMax = limits.deviceIDBytesMax
        payloadBytesMax = limits.payloadBytesMax ?? .max
        strangerRepliesPerSecond = limits.strangerRepliesPerSecondMax
        anonymousPublishesPerSecond = limits.anonymousPublishesPerSecondMax
        sessionExpiryInterval = configuration.sessionExpirySeconds
        listeners = configuration.listeners.map { listener in
            var rules = Listener()
            rules.isForDevices = false
            guard case .mqttsn(let settings) = listener.kind else { return rules }
            rules.isForDevices = true
            rules.messageBytesMax = min(settings.messageBytesMax, limits.packetBytesMax)
            rules.messageBytesMaxOfClients = settings.messageSizes.map {
                ($0.clients, min($0.bytes, limits.packetBytesMax))
            }
            rules.gatewayID = settings.gatewayID
            rules.groupLinks = UInt16(clamping: settings.multicastGroups.count)
            rules.advertiseInterval = settings.advertiseIntervalSeconds
            rules.groupHops = settings.multicastHops
            rules.predefinedTopics = settings.predefinedTopics.map {
                PredefinedTopic(id: $0.id, name: $0.name, clients: $0.clients)
            }
            rules.retryInterval = settings.retryInterval
            rules.retryCount = settings.retryCount
            rules.waitInterval = settings.waitInterval
            rules.sleepQueue = QueueLimits(settings)
            rules.messagesPerWakeMax = settings.messagesPerWakeMax
            rules.tolerance.shortPercent = settings.shortTolerancePercent
            rules.tolerance.longPercent = settings.longTolerancePercent
            rules.isStrict = settings.isStrict
            rules.allowsAnonymous = listener.allowsAnonymous
            rules.allowsAnonymousPublish = settings.allowsAnonymousPublish
            rules.admission = .init(settings)
            rules.allowsInlineNames = settings.allowsInlineNames
            rules.rebind =
                switch settings.rebind {
                case .never: .never
                case .port: .port
                case .address: .address
                }
            rules.forwarders = settings.forwarders.map { forwarder in
                Forwarder(
                    address: PeerAddress(forwarder.address, port: 0), prefixBits: forwarder.prefixBits,
                    port: forwarder.port)
            }
            return rules
        }
    }
}

extension AccessRuleSets {
    init(_ configuration: GatewayConfiguration) {
        self.init(ofListeners: configuration.listeners.map { $0.accessRules })
    }
}

extension Gateway.Configuration.Admission {
    fileprivate init(_ settings: SNListenerSettings) {
        self.init()
        networks = settings.networks.map {
            Gateway.Network(address: PeerAddress($0.address, port: 0), prefixBits: $0.prefixBits)
        }
        clients = settings.clients
        users = settings.users
        user = settings.user
        anonymousPublishUser = settings.anonymousPublishUser
    }
}

extension QueueLimits {
    fileprivate init(_ settings: SNListenerSettings) {
        let whenFull: WhenFull? =
            switch settings.sleepQueuePolicy {
            case .dropNewest: .dropNewest
            case .dropOldest: .dropOldest
            case .refuse, nil: nil
            }
        self.init(
            messages: settings.sleepQueueMessagesMax, bytes: settings.sleepQueueBytesMax,
            expiry: settings.sleepQueueExpirySeconds, whenFull: whenFull, keepsLast: settings.sleepQueueKeepsLast)
    }
}

extension ListenerPlan {
    init(_ listener: ListenerConfiguration) throws(SecureTransportError) {
        let kind: Kind =
            switch listener.kind {
            case .mqtt(let settings): settings.webSocket.map { .webSocket(WebSocketRules($0)) } ?? .mqtt
            case .mqttsn: .mqttsn
            }
        self.init(
            kind: kind, addresses: listener.addresses.map { PeerAddress($0, port: listener.port) },
            toleratesMissingFamily: listener.toleratesMissingFamily, groups: listener.groupPlans,
            security: try listener.security.map { security throws(SecureTransportError) in
                try SecureContext(security)
            })
    }
}

extension ListenerConfiguration {
    /// Where devices look for the gateway.
    fileprivate var groupPlans: [GroupPlan] {
        guard case .mqttsn(let settings) = kind else { return [] }
        return settings.multicastGroups.map {
            GroupPlan(address: PeerAddress($0.address, port: port), interface: $0.interface)
        }
    }
}

extension WebSocketRules {
    init(_ settings: WebSocketSettings) {
        self.init()
        origins = settings.origins
    }
}

extension PeerAddress {
    init(_ address: IPAddress, port: UInt16) {
        func number(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        switch address {
        case .v4(let bytes): self.init(ipv4: UInt32(truncatingIfNeeded: number(bytes)), port: port)
        case .v6(let bytes): self.init(high: number(bytes.prefix(8)), low: number(bytes.dropFirst(8)), port: port)
        }
    }
}
