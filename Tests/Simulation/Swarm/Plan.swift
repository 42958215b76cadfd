internal import BrokerCore
internal import Clockwork
internal import ConnectionCore
internal import Engine
internal import Messaging

/// What the world of one seed is made of. Features are switched off entirely as often as on: a fault that one feature
/// shows another often hides (swarm testing).
struct Plan {
    var rules = Rules()
    var clients: Int
    var steps: Int
    var versions: [Version]
    var qualities: [Int]
    var names: [Octets] = []
    var filters: [Octets] = []

    // What connections ask for.
    var cleanStarts: UInt64
    var sessionExpiries: [UInt32]
    var keepAlives: [Int]
    var receiveMaxima: [Int]
    var packetMaxima: [Int]
    var aliasMaxima: [Int]
    var hasNamelessClients: Bool
    var hidesProblems: Bool
    var hasWills: Bool
    var willDelays: [UInt32]

    // What clients publish, and what they subscribe to.
    var hasRetain: Bool
    var messageExpiries: [UInt32]
    var hasProperties: Bool
    var hasAliases: Bool
    var hasIdentifiers: Bool
    var hasNoLocal: Bool
    var hasRetainAsPublished: Bool
    var hasRetainHandling: Bool
    var hasBadNames: Bool
    var hasShared: Bool

    // How they behave.
    var hasTakeovers: Bool
    var isLazy: Bool
    /// A client that acknowledges nothing until the end.
    var silent: Int?
    var hasErrors: Bool
    var hasSplits: Bool
    var isSlow: Bool
    /// The longest that one step lets pass.
    var longestPause: Duration
    var weights: [(kind: Step, weight: UInt64)]

    enum Step: CaseIterable {
        case connect, publish, subscribe, unsubscribe, disconnect, cut, feed, drain, pause, ping, acknowledge, misbehave
    }

    init(_ random: inout SeededGenerator) {
        clients = 2 + Int(random.below(4))
        steps = 60 + Int(random.below(140))
        versions = random.pick([
            [.v5], [.v5], [.v5], [.v311], [.v5, .v311], [.v31, .v311, .v5], [.v31],
        ])
        qualities = random.pick([[0], [1], [2], [0, 1, 2], [0, 1, 2], [1, 2]])
        cleanStarts = random.pick([0, 20, 50, 100])
        sessionExpiries = random.pick([[0], [.max], [0, 5, 60], [1, 30, 1_000]])
        keepAlives = random.chance(40) ? [0, 2, 10, 60] : [0]
        receiveMaxima = random.chance(40) ? [1, 2, 3, 10] : [65_535]
        packetMaxima = random.chance(20) ? [120, 160, 1_000] : []
        aliasMaxima = random.chance(40) ? [1, 2, 5] : []
        hasNamelessClients = random.chance(20)
        hidesProblems = random.chance(20)
        hasWills = random.chance(50)
        willDelays = random.chance(50) ? [0, 1, 3, 10, 100] : [0]
        hasRetain = random.chance(50)
        messageExpiries = random.chance(40) ? [1, 2, 5, 30, 300] : []
        hasProperties = random.chance(40)
        hasAliases = random.chance(40)
        hasIdentifiers = random.chance(40)
        hasNoLocal = random.chance(40)
        hasRetainAsPublished = random.chance(40)
        hasRetainHandling = random.chance(40)
        hasBadNames = random.chance(20)
        hasShared = random.chance(25)
        hasTakeovers = random.chance(40)
        isLazy = random.chance(40)
        silent = random.chance(20) ? 0 : nil
        hasErrors = random.chance(20)
        hasSplits = random.chance(50)
        isSlow = random.chance(30)
        longestPause = random.pick([.milliseconds(100), .seconds(2), .seconds(10), .seconds(100)])
        weights = Self.weights(&random)
        drawTopics(&random)
        drawRules(&random)
    }

    private static func weights(_ random: inout SeededGenerator) -> [(kind: Step, weight: UInt64)] {
        Step.allCases.map { kind in
            let weight: UInt64 =
                switch kind {
                case .connect: 12
                case .publish: 30
                case .subscribe: 10
                case .unsubscribe: random.pick([0, 2, 5])
                case .disconnect, .cut: random.pick([0, 1, 4])
                case .feed, .drain: 15
                case .pause: random.pick([2, 10])
                case .ping: random.pick([0, 2])
                case .acknowledge: 5
                case .misbehave: random.pick([0, 0, 1])
                }
            return (kind, weight)
        }
    }

    /// Few levels, so that filters meet names.
    private mutating func drawTopics(_ random: inout SeededGenerator) {
        let levels = ["a", "b", "ä", ""].prefix(2 + Int(random.below(3))).map { Octets($0.utf8) }
        let slash = UInt8(ascii: "/")
        func draw(_ levels: [Octets], _ random: inout SeededGenerator) -> Octets {
            Octets((0...random.below(3)).map { _ in random.pick(levels) }.joined(separator: [slash]))
        }
        let wild = levels + [[UInt8(ascii: "+")]]
        for _ in 0..<(2 + random.below(6)) { names.append(draw(levels, &random)) }
        for _ in 0..<(2 + random.below(8)) { filters.append(draw(wild, &random)) }
        filters += [Octets("#".utf8), random.pick(levels) + Octets("/#".utf8), random.pick(names)]
        if hasShared {
            packetMaxima = []
            // One group: by which of two a client got a message could not be told.
            let group = Octets("$share/g/".utf8) + random.pick(filters)
            filters += [group, group]
        }
        names.removeAll { $0.isEmpty }
        filters.removeAll { $0.isEmpty }
        if names.isEmpty { names = [Octets("a".utf8)] }
    }

    private mutating func drawRules(_ random: inout SeededGenerator) {
        if random.chance(30) { rules.receiveMaximum = random.pick([1, 3, 8]) }
        if random.chance(30) { rules.window = random.pick([1, 2, 5]) }
        if random.chance(20) { rules.sessionExpiryMax = random.pick([3, 50]) }
        if random.chance(20) { rules.keepAliveMax = 30 }
        if random.chance(20) { rules.topicAliasMax = random.pick([0, 2]) }
        if random.chance(10) { rules.qosMax = random.pick([0, 1]) }
        if random.chance(10) { rules.retains = false }
        if random.chance(20) { rules.subscriptionsMax = 3 }
        if random.chance(10), messageExpiries.isEmpty { rules.retainedMax = 2 }
        if random.chance(20) { rules.topicBytesMax = hasShared ? 13 : 8 }
        if random.chance(20) { rules.levelsMax = 3 }
        rules.checksPayloads = random.chance(30)
        if !packetMaxima.isEmpty, !aliasMaxima.isEmpty {
            // Whether an alias makes a message short enough is not foreseen: it must not keep others from coming.
            receiveMaxima = [65_535]
            rules.window = 1_000
        }
        // What a reader holds up, and what a queue drops, is exact only where the other does not interfere.
        if isSlow, random.chance(60) {
            rules.outputBytesMax = 400
        } else if !hasShared {
            if random.chance(25) {
                rules.queuedMessagesMax = random.pick([1, 3, 10])
                rules.whenFull = random.pick([.dropNewest, .dropOldest, .refuse])
            }
            rules.queuesQoS0 = random.chance(20)
        }
    }

    /// The same for the engine.
    var settings: EngineSettings {
        var settings = EngineSettings()
        settings.sysInterval = nil
        settings.connections.receiveMaximum = UInt16(rules.receiveMaximum)
        settings.connections.openMessagesMax = UInt16(rules.openMessagesMax)
        settings.connections.keepAliveMax = UInt16(rules.keepAliveMax)
        settings.connections.retainAvailable = rules.retains
        settings.connections.topicBytesMax = rules.topicBytesMax
        settings.connections.checksPayloadFormat = rules.checksPayloads
        settings.connections.outputBytesMax = rules.outputBytesMax
        settings.broker.inflightMessagesMax = UInt16(rules.window)
        settings.broker.queuedMessagesMax = rules.queuedMessagesMax
        settings.broker.queueFullPolicy =
            switch rules.whenFull {
            case .dropNewest: .dropNewest
            case .dropOldest: .dropOldest
            case .refuse: .refuse
            }
        settings.broker.queuesQoS0 = rules.queuesQoS0
        settings.broker.sessionExpiryMax = rules.sessionExpiryMax
        settings.broker.retainAvailable = rules.retains
        settings.broker.topicBytesMax = rules.topicBytesMax
        settings.broker.topicLevelsMax = rules.levelsMax
        settings.broker.subscriptionsPerSessionMax = rules.subscriptionsMax
        settings.broker.retainedMessagesMax = rules.retainedMax
        var listener = ConnectionLimits.Listener()
        listener.topicAliasMax = UInt16(rules.topicAliasMax)
        listener.qosMax = QoS(rawValue: UInt8(rules.qosMax)) ?? .exactlyOnce
        settings.connections.listeners = [listener]
        return settings
    }
}

extension SeededGenerator {
    /// True in so many of a hundred cases.
    mutating func chance(_ percent: UInt64) -> Bool { below(100) < percent }

    mutating func pick<Element>(_ list: [Element]) -> Element { list[Int(below(UInt64(list.count)))] }
}
