internal import Bytes
internal import DequeModule
internal import Messaging

/// One session that gets the messages of a topic: its overlapping subscriptions are already one, at their highest
/// QoS (MQTT 5.0 §3.3.4).
struct RouteEntry {
    /// The session's place, or a group's with `groupMark`.
    var session: UInt32
    var maximumQoS: QoS
    /// Whether every matching subscription excludes the client's own messages [MQTT-3.8.3-3].
    var noLocal: Bool
    /// Whether some do so and others do not.
    var mixesNoLocal = false
    var retainAsPublished: Bool
    var identifiers: Identifiers

    /// None, one, or several: then they are gathered for each delivery, which is rare.
    enum Identifiers: Equatable {
        case none
        case one(UInt32)
        case several
    }
}

extension Broker {
    /// Who gets a message on `topic`; rebuilt only after subscriptions changed.
    mutating func route(of topic: TopicID) -> [RouteEntry] {
        if topics[topic].generation == generation { return topics[topic].route }
        let route = permitted(Self.merged(matches(topic)), on: topic)
        remember(route, of: topic)
        return route
    }

    /// Every topic with every receiver of `#` would be more than fits: what was remembered longest goes, and comes
    /// again where it is used.
    private mutating func remember(_ route: [RouteEntry], of topic: TopicID) {
        if topics[topic].route.isEmpty, !route.isEmpty { routedTopics.append(topic) }
        routeEntries += route.count - topics[topic].route.count
        topics[topic].route = route
        topics[topic].generation = generation
        // A few more go than came, so that the table keeps its size; no more, so that no message pays for many.
        // A route that was empty meanwhile stands in the queue once more, so that is bounded by itself.
        for _ in 0..<forgottenRoutesMax
        where routeEntries > limits.routeEntriesMax || routedTopics.count > limits.routeEntriesMax {
            guard let oldest = routedTopics.popFirst() else { break }
            routeEntries -= topics[oldest].route.count
            topics[oldest].route = []
            topics[oldest].generation = 0
        }
        // Topics that were evicted took their routes with them, and are counted until here.
        if routedTopics.isEmpty { routeEntries = 0 }
    }

    /// Every subscription that matches `topic`, ordered by session.
    private mutating func matches(_ topic: TopicID) -> [Match] {
        var matches: [Match] = []
        exactSubscriptions.append(topics[topic].exact, to: &matches)
        let visited = wildcards.match(topics.name(of: topic), into: &matches)
        counters.matchingWork += UInt64(visited + matches.count)
        // A sort that keeps ties in their order would be as good: entries of one session are merged.
        matches.sort { $0.session < $1.session }
        return matches
    }

    private static func merged(_ matches: [Match]) -> [RouteEntry] {
        var route: [RouteEntry] = []
        route.reserveCapacity(matches.count)
        for match in matches {
            let options = match.options
            guard let last = route.indices.last, route[last].session == match.session else {
                route.append(
                    RouteEntry(
                        session: match.session, maximumQoS: options.maximumQoS, noLocal: options.noLocal,
                        retainAsPublished: options.retainAsPublished,
                        identifiers: options.identifier == 0 ? .none : .one(options.identifier)))
                continue
            }
            route[last].maximumQoS = max(route[last].maximumQoS, options.maximumQoS)
            if route[last].noLocal != options.noLocal { route[last].mixesNoLocal = true }
            route[last].noLocal = route[last].noLocal && options.noLocal
            route[last].retainAsPublished = route[last].retainAsPublished || options.retainAsPublished
            guard options.identifier != 0 else { continue }
            route[last].identifiers = route[last].identifiers == .none ? .one(options.identifier) : .several
        }
        return route
    }

    /// What a client gets of its own message where some of its subscriptions exclude those and others do not: the
    /// others alone count [MQTT-3.8.3-3]. A list of identifiers is the caller's to release.
    mutating func ownDelivery(
        _ entry: RouteEntry, topic: TopicID
    ) -> (entry: RouteEntry, identifiers: SubscriptionIdentifiers) {
        let matches = ownMatches(entry, topic: topic)
        let identifiers = matches.map(\.options.identifier).filter { $0 != 0 }
        let own = Self.merged(matches).first ?? entry
        switch identifiers.count {
        case 0: return (own, .none)
        case 1: return (own, .one(identifiers[0]))
        default: return (own, identifierLists.insert(identifiers))
        }
    }

    /// The highest QoS at which a client gets its own message.
    mutating func ownMaximumQoS(_ entry: RouteEntry, topic: TopicID) -> QoS {
        ownMatches(entry, topic: topic).map(\.options.maximumQoS).max() ?? .atMostOnce
    }

    private mutating func ownMatches(_ entry: RouteEntry, topic: TopicID) -> [Match] {
        matches(topic).filter { $0.session == entry.session && !$0.options.noLocal }
    }

    /// The identifiers for one delivery; a list among them is the caller's to release. The entries of a route are
    /// asked for in their order, all with the same `overlaps`.
    mutating func identifiers(
        for entry: RouteEntry, topic: TopicID, _ overlaps: inout Overlaps
    ) -> SubscriptionIdentifiers {
        switch entry.identifiers {
        case .none: return .none
        case .one(let identifier): return .one(identifier)
        case .several:
            if overlaps.matches.isEmpty { overlaps.matches = matches(topic) }
            return identifierLists.insert(overlaps.identifiers(of: entry.session))
        }
    }
}

/// How many remembered routes one message may push out.
private let forgottenRoutesMax = 64

/// The matches of one topic, gathered once for all deliveries of a message that need several identifiers: asked session
/// by session, in the order of both, so that a message costs no more than its matches.
struct Overlaps {
    /// Ordered by session.
    var matches: [Match] = []
    private var next = 0

    /// Every identifier of a session, which comes after those that were asked for before.
    mutating func identifiers(of session: UInt32) -> [UInt32] {
        while next < matches.count, matches[next].session < session { next += 1 }
        var identifiers: [UInt32] = []
        while next < matches.count, matches[next].session == session {
            if matches[next].options.identifier != 0 { identifiers.append(matches[next].options.identifier) }
            next += 1
        }
        return identifiers
    }
}
