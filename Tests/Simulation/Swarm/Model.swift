/// What becomes of a message that finds a queue full [M-10].
enum WhenFull { case dropNewest, dropOldest, refuse }

/// What the server is set to: the model's own view of the settings.
struct Rules {
    /// Receive Maximum towards MQTT 5 clients, and the same for those that cannot be told.
    var receiveMaximum = 20
    var openMessagesMax = 1_000
    /// Messages that the server sends before one is acknowledged.
    var window = 20
    var queuedMessagesMax = 1_000
    var whenFull = WhenFull.dropNewest
    var queuesQoS0 = false
    var sessionExpiryMax = UInt32.max
    var keepAliveMax = 65_535
    var topicAliasMax = 16
    var qosMax = 2
    var retains = true
    var topicBytesMax = 1_024
    var levelsMax = 64
    var subscriptionsMax = 4_096
    var retainedMax = 100_000
    var outputBytesMax = 256 << 10
    var checksPayloads = false
}

/// An application message as the server took it.
struct Message {
    var topic: Octets
    var payload: Octets
    /// What travels with it unaltered (§3.3.2.3).
    var properties: [Property]
    var qos: Int
    var publisher: Octets
    /// Seconds since 1970.
    var expiresAt: Int64?
}

struct Subscription {
    var filter: Octets
    var qos: Int
    var noLocal: Bool
    var retainAsPublished: Bool
    var identifier: Int?
}

/// One message for one session. The session and the connection that carries it see the same one.
final class Delivery {
    let message: Message
    let qos: Int
    let retain: Bool
    /// Sorted.
    let identifiers: [Int]
    /// Whether it is owed to a subscription.
    let isRetainedReply: Bool
    /// Whether it waits for a slow reader even at QoS 0, as what was queued does.
    let canWait: Bool
    /// The shared subscription that it came by.
    let group: Octets?
    /// When it was sent first, in the order of all.
    var sentNumber = 0
    /// From its first sending on.
    var packetID: Int?
    /// Whether it was given to a connection, the present or one before.
    var wasSent = false
    /// Whether it was given to the present connection.
    var isInFlight = false
    /// Whether it is too long but for a topic alias, which the server may have given or not.
    var mayBeTooLong = false
    /// Whether PUBREC came.
    var isReleased = false

    init(
        _ message: Message, qos: Int, retain: Bool, identifiers: [Int], isRetainedReply: Bool = false,
        canWait: Bool = true, group: Octets? = nil
    ) {
        self.group = group
        self.message = message
        self.qos = qos
        self.retain = retain
        self.identifiers = identifiers
        self.isRetainedReply = isRetainedReply
        self.canWait = canWait
    }
}

/// A subscription that is owed retained messages: those that there were, in any order, or what has taken their places
/// when their turn comes. What is retained while the others are awaited may come too.
struct Search {
    var filter: Octets
    var qos: Int
    var identifiers: [Int]
    /// Topics that have to come, those that have come, and what they have retained since the SUBSCRIBE.
    var owed: [Octets]
    var sent: [Octets] = []
    var candidates: [Message]
}

/// Session state (§4.1).
struct Session {
    var clientID: Octets
    /// The connection, while there is one.
    var link: Int?
    var expiry: UInt32 = 0
    var endsAt: UInt64?
    var will: Publish?
    var willDueAt: UInt64?
    var subscriptions: [Subscription] = []
    /// Messages that are not through: QoS 1 and 2 until their last acknowledgement, in order.
    var unfinished: [Delivery] = []
    var searches: [Search] = []
    /// Every way in which it ever asked for shared messages: what waits keeps the way in which it was asked for.
    var sharedOptions: [Subscription] = []
    /// QoS 2 from the client, between PUBLISH and PUBREL.
    var received: [(id: Int, message: Message, retain: Bool)] = []

    var inFlight: Int { unfinished.count { $0.isInFlight } }
    var waiting: Int { unfinished.count { !$0.isInFlight } }
    /// Messages that the client was sent on this connection and has not acknowledged.
    func onWire(_ link: Link) -> Int {
        unfinished.count { delivery in delivery.isInFlight && !link.due.contains { $0.delivery === delivery } }
    }
}

/// What has to be said on a connection, now.
struct Due {
    var delivery: Delivery
    /// PUBREL once more, not PUBLISH.
    var isRelease: Bool
}

/// A connection as the server has to see it.
struct Link {
    enum Phase { case opened, connected, closing, gone }
    var phase = Phase.opened
    var clientID: Octets = []
    var version = Version.v311
    var heardAt: UInt64 = 0
    var silenceMax: UInt64?
    /// The client's Receive Maximum, and the most bytes of a packet that it takes.
    var receiveMaximum = 65_535
    var packetBytesMax = Int.max
    var topicAliasMax = 0
    var hidesProblems = false
    var sessionEndsHere = false
    var aliasesUp: [Int: Octets] = [:]
    var aliasesDown: [Int: Octets] = [:]
    var answers: [Answer] = []
    var due: [Due] = []
    /// What the session was owed when it lost this connection: some of it may have been said before.
    var lastSearches: [Search] = []
}

/// What the server has to say, beside messages.
enum Answer {
    case connack(isPresent: Bool, codes: [UInt8], assigned: Bool, expiry: UInt32?, keepAlive: Int?)
    case step(Step, id: Int, codes: [UInt8])
    case suback(id: Int, [[UInt8]])
    case unsuback(id: Int, [[UInt8]])
    case pingresp
    case disconnect(codes: [UInt8])
}

/// What became of deliveries.
struct Tally: Equatable {
    var owed = 0
    var sentFirst = 0
    var sentAgain = 0
    var expired = 0
    var droppedFull = 0
    var droppedSlow = 0
    /// Never sent, and sent to the same client when it took more.
    var tooLarge = 0
    var tooLargeLater = 0
    /// With a session that ended: never sent, and sent but not acknowledged.
    var discardedUnsent = 0
    var discardedSent = 0
}

/// A broker as the standard describes it, and no more: lists that are searched from the front, and matching by
/// recursion. It is told what clients send, and says what the server has to send to whom; what the server did send is
/// held against that.
struct Model {
    let rules: Rules
    /// A rule that is broken on purpose: the checks must notice it.
    let mutation: Mutation?
    /// Nanoseconds.
    var now: UInt64
    var sessions: [Session] = []
    var links: [Link] = []
    var retained: [Message] = []
    var shared: [SharedMessage] = []
    var tally = Tally()
    var faults: [String] = []
    var nameless = 0

    init(rules: Rules, mutation: Mutation?, now: UInt64) {
        self.rules = rules
        self.mutation = mutation
        self.now = now
    }

    var wallSeconds: Int64 { 1_700_000_000 + Int64(now / 1_000_000_000) }

    func session(of clientID: Octets) -> Int? { sessions.firstIndex { $0.clientID == clientID } }
    func session(on link: Int) -> Int? { sessions.firstIndex { $0.link == link } }

    // MARK: - Connections

    mutating func opened() -> Int {
        links.append(Link(heardAt: now))
        return links.count - 1
    }

    /// The network connection is gone, without DISCONNECT.
    mutating func ended(_ link: Int) {
        if let session = session(on: link) { detach(session, publishesWill: true) }
        links[link].phase = .gone
    }

    /// The server ends the connection; an MQTT 5 client hears why.
    mutating func close(_ link: Int, _ codes: [UInt8], publishesWill: Bool = true) {
        guard links[link].phase == .opened || links[link].phase == .connected else { return }
        if links[link].phase == .connected, links[link].version == .v5, !codes.isEmpty {
            links[link].answers.append(.disconnect(codes: codes))
        }
        links[link].phase = .closing
        if let session = session(on: link) { detach(session, publishesWill: publishesWill) }
    }

    /// The session has no connection any more: its will, its end (§3.1.2.5, §3.1.2.11.2).
    mutating func detach(_ index: Int, publishesWill: Bool, expiry: UInt32? = nil) {
        if let link = sessions[index].link { links[link].lastSearches = sessions[index].searches }
        sessions[index].link = nil
        if let expiry { sessions[index].expiry = min(expiry, rules.sessionExpiryMax) }
        for delivery in sessions[index].unfinished { delivery.isInFlight = false }
        let clientID = sessions[index].clientID
        let seconds = sessions[index].expiry
        if seconds != .max { sessions[index].endsAt = now + UInt64(seconds) * 1_000_000_000 }
        if publishesWill, let will = sessions[index].will {
            let delay = mutation == .willWithoutDelay ? 0 : will.properties.number(ID.willDelay) ?? 0
            if delay == UInt32.max, seconds == .max {
                sessions[index].willDueAt = .max
            } else {
                sessions[index].willDueAt = now + UInt64(min(delay, Int(seconds))) * 1_000_000_000
            }
        } else {
            sessions[index].will = nil
        }
        if sessions[index].willDueAt == now { publishWill(clientID) }
        if seconds == 0, let index = session(of: clientID) { end(index) }
    }

    mutating func publishWill(_ clientID: Octets) {
        guard let index = session(of: clientID), let will = sessions[index].will, sessions[index].willDueAt != nil
        else { return }
        sessions[index].will = nil
        sessions[index].willDueAt = nil
        if mutation == .noWills { return }
        let properties = will.properties.filter { $0.id != ID.willDelay }
        _ = distribute(
            message(Publish(topic: will.topic, qos: will.qos, properties: properties, payload: will.payload), clientID),
            retain: will.retain)
    }

    /// The session ends: a will that waited goes out now, the rest is forgotten.
    mutating func end(_ index: Int) {
        publishWill(sessions[index].clientID)
        for delivery in sessions[index].unfinished where !delivery.isReleased {
            if delivery.wasSent { tally.discardedSent += 1 } else { tally.discardedUnsent += 1 }
            handOver(delivery)
        }
        sessions.remove(at: index)
    }

    // MARK: - Time

    /// The next instant at which something has to happen of itself.
    var nextDeadline: UInt64? {
        let ends = sessions.compactMap { $0.link == nil ? $0.endsAt : nil }
        let wills = sessions.compactMap { $0.link == nil ? $0.willDueAt : nil }
        return (ends + wills + links.compactMap { deadline(of: $0) }).min()
    }

    private func deadline(of link: Link) -> UInt64? {
        switch link.phase {
        case .opened: link.heardAt + 5_000_000_000
        case .connected: link.silenceMax.map { link.heardAt + $0 }
        case .closing, .gone: nil
        }
    }

    /// Lets everything happen that is due.
    mutating func advance(to time: UInt64) {
        while let next = nextDeadline, next <= time {
            now = max(now, next)
            if let link = links.indices.first(where: { deadline(of: links[$0]) == next }) {
                close(link, [0x8D])  // [MQTT-3.1.2-22]
            } else if let session = sessions.first(where: { $0.link == nil && $0.willDueAt == next }) {
                publishWill(session.clientID)  // [MQTT-3.1.3-9]
            } else if let index = sessions.firstIndex(where: { $0.link == nil && $0.endsAt == next }) {
                end(index)
            }
        }
        now = max(now, time)
    }

    /// Bytes came: that they are no whole packet yet does not matter [M-01].
    mutating func heard(_ link: Int) {
        if links[link].phase == .connected { links[link].heardAt = now }
    }
}
