internal import Clockwork
internal import Messaging

/// What forwarders take of the limits that hold for all strangers together: one may have half of each, so that a
/// network gone mad leaves something for the others [D-90].
struct ForwarderShares {
    private struct Share {
        /// The forwarder's, without the port.
        var address: PeerAddress
        var replies: RateLimiter
        var searches: RateLimiter
        var publishes: RateLimiter
        var used: Instant
    }

    /// Forwarders that are remembered; for a new one the one is forgotten that was silent for longest. Where that
    /// happens often, the limits for all still hold.
    static let forwardersMax = 64

    private let fresh: (replies: RateLimiter, publishes: RateLimiter)
    private var shares: [Share] = []

    init(_ configuration: Gateway.Configuration) {
        fresh = (
            RateLimiter(perSecond: Self.half(of: configuration.strangerRepliesPerSecond)),
            RateLimiter(perSecond: Self.half(of: configuration.anonymousPublishesPerSecond))
        )
    }

    /// Of one there is no half, and none is none.
    private static func half(of limit: Int) -> Int { limit <= 1 ? limit : limit / 2 }

    /// Whether a stranger behind this forwarder is answered once more.
    mutating func allowReply(_ path: DatagramPath, at now: Instant) -> Bool {
        let place = place(of: path, now)
        return shares[place].replies.allows(at: now)
    }

    /// Whether a search that comes through this forwarder is answered.
    mutating func allowSearch(_ path: DatagramPath, at now: Instant) -> Bool {
        let place = place(of: path, now)
        return shares[place].searches.allows(at: now)
    }

    /// Whether a PUBLISH at QoS -1 from a stranger behind this forwarder is taken.
    mutating func allowPublish(_ path: DatagramPath, at now: Instant) -> Bool {
        let place = place(of: path, now)
        return shares[place].publishes.allows(at: now)
    }

    private mutating func place(of path: DatagramPath, _ now: Instant) -> Int {
        let address = path.remote.with(port: 0)
        let share = Share(
            address: address, replies: fresh.replies, searches: fresh.replies, publishes: fresh.publishes, used: now)
        if let place = shares.firstIndex(where: { $0.address == address }) {
            shares[place].used = now
            return place
        }
        if shares.count < Self.forwardersMax {
            shares.append(share)
            return shares.count - 1
        }
        let place = shares.indices.min { shares[$0].used < shares[$1].used } ?? 0
        shares[place] = share
        return place
    }
}

/// What one forwarder may take of what all share [D-90].
extension Gateway {
    /// Whether one more device may be there, as far as its forwarder is concerned.
    mutating func hasRoom(behind path: DatagramPath) -> Bool {
        guard path.node != 0 else { return true }
        let count = table.nodes.recordCount(behind: path)
        if count < configuration.devicesPerForwarderMax { return true }
        counters.forwardersFull += 1
        logSparingly(.forwarderFull(DeviceAddress(path.remote), devices: count))
        return false
    }

    /// Whether a stranger is answered: within the limit for all, and within its forwarder's share [D-16].
    mutating func mayAnswerStranger(at path: DatagramPath) -> Bool {
        guard path.node == 0 || shares.allowReply(path, at: now.instant) else { return false }
        return strangerReplies.allows(at: now.instant)
    }

    /// Whether SEARCHGW is answered, likewise, by a limit of its own: strays are not to keep devices from finding us.
    mutating func mayAnswerSearch(from path: DatagramPath) -> Bool {
        guard path.node == 0 || shares.allowSearch(path, at: now.instant) else { return false }
        return searchReplies.allows(at: now.instant)
    }

    /// Whether a PUBLISH at QoS -1 is taken from a stranger, likewise.
    mutating func mayPublishAsStranger(at path: DatagramPath) -> Bool {
        guard path.node == 0 || shares.allowPublish(path, at: now.instant) else { return false }
        return anonymousPublishes.allows(at: now.instant)
    }
}
