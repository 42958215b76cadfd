package import BrokerCore
package import Bytes
package import Clockwork
package import ConnectionCore
package import GatewayCore
package import Messaging

/// The cores joined: MQTT connections and MQTT-SN devices as links of one broker.
///
/// Bytes and datagrams go in with the time, each connection's output and a list of datagrams come out. No socket, no
/// clock, no thread: an adapter drives it with real ones, the simulation with made-up ones, and both get the same.
/// After each call all consequences have happened; what is left to the adapter is to write and to close.
package struct Engine {
    package let settings: EngineSettings

    package internal(set) var broker: Broker
    package internal(set) var connections: Connections
    package internal(set) var gateway: Gateway

    /// Datagrams to be sent since the outbox was last cleared.
    package internal(set) var outbox = DatagramOutbox()
    /// What is to be sent to multicast groups, since it was last taken.
    var multicasts: [Multicast] = []
    /// Passwords to be checked, since they were last taken.
    var passwordChecks: [PasswordCheck] = []
    /// What is worth a line in the log, since it was last taken.
    package internal(set) var logs: [EngineLog] = []

    var brokerEffects = BrokerEffects()
    var connectionEffects: [ConnectionEffect] = []
    var gatewayEffects: [Gateway.Effect] = []
    /// Requests to the broker that wait for the answers to the one before, from `firstPending` on.
    var pending: [PendingRequest] = []
    var firstPending = 0

    /// Who asked for what the broker answers, if the answer waits for the disk.
    var waiting: LinkID?
    var safety = Safety()
    var statistics: Statistics
    var deviceTopics: DeviceTopics
    /// The process's memory that is resident, in bytes, as the adapter saw it last: what `$SYS/broker/heap/current`
    /// says. 0 for unknown: then it says nothing.
    package var residentBytes = 0
    /// Datagrams that the system dropped because a buffer was full, as the adapter saw it last.
    package var datagramsLost: UInt64 = 0
    package internal(set) var datagramCounters = DatagramCounters()

    package init(settings: EngineSettings, seed: UInt64, now: Now) {
        self.settings = settings
        var generator = SeededGenerator(seed: seed)
        deviceTopics = DeviceTopics(countMax: settings.sysInterval == nil ? 0 : settings.deviceTopicsMax)
        var limits = settings.broker
        limits.notesDeviceQueues = deviceTopics.countMax > 0
        broker = Broker(limits: limits, seed: generator.next())
        if !settings.access.allowsAll { broker.setAccessRules(settings.access) }
        connections = Connections(limits: settings.connections)
        var configuration = settings.gateway
        configuration.notesChanges = deviceTopics.countMax > 0
        configuration.isDurable = settings.broker.isDurable
        gateway = Gateway(configuration: configuration, seed: generator.next())
        statistics = Statistics(startedAt: now, interval: settings.sysInterval)
    }

    // MARK: TCP

    /// A socket has opened. Nil when there are too many connections: close it.
    package mutating func connectionOpened(listener: UInt16, now: Now) -> Int? {
        connections.open(listener: listener, now: now)
    }

    /// Bytes of a connection, in order.
    package mutating func bytesReceived(_ bytes: ByteView, on connection: Int, now: Now) {
        _ = bytesReceived(bytes, on: connection, workMax: .max, now: now)
    }

    /// Bytes of a connection, in order, until their packets have cost `workMax`, as `workDone` counts.
    ///
    /// One packet is never cut, and one at least is handled.
    ///
    /// - Returns: how many bytes at the end were not looked at: the next ones to be received.
    package mutating func bytesReceived(
        _ bytes: ByteView, on connection: Int, workMax: UInt64, now: Now
    ) -> Int {
        var input = bytes
        let before = workDone
        var unlooked = 0
        while true {
            if let request = connections.nextBrief(connection, &input, now: now) {
                handle(request, from: .connection(connection), now)
                unlooked += 1 + brokerEffects.list.count
            } else if let request = connections.next(connection, &input, now: now, into: &connectionEffects) {
                handle(request, from: .connection(connection), now)
                unlooked += request.isBrief ? 1 + brokerEffects.list.count : Self.lookAfter
            } else {
                break
            }
            settle(now)
            guard unlooked >= Self.lookAfter else { continue }
            unlooked = 0
            if !input.isEmpty, workDone - before >= workMax { return input.count }
        }
        settle(now)
        return 0
    }

    /// After how many packets and answers the work is looked at: too dear for each packet.
    private static let lookAfter = 64

    /// The socket is gone, for this reason as far as MQTT had none; the connection's number is free from here on.
    package mutating func connectionEnded(_ connection: Int, because end: ConnectionEnd = .lost, now: Now) {
        connections.ended(connection, because: end, into: &connectionEffects)
        settle(now)
    }

    /// The adapter has written so much of a connection's output.
    package mutating func wrote(_ count: Int, on connection: Int, now: Now) {
        connections.wrote(count, of: connection, into: &connectionEffects)
        settle(now)
    }

    /// What a connection has for its socket; valid until the engine is next spoken to.
    package func output(of connection: Int) -> ByteView {
        connections.output(of: connection)
    }

    /// The connections with new output; the list starts anew.
    package mutating func takeDirty(into list: inout [Int]) {
        connections.takeDirty(into: &list)
    }

    /// Whether deliveries have half filled an output since the last time: better written now than at the turn's end.
    package mutating func takeMuchOutput() -> Bool {
        connections.takeMuchOutput()
    }

    /// The connections to be closed once their output is written; `connectionEnded` follows for each.
    package mutating func takeClosing() -> [Int] {
        connections.takeClosing()
    }

    /// What there is to log since the last time.
    package mutating func takeLogs() -> [EngineLog] {
        defer { logs = [] }
        return logs
    }

    /// How many deliveries there were since the engine began, those that met a full link or queue included, and one
    /// more for every 512 bytes written and every 8 packets read: how an adapter knows what a read has cost.
    package var workDone: UInt64 {
        broker.counters.deliveriesTried + broker.counters.matchingWork + connections.counters.bytesSent / 512
            + connections.counters.packetsReceived / 8
    }

    // MARK: UDP

    /// Forgets the datagrams that were sent.
    package mutating func clearOutbox() {
        outbox.clear()
    }

    /// One datagram.
    package mutating func datagramReceived(_ bytes: ByteView, from path: DatagramPath, now: Now) {
        datagramCounters.received += 1
        datagramCounters.bytesReceived += UInt64(bytes.count)
        handleDatagram(bytes, from: path, now: now)
        settle(now)
    }

    // MARK: Time

    /// When to call `advance(to:)` at the latest; nil when only input can change anything.
    package var nextDeadline: Deadline? {
        if let deadline = deviceTopicsDeadline { return deadline }
        let ofBroker = Self.earlier(broker.nextDeadline, statistics.nextDeadline)
        return Self.earlier(ofBroker, Self.earlier(connections.nextDeadline, gateway.nextDeadline))
    }

    /// Asked in each turn, so without an array.
    private static func earlier(_ one: Deadline?, _ other: Deadline?) -> Deadline? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    // MARK: For an owner that keeps the engine in a class
    //
    // There a call that does not mutate copies the whole engine first, which costs more than all else that a message
    // does (Swift 6.3, with addressors too); these do not.

    /// `output(of:)`.
    package mutating func outputToWrite(of connection: Int) -> ByteView { connections.output(of: connection) }

    /// `nextDeadline`.
    package mutating func deadline() -> Deadline? { nextDeadline }

    /// `workDone`.
    package mutating func workSoFar() -> UInt64 { workDone }

    /// Does what is due.
    package mutating func advance(to now: Now) {
        endSilent(now)
        advanceDevices(now)
        broker.advance(to: now, into: &brokerEffects)
        settle(now)
        publishStatistics(now)
        publishDevices(now)
    }

    /// Ends what was silent too long, one after the other: each may have a will for very many. What has cost a turn's
    /// work leaves the rest for the next call, for which `nextDeadline` then asks at once.
    private mutating func endSilent(_ now: Now) {
        let before = workDone
        repeat {
            connections.advance(to: now, endsMax: 1, into: &connectionEffects)
            guard !connectionEffects.isEmpty else { return }
            settle(now)
        } while workDone - before < settings.advanceWorkMax
    }

    /// Does what is due of the devices, in the same way: very many may be lost at once, each with a will.
    private mutating func advanceDevices(_ now: Now) {
        let before = workDone
        var hasMore = true
        while hasMore, workDone - before < settings.advanceWorkMax {
            hasMore = gateway.advance(to: now, devicesMax: 1, into: &gatewayEffects)
            takeGatewayEffects(now)
            settle(now)
        }
    }

    /// Ends every link: MQTT 5 clients hear 0x8B, devices DISCONNECT. The adapter then flushes and closes.
    package mutating func shutDown(now: Now) {
        var hasMore = true
        while hasMore {
            hasMore = broker.shutDown(now: now, into: &brokerEffects)
            settle(now)
        }
        gateway.handle(.shutDown, now: now, into: &gatewayEffects)
        takeGatewayEffects(now)
        settle(now)
    }

    /// Gives all memory back that is held by hand. The engine is not to be used afterwards.
    package mutating func tearDown() {
        broker.tearDown()
        connections.tearDown()
        outbox.tearDown()
        safety.held.tearDown()
    }
}

/// A request that waits for its turn with the broker.
enum PendingRequest {
    case link(LinkID, LinkRequest)
    case anonymous(IncomingPublish, as: ClientIdentity)
}

/// What the engine tells the operator.
package enum EngineLog: Equatable {
    /// Of the connection with this number.
    case connection(Int, ConnectionLog)
    case device(GatewayLog)
    case subscription(SubscriptionLog)
    case queue(QueueLog)
}

/// What a client or device asked for, whatever became of it.
package enum SubscriptionLog: Equatable {
    case subscribe(ClientID, filter: ByteString, QoS)
    case unsubscribe(ClientID, filter: ByteString)
}

/// All settings of the cores, in one place.
package struct EngineSettings {
    package var broker = BrokerLimits()
    package var connections = ConnectionLimits()
    package var gateway = Gateway.Configuration()
    /// Who may do what, at first.
    package var access = AccessRuleSets.allowAll
    /// The longest datagram that is looked at, in bytes; longer ones count as malformed.
    package var datagramBytesMax = 65_535
    /// After how much work, as `Engine.workDone` counts, no more silent connections are ended in one call, and no more
    /// devices looked at that are due.
    package var advanceWorkMax: UInt64 = 10_000
    /// Whether each SUBSCRIBE and UNSUBSCRIBE is logged.
    package var logsSubscriptions = false
    /// How often `$SYS` is published; nil for never.
    package var sysInterval: Duration? = .seconds(10)
    /// How many devices have a topic below `$SYS/broker/sn/devices`; 0, or no `sysInterval`: none [D-86].
    package var deviceTopicsMax = 10_000
    /// What `$SYS/broker/durability` says as long as the disk takes everything; whether anything is kept is
    /// `broker.isDurable`'s.
    package var durability: ByteString = "none"
    /// How many bytes may wait for the disk before whoever wants something kept is refused.
    package var unwrittenBytesMax = 64 << 20
    /// What `$SYS/broker/version` says.
    package var version: ByteString = "dormouse"

    package init() {}
}

/// Datagrams counted since the engine began.
package struct DatagramCounters: Equatable, Sendable {
    package var received: UInt64 = 0
    package var sent: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Messages that do not fit a datagram.
    package var tooLong: UInt64 = 0
    /// Answers that were not sent, since what they promise could not be kept.
    package var lostUnsafe: UInt64 = 0

    package init() {}
}

extension LinkRequest {
    /// Whether what it costs shows in the number of its answers.
    fileprivate var isBrief: Bool {
        switch self {
        case .publish, .acknowledge, .release: true
        default: false
        }
    }
}
