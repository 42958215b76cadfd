internal import BrokerCore
internal import Bytes
internal import Clockwork
internal import Engine
internal import GatewayCore
internal import Messaging

/// What a seed's sleepers are made of, and what their gateway is set to. Settings are left at what does nothing as
/// often as not: a fault that one shows another often hides.
struct SleeperPlan {
    var rules = SleeperRules()
    var devices: Int
    var steps: Int
    var topics: [ByteString]
    var filters: [ByteString] = ["a", "a/b", "a/+", "+/a", "#", "#", "b/#", "p/+"]
    /// Bytes of a payload, at least those that name the message.
    var payloads: ClosedRange<UInt64>
    var sleeps: [UInt16]
    /// The longest pause between two steps.
    var longestPause: Duration
    var hasWills: Bool
    /// Whether devices sometimes go to sleep in the middle of a handshake.
    var hasDeafness: Bool

    init(_ random: inout SeededGenerator) {
        devices = 1 + Int(random.below(4))
        steps = 100 + Int(random.below(200))
        payloads = random.pick([6...8, 6...60])
        sleeps = random.pick([[10, 60], [61, 300], [10, 60, 61, 600, 65_535]])
        longestPause = random.pick([.seconds(2), .seconds(30), .seconds(200)])
        hasWills = random.chance(60)
        hasDeafness = random.chance(40)
        let others = (0..<devices).map { ByteString("p/s\($0)") }
        // Few, so that one takes the place of another.
        topics = random.pick([["a"], ["a", "ab", "a/b", "b/a", "q"] + others, ["a", "q"] + others, ["ab", "a/b"]])
        if random.chance(60) { rules.messages = random.pick([1, 2, 5]) }
        if random.chance(30) { rules.bytes = random.pick([8, 30, 100]) }
        if random.chance(40) { rules.expiry = random.pick([1, 15, 200]) }
        rules.keepsLast = random.chance(50)
        rules.ownPolicy = random.pick([nil, .dropNewest, .dropOldest])
        rules.policy = random.pick([.dropNewest, .dropOldest, .refuse])
        if random.chance(50) { rules.messagesPerWake = random.pick([1, 2, 5]) }
        rules.shortPercent = random.pick([0, 50, 100])
        rules.longPercent = random.pick([0, 10, 50])
        if random.chance(30) { rules.bytesMax = random.pick([20, 40]) }
        if random.chance(30) { rules.bytesMaxOfFirst = random.pick([16, 60]) }
    }

    /// The same for the engine.
    var settings: EngineSettings {
        var settings = EngineSettings()
        settings.sysInterval = nil
        settings.broker.queueFullPolicy =
            switch rules.policy {
            case .dropNewest: .dropNewest
            case .dropOldest: .dropOldest
            case .refuse: .refuse
            }
        var listener = Gateway.Configuration.Listener()
        listener.sleepQueue = QueueLimits(
            messages: rules.messages, bytes: rules.bytes, expiry: rules.expiry, whenFull: rules.ownPolicy,
            keepsLast: rules.keepsLast)
        listener.messagesPerWakeMax = rules.messagesPerWake
        listener.tolerance.shortPercent = rules.shortPercent
        listener.tolerance.longPercent = rules.longPercent
        listener.tolerance.boundary = .seconds(60)
        listener.messageBytesMax = rules.bytesMax
        if let bytes = rules.bytesMaxOfFirst { listener.messageBytesMaxOfClients = [(GlobPattern("s0"), bytes)] }
        // Id 1 is the topic of each device's own, and for the first another one.
        listener.predefinedTopics = [
            .init(id: 1, name: "q", clients: GlobPattern("s0")), .init(id: 1, name: "p/%c"),
        ]
        settings.gateway.unlisted = listener
        return settings
    }
}

/// What the gateway is set to: the model's own view.
struct SleeperRules {
    enum Policy { case dropNewest, dropOldest, refuse }

    var messages = 64
    var bytes = 16 << 10
    /// Seconds; 0 for no limit.
    var expiry: UInt32 = 0
    var keepsLast = false
    var ownPolicy: QueueLimits.WhenFull?
    var policy = Policy.dropNewest
    var messagesPerWake = 0
    var shortPercent = 50
    var longPercent = 10
    var bytesMax = 1_400
    /// For the first device; nil for what holds for all.
    var bytesMaxOfFirst: Int?
}

/// A fault on purpose: the model believes something wrong, which must be noticed within a few seeds.
package enum SleeperMutation: String, CaseIterable, Sendable {
    case replacesNothing, replacesAtTheEnd, replacesInFlight, keepsExpired, expiresLate, dropsForNobody
    case ignoresOwnPolicy, roomForOneMore, endlessWake, shorterWake, noTolerance, oneTolerance, anySize, onePredefinedID
    case keepsRemovedWill, keepsOldMessage, willTwice, forgetsInFlight
}
