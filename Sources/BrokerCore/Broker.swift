package import Bytes
package import Clockwork
internal import DequeModule
package import Journal
package import Messaging

/// Topics, sessions and messages: what MQTT and MQTT-SN share, with no wire and no clock.
///
/// Requests of links come in with the time, answers go out; `nextDeadline` says when to call `advance(to:)`.
/// Links are named by the fronts; a link has a session from `attach` to `detach` or `close`.
package struct Broker {
    private let passedByAddress = PassedByAddress()
    package let limits: BrokerLimits
    package internal(set) var counters = BrokerCounters()

    var topics: TopicTable<TopicRecord>
    /// Subscriptions to names without wildcards, a list for each topic.
    var exactSubscriptions: SubscriberLists
    var wildcards: SubscriptionTree
    var retainedTopics: RetainedTree
    /// Moves on whenever a wildcard subscription changes: routes of an older generation are rebuilt when next used.
    var generation: UInt32 = 1

    /// Shared subscriptions stand in `topics` and `wildcards` once for each group, under `groupMark`.
    var shared: SharedGroups
    /// Who may do what, and how often that was changed.
    var accessRules = AccessRuleSets.allowAll
    /// Who publishes without a session right now, at QoS -1.
    var stranger = ClientIdentity.anonymous
    var accessGeneration: UInt32 = 1
    /// Whether anybody is denied anything: false costs a branch where rules would be asked.
    var isRestricted = false
    var publishers = PublisherTable()

    var messages = MessageTable()
    var identifierLists = IdentifierLists()
    /// What nobody holds any more but answers may still show: freed with the next event.
    var dyingMessages: [MessageHandle] = []
    var dyingLists: [SubscriptionIdentifiers] = []
    /// The message that passes through right now, as `MessageHandle.passing`.
    var passing: Passing?
    var lastSerial: UInt64 = 0

    var sessions: [Session] = []
    var freeSessions: [Int] = []
    /// From the hashes of client ids to places in `sessions`.
    var sessionNames = HashSlots()
    let nameHashing: ByteHash
    /// What sessions of devices say of their queues.
    var sleepRules = SleepRules()
    /// Session of each link, by slot; -1 for none.
    var connectionSessions: [Int32] = []
    var deviceSessions: [Int32] = []
    /// Sessions with deliveries left when their share of a turn was used up.
    var line = SlotLine()
    /// Sessions that wait for a search through the retained topics, and what this turn's searches may still cost.
    var searchLine = SlotLine()
    var searchNodesLeft = 0
    var searchInstant = Instant(nanoseconds: 0)
    /// Two timers for each session: its expiry, and its will's delay.
    var timers = TimerWheel()

    var gauges_ = BrokerGauges()
    var heldRetainedBytes = 0
    /// Retained messages under `$`, which only the broker itself publishes.
    var ownRetained = 0
    var ownRetainedBytes = 0
    var retainedOverhead = 0
    /// Places taken in all queues.
    var queuedDeliveries = 0
    var changedQueues = ChangedQueues()
    /// Messages that the room of all queues was too small for, since it last was large enough.
    var turnedAwayByAll: UInt64 = 0
    /// How many deliveries that links cannot carry may still be followed by the next one in this turn.
    var abandonsLeft = 0
    var abandonInstant = Instant(nanoseconds: 0)
    /// What a message that is asked about would take (`refuse`).
    var claims = RoomClaims()
    /// Entries of all routes that topics remember, at most, and the topics that remember them: the oldest are
    /// forgotten when there are too many.
    var routeEntries = 0
    var routedTopics: Deque<TopicID> = []
    /// The next session to be told that the server goes.
    var nextToShutDown = 0
    var random: SeededGenerator
    /// Whether what is passed on now is told to the journal as such: its deliveries at QoS 0 wait for that.
    var passesRecorded = false
    /// Whether nothing can be kept for now, so that nobody is promised anything.
    var refusesPromises = false
    /// What must survive a crash, since the adapter last took it.
    package var journal: Journal
    /// Which of the messages that wait are in memory.
    var queuedMemory: QueuedMemory
    /// Properties and payloads of those that wait in the parts of their sessions and need not be there, in bytes.
    var keptBytes = 0

    package init(limits: BrokerLimits = BrokerLimits(), seed: UInt64) {
        self.limits = limits
        var generator = SeededGenerator(seed: seed)
        topics = TopicTable(seed: generator.next(), empty: TopicRecord())
        exactSubscriptions = SubscriberLists(seed: generator.next())
        wildcards = SubscriptionTree(seed: generator.next())
        retainedTopics = RetainedTree(seed: generator.next())
        shared = SharedGroups(seed: generator.next())
        // A seed of its own: what the generator gives next shows in client ids.
        nameHashing = ByteHash(seed: ~seed)
        random = generator
        journal = Journal(isOn: limits.isDurable)
        queuedMemory = QueuedMemory(isOn: limits.isDurable)
    }

    /// One request of a link. Views in it need to live only during this call; a `passing` message in the answers
    /// lives until the next one.
    package mutating func handle(
        _ request: LinkRequest, from link: LinkID, now: Now, into effects: inout BrokerEffects
    ) {
        sweep()
        switch request {
        case .attach(let offer):
            counters.attachRequests += 1
            return attachRequested(offer, link: link, now: now, into: &effects)
        // A device's topic ids outlive its link, and its record lets them go when its session is over.
        case .keep(let topic): return topics.keep(topic)
        case .forget(let topic): return topics.forget(topic)
        default: break
        }
        guard let session = session(of: link) else { return }
        switch request {
        case .attach, .keep, .forget: break
        case .detach(let farewell):
            detach(session, farewell, now: now, into: &effects)
        case .publish(let publish):
            publishReceived(publish, from: session, link: link, now: now, into: &effects)
        case .release(let identifier):
            releaseReceived(identifier, session: session, link: link, now: now, into: &effects)
        case .acknowledge(let acknowledgement):
            acknowledgementReceived(acknowledgement, session: session, link: link, now: now, into: &effects)
        case .delivered:
            deliveredReceived(session, now: now, into: &effects)
        case .abandon(let identifier):
            abandonReceived(identifier, session: session, now: now, into: &effects)
        case .window(let isOpen):
            windowChanged(isOpen, session: session, now: now, into: &effects)
        case .subscribe(let identifier, let requests):
            subscribeReceived(identifier, requests, session: session, link: link, now: now, into: &effects)
        case .unsubscribe(let identifier, let filters):
            unsubscribeReceived(identifier, filters, session: session, link: link, now: now, into: &effects)
        case .resolve(let token, let name):
            resolveReceived(token, name, link: link, into: &effects)
        case .setWill(let will):
            willChanged(will, session: session)
        }
    }

    /// `.acknowledge` by itself.
    package mutating func handle(
        _ acknowledgement: Acknowledgement, from link: LinkID, now: Now, into effects: inout BrokerEffects
    ) {
        sweep()
        guard let session = session(of: link) else { return }
        acknowledgementReceived(acknowledgement, session: session, link: link, now: now, into: &effects)
    }

    /// `.release` by itself.
    package mutating func handle(
        release identifier: UInt16, from link: LinkID, now: Now, into effects: inout BrokerEffects
    ) {
        sweep()
        guard let session = session(of: link) else { return }
        releaseReceived(identifier, session: session, link: link, now: now, into: &effects)
    }

    /// `.publish` by itself: the request that comes most often.
    package mutating func handle(
        _ publish: IncomingPublish, from link: LinkID, now: Now, into effects: inout BrokerEffects
    ) {
        sweep()
        guard let session = session(of: link) else { return }
        publishReceived(publish, from: session, link: link, now: now, into: &effects)
    }

    /// When `advance(to:)` is due; nil when only a request can change anything.
    package var nextDeadline: Deadline? {
        line.isEmpty && searchLine.isEmpty ? timers.nextDeadline : Instant(nanoseconds: 0)
    }

    /// Does what is due: session expiry, will delays, and the next share of long deliveries.
    package mutating func advance(to now: Now, into effects: inout BrokerEffects) {
        sweep()
        // Wills of very many sessions, each for very many, are published by turns.
        while effects.list.count < effectsPerTurn, let timer = timers.expire(to: now.instant) {
            let session = timer >> 1
            if timer & 1 == 0 {
                counters.sessionsExpired += 1
                end(session, now: now, into: &effects)
            } else {
                publishPendingWill(session, now: now, into: &effects)
            }
        }
        abandonsLeft = abandonsPerTurn
        for _ in 0..<line.count {
            guard let session = line.popFirst() else { break }
            sessions[session].isInLine = false
            drain(session, now: now, into: &effects)
        }
        // Whoever waited for these bytes has had its turn.
        if queuedMemory.isOn { keepArrived() }
        if !searchLine.isEmpty { searchInLine(now: now, into: &effects) }
    }

    /// A message as the fronts write it out; valid until the next request.
    package func message(_ handle: MessageHandle, now: Now) -> MessageView? {
        guard let passing = handle == .passing ? passing : messages.passing(handle) else { return nil }
        precondition(passing.evictedCount == 0, "a message is shown whose bytes are on disk")
        var remaining: UInt32?
        if passing.expiresAt != .max {
            remaining = UInt32(clamping: max(passing.expiresAt - now.unixSeconds, 0))
        }
        return MessageView(
            serial: passing.serial, topic: passing.topic, topicName: topics.name(of: passing.topic),
            properties: passing.properties, payload: passing.payload, messageExpiryInterval: remaining)
    }

    /// The identifiers of a delivery that carries a list.
    package func identifiers(at index: Int) -> [UInt32] {
        identifierLists[index]
    }

    /// The name of a topic that somebody keeps.
    package func name(of topic: TopicID) -> ByteView {
        topics.name(of: topic)
    }

    /// The client id behind a link.
    package func clientID(of link: LinkID) -> ClientID? {
        session(of: link).map { sessions[$0].clientID }
    }

    /// What is held right now.
    package var gauges: BrokerGauges {
        var gauges = gauges_
        gauges.offlineSessions = sessionNames.count - gauges.connectedClients - gauges.connectedDevices
        gauges.retainedBytes = heldRetainedBytes
        gauges.sharedSubscriptions = shared.memberCount
        gauges.heldMessages = messages.count - gauges.retainedMessages
        gauges.heldBytes = messages.bytes - heldRetainedBytes
        gauges.heldBytesOnDisk = messages.evictedBytes
        gauges.topics = topics.count
        return gauges
    }

    /// Gives all memory back that is held by hand. The broker is not to be used afterwards.
    package mutating func tearDown() {
        messages.removeAll()
        journal.deallocate()
    }

    /// Frees what the answers to the event before could still show.
    mutating func sweep() {
        passing = nil
        if !dyingLists.isEmpty {
            for list in dyingLists { identifierLists.release(list) }
            dyingLists.removeAll(keepingCapacity: true)
        }
        if !queuedMemory.suspects.isEmpty { settleMemory() }
        guard !dyingMessages.isEmpty else { return }
        for message in dyingMessages {
            journalFreed(message)
            topics.forget(messages.free(message))
        }
        dyingMessages.removeAll(keepingCapacity: true)
    }
}

/// What a filter of a SUBSCRIBE or UNSUBSCRIBE costs, where a delivery costs one.
let workPerFilter: UInt64 = 4

/// How many effects end the expiries of a turn, and a step of the shutdown.
let effectsPerTurn = 10_000

/// What the broker knows of a topic, beside its name.
struct TopicRecord {
    /// The first subscriber whose filter is this very name.
    var exact = noSubscriber
    /// Who gets a message on this topic; good while `generation` is the broker's.
    var route: [RouteEntry] = []
    /// 0 when the route must be rebuilt.
    var generation: UInt32 = 0
    var retained: RetainedMessage?
}

/// A topic's retained message.
struct RetainedMessage {
    var message: MessageHandle
    var qos: QoS
    /// Who published it, in the table of publishers; 0 for the broker itself.
    var publisher: UInt32 = 0
}
