internal import Clockwork

extension Gateway {
    /// A multicast group on one interface, where devices of a listener look for a gateway.
    package struct GroupLink: Hashable, Sendable {
        /// The listener that the group leads to.
        package var listener: UInt16
        /// Which of the listener's groups and interfaces, counted from 0.
        package var number: UInt16

        package init(listener: UInt16, number: UInt16) {
            self.listener = listener
            self.number = number
        }
    }
}

/// When the gateway speaks in its groups, and how far (§6.1).
struct Discovery {
    /// What is due in one group on one interface.
    struct Link {
        let name: Gateway.GroupLink
        /// When a search is answered; nil when none waits.
        var answerDue: Instant?
        /// How far the answer goes: as far as the widest search that it answers.
        var hops: UInt8 = 0
        /// No answer before: so many searches cost no more than one.
        var restsUntil = Instant(nanoseconds: 0)
    }

    /// What is due in all groups of one listener.
    struct Announcer {
        let listener: UInt16
        let interval: UInt16
        let linkCount: UInt16
        let hops: UInt8
        /// The next ADVERTISE.
        var due: Instant
        /// No further log line about a gateway with our GwId before.
        var warnsFrom = Instant(nanoseconds: 0)
    }

    var links: [Link] = []
    var announcers: [Announcer] = []
    /// Whether the gateway serves: only then it speaks.
    var isServing = false
    /// The soonest thing that is due; nil if nothing is.
    private(set) var nextDeadline: Deadline?

    /// Nanoseconds that gateways of one group spread their answers over. Clients that answer for a gateway spread
    /// theirs over T_GWINFO, 5 s (§7.2), so that nearly always a gateway comes first.
    static let answerSpread: UInt64 = 500_000_000
    /// The least time between two answers in one group on one interface.
    static let answerPause: Duration = .seconds(1)
    /// Nanoseconds that gateways which start together spread their first ADVERTISE over.
    static let startSpread: UInt64 = 1_000_000_000
    /// How often one listener logs that somebody else has its GwId.
    static let warningPause: Duration = .seconds(3600)

    mutating func updateDeadline() {
        guard isServing else { return nextDeadline = nil }
        nextDeadline = (links.compactMap { $0.answerDue } + announcers.map { $0.due }).min()
    }
}
