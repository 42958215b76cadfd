package import Bytes
package import Clockwork
internal import MQTTSNWire
package import Messaging

/// The search of a client for gateways (§6.1): SEARCHGW out, GWINFO and ADVERTISE in.
///
/// It asks after a random delay, and again at intervals that double, until a gateway is found. From then on it only
/// listens. When to stop is the caller's to know.
package struct GatewaySearch: Sendable {
    package let settings: Settings
    private var state: State
    private var interval: Duration
    /// Whether SEARCHGW was sent, or heard from another client in our place.
    private var hasAsked = false
    private var known: [Gateway] = []

    /// Gateways told apart: more than there are GwIds, since nobody proves one.
    package static let gatewaysMax = 512
    /// The longest pause between two SEARCHGW.
    private static let intervalMax = Duration.seconds(64)

    private enum State {
        /// The next SEARCHGW leaves then.
        case asking(at: Instant)
        /// There is nothing to ask, or an answer has come.
        case listening
    }

    /// How to search.
    package struct Settings: Equatable, Sendable {
        /// Hops that SEARCHGW goes and its answer comes; 0 for the whole network (§5.3.9).
        package var radius: UInt8 = 1
        /// T_SEARCHGW: the first SEARCHGW waits a random time up to this, so that clients that are switched on
        /// together do not ask together. §7.2 says 5 s; a person at a desk is alone, so none.
        package var delayMax: Duration = .zero
        /// The pause before the second SEARCHGW.
        package var retryInterval: Duration = .seconds(1)
        /// Whether to ask at all, or only to listen for ADVERTISE.
        package var asks = true

        package init() {}
    }

    /// A gateway that was heard of.
    package struct Gateway: Equatable, Sendable {
        package var gwID: UInt8
        /// Who spoke: the gateway, or the client that knows it.
        package var speaker: PeerAddress
        /// GwAdd, as a client gives it (§5.4.3); empty when the gateway itself spoke.
        package var address: ByteString
        /// The time to its next ADVERTISE, in seconds; nil if it spoke by GWINFO.
        package var advertisedSeconds: UInt16?
    }

    /// What must happen because of an event.
    package enum Effect: Equatable, Sendable {
        /// Send this datagram to the gateway asked, or to the group.
        case send(ByteString)
        /// A gateway that was not known yet.
        case found(Gateway)
    }

    /// A search that begins now.
    package init(_ settings: Settings = Settings(), seed: UInt64, now: Instant) {
        self.settings = settings
        interval = settings.retryInterval
        var random = SeededGenerator(seed: seed)
        let delay = Int64(clamping: random.below(settings.delayMax.wholeNanoseconds))
        state = settings.asks ? .asking(at: now + .nanoseconds(delay)) : .listening  // [SN-6.1]
    }
}

extension GatewaySearch {
    /// When to call `advance`; nil if only a datagram can change anything.
    package var nextDeadline: Deadline? {
        if case .asking(let due) = state { due } else { nil }
    }

    /// Does what is due at `now`.
    package mutating func advance(to now: Instant, into effects: inout [Effect]) {
        guard case .asking(let due) = state, due <= now else { return }
        var buffer = OutputBuffer()
        defer { buffer.deallocate() }
        if SNPacket.searchGW(radius: settings.radius).encode(into: &buffer) {
            effects.append(.send(ByteString(buffer.pending)))
        }
        waitForAnswer(from: now)
    }

    /// Takes a datagram. What does not concern a search is passed over.
    package mutating func received(
        _ datagram: ByteView, from speaker: PeerAddress, now: Instant, into effects: inout [Effect]
    ) {
        guard let packet = try? SNPacket.decode(datagram) else { return }
        switch packet {
        case .gwInfo(let gwID, let gwAdd):
            note(Gateway(gwID: gwID, speaker: speaker, address: ByteString(gwAdd)), into: &effects)
        case .advertise(let gwID, let duration):
            note(
                Gateway(gwID: gwID, speaker: speaker, address: ByteString(), advertisedSeconds: duration),
                into: &effects)
        case .searchGW(let radius):
            // Another client asks what we were about to ask: "behaves as if … sent by itself". [SN-6.1]
            if case .asking = state, !hasAsked, radius == settings.radius { waitForAnswer(from: now) }
        default: break
        }
    }

    private mutating func note(_ gateway: Gateway, into effects: inout [Effect]) {
        state = .listening
        guard !known.contains(gateway), known.count < Self.gatewaysMax else { return }
        known.append(gateway)
        effects.append(.found(gateway))
    }

    /// "The time intervals between two consecutive SEARCHGW messages should be increased exponentially." [SN-6.1]
    private mutating func waitForAnswer(from now: Instant) {
        hasAsked = true
        state = .asking(at: now + interval)
        interval = min(interval * 2, Self.intervalMax)
    }
}
