internal import Bytes
package import Clockwork
internal import MQTTSNWire
package import Messaging

/// The MQTT-SN 1.2 gateway: what devices say goes in, what must be sent and asked comes out (§6).
///
/// It owns the devices: their addresses, states, topic ids, retransmission and sleep. Sessions, subscriptions and
/// messages are the broker's; `LinkRequest` and `LinkAnswer` are the words between the two. It performs nothing, reads
/// no clock, and draws chance from its seed only.
///
/// A record outlives the connection as long as its session does, and with it the topic ids. Requests about topics
/// (`forget`) can therefore name a link that is detached.
package struct Gateway {
    private let passedByAddress = PassedByAddress()
    /// What has been counted.
    package internal(set) var counters = Counters()

    var configuration: Configuration
    /// What differs between listeners, ready for use: by number, the last one for those that are not listed.
    let predefinedTopics: [PredefinedTopics]
    let retries: [RetryRules]
    /// Normal topic ids begin above this [D-29].
    private(set) var topicBase: Int
    /// Normal topic ids in each table.
    private(set) var topicsMax: Int
    let scratch = Scratch()

    var table: DeviceTable
    /// One deadline for each device: the soonest thing that could be due, or earlier.
    var timers = TimerWheel()
    var random: SeededGenerator
    /// First MsgIds come from a generator of their own: what others can observe of chance, such as when something is
    /// repeated, says nothing about them.
    var identifiers: SeededGenerator
    /// The stored wills by slot; few devices have one. Looked up, never walked through.
    var wills: [Int: Will] = [:]
    /// Claims to client ids whose owners are being asked [D-15].
    var challenges: [Challenge] = []
    /// Newcomers whose client id has become free during this event.
    var claims: [Claim] = []
    /// Topic ids in all tables.
    var topicCount = 0
    /// Bytes of all stored wills.
    var willBytes = 0
    var strangerReplies: RateLimiter
    /// Answers to SEARCHGW by unicast, at the same rate: strays that are told to CONNECT must not hide the gateway.
    var searchReplies: RateLimiter
    var goodbyes = Goodbyes()
    var anonymousPublishes: RateLimiter
    var shares: ForwarderShares
    /// Topics that the broker keeps for restored devices in vain.
    var unneeded: [TopicID] = []
    /// Devices of which the store is to hear.
    var unwritten = Unwritten()
    /// Devices that changed, for those who show them.
    var changes = Changes()
    /// What is due in multicast groups.
    var discovery = Discovery()
    /// Whether the gateway ends: nobody is let in any more.
    var isStopping = false
    /// Lines about forwarders: one a second.
    var forwarderLogs = RateLimiter(perSecond: 1)

    /// The time of the event being handled.
    var now = Now(instant: Instant(nanoseconds: 0), unixSeconds: 0)
    /// The effects of the event being handled; empty in between.
    var effects: [Effect] = []

    /// A gateway without devices. One seed gives one course of events.
    package init(configuration: Configuration, seed: UInt64) {
        self.configuration = configuration
        let listeners = configuration.listeners + [configuration.unlisted]
        predefinedTopics = listeners.map { PredefinedTopics($0.predefinedTopics) }
        retries = listeners.map { RetryRules($0, jitterPercent: configuration.retryJitterPercent) }
        var random = SeededGenerator(seed: seed)
        table = DeviceTable(hasher: KeyHasher(seeds: random.next(), random.next()))
        self.random = random
        var others = SeededGenerator(seed: ~seed)
        identifiers = SeededGenerator(seed: others.next())
        strangerReplies = RateLimiter(perSecond: configuration.strangerRepliesPerSecond)
        searchReplies = RateLimiter(perSecond: configuration.strangerRepliesPerSecond)
        anonymousPublishes = RateLimiter(perSecond: configuration.anonymousPublishesPerSecond)
        shares = ForwarderShares(configuration)

        let wanted = max(0, min(configuration.topicsPerDeviceMax, Self.highestTopicID))
        let highest = predefinedTopics.map(\.highestID).max() ?? 0
        // Where predefined ids leave no room above them, normal ones begin at 1: TopicIdType tells them apart.
        topicBase = highest + wanted <= Self.highestTopicID ? highest : 0
        topicsMax = wanted
    }

    /// The place of a listener in what is listed for each.
    @inline(__always)
    func place(of listener: UInt16) -> Int {
        min(Int(listener), retries.count - 1)
    }

    /// How packets to the device are sent again.
    func retryRules(_ slot: Int) -> RetryRules {
        retries[place(of: table[slot].path.listener)]
    }

    /// Normal topic ids begin above this one from now on; so far there are none.
    mutating func moveTopicBase(to base: Int) {
        topicBase = base
        topicsMax = min(topicsMax, Self.highestTopicID - base)
    }

    /// 0xFFFF is reserved (§5.3.11).
    static let highestTopicID = 0xFFFE

    /// Takes one event and appends what must happen because of it.
    package mutating func handle(_ event: Event, now: Now, into effects: inout [Effect]) {
        self.now = now
        if table.nodes.hasIdle { table.nodes.forgetIdle() }
        swap(&self.effects, &effects)
        switch event {
        case .received(_, let path) where !isInside(path), .receivedInGroup(_, let path, _, _) where !isInside(path):
            outsiderSent(from: path)
        case .received(.encapsulated(_, let nodeID, let message), let path):
            forwarded(message, of: nodeID, by: path)
        case .received(let packet, let path): received(packet, from: path)
        case .receivedInGroup(let packet, let path, let link, let isOwn):
            heard(packet, from: path, inGroup: link, isOwn: isOwn)
        case .undecodable: counters.malformed += 1
        case .answered(let slot, let answer, let message): answered(slot, answer, message)
        case .serving: startServing()
        case .shutDown:
            stopServing()
            shutDown()
        }
        admitClaims()
        swap(&self.effects, &effects)
    }

    /// When to call `advance`; nil if only an event can change anything. It may come earlier than anything is due.
    package var nextDeadline: Deadline? {
        guard let due = discovery.nextDeadline else { return timers.nextDeadline }
        return min(due, timers.nextDeadline ?? due)
    }

    /// Does what is due at `now`.
    ///
    /// - Parameter devicesMax: how many devices are looked at; others stay due.
    /// - Returns: whether others may be due.
    @discardableResult
    package mutating func advance(to now: Now, devicesMax: Int = .max, into effects: inout [Effect]) -> Bool {
        self.now = now
        if table.nodes.hasIdle { table.nodes.forgetIdle() }
        swap(&self.effects, &effects)
        var left = devicesMax
        while left > 0, let slot = timers.expire(to: now.instant) {
            left -= 1
            deadlineReached(slot)
            admitClaims()
        }
        advanceDiscovery()
        swap(&self.effects, &effects)
        return left == 0
    }
}

// MARK: - What others may know

extension Gateway {
    /// Where the device in `slot` is reached, or was last; nil if there is none.
    package func path(of slot: Int) -> DatagramPath? {
        table.contains(slot) ? table[slot].path : nil
    }

    /// Whether its address leads to the device in `slot`: false once somebody else has spoken from there.
    package func isReached(_ slot: Int) -> Bool {
        table.contains(slot) && table[slot].isBound
    }

    /// The client id of the device in `slot`, as the broker knows it; nil if there is none.
    package func clientID(of slot: Int) -> ClientID? {
        table.contains(slot) ? table[slot].clientID : nil
    }

    /// The state of the device in `slot`; nil if there is none.
    package func state(of slot: Int) -> DeviceState? {
        table.contains(slot) ? table[slot].state.kind : nil
    }

    /// How many device records there are, those of absent devices included.
    package var deviceCount: Int { table.count }
}

/// The states of a device: §6.14, and the time before CONNECT is answered.
package enum DeviceState: Equatable, Sendable, CaseIterable {
    case connecting, active, asleep, awake, disconnected, lost
}

// MARK: - Words for effects and transitions

extension Gateway {
    /// Whether the device's listener wants the letter of the specification.
    func isStrict(_ slot: Int) -> Bool {
        configuration.rule({ $0.isStrict }, of: table[slot].path.listener)
    }

    mutating func send(_ packet: SNPacket, to path: DatagramPath) {
        effects.append(.send(packet, to: path))
    }

    mutating func send(_ packet: SNPacket, to slot: Int) {
        effects.append(.send(packet, to: table[slot].path))
    }

    /// Asks the broker in the name of the device.
    mutating func ask(_ slot: Int, _ request: LinkRequest) {
        effects.append(.request(.device(slot), request))
    }

    mutating func log(_ entry: GatewayLog) {
        effects.append(.log(entry))
    }

    /// The one place where a device changes its state.
    mutating func enter(_ state: State, _ slot: Int) {
        counters[table[slot].state.kind] -= 1
        counters[state.kind] += 1
        if configuration.isDurable { noteState(state, slot) }
        table[slot].state = state
        noteChange(slot)
    }

    /// Sees to it that the device is looked at when the next thing is due. A deadline that moved back is left as it
    /// is: the device is then looked at once for nothing, which is cheaper than a change with each packet.
    mutating func arm(_ slot: Int) {
        if let due = nextDue(slot) { arm(slot, for: due) }
    }

    /// Sees to it that the device is looked at no later than `due`.
    mutating func arm(_ slot: Int, for due: Instant) {
        if let armed = timers.deadline(of: slot), armed <= due { return }
        timers.schedule(slot, at: due)
    }
}
