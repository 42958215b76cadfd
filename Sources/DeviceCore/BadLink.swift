package import Bytes
package import Clockwork
package import Messaging

/// A radio link that loses, delays and doubles datagrams, between a device and its gateway.
///
/// Datagrams go in with the time and come out when they arrive; delays that differ let them overtake each other. No
/// clock and no chance but the seed: the same datagrams at the same times fare the same. The two directions draw
/// their luck apart, and a datagram takes the same draws whatever becomes of it, so that a change of one setting does
/// not shuffle the rest.
package struct BadLink: Sendable {
    package let settings: Settings
    private var up: SeededGenerator
    private var down: SeededGenerator
    /// By arrival, then in the order in which they set out.
    private var passages: [Passage] = []

    /// Datagrams under way at once; more are lost, as they are in full buffers.
    package static let passagesMax = 1_024

    package init(_ settings: Settings = Settings(), seed: UInt64 = 0) {
        self.settings = settings
        var seeds = SeededGenerator(seed: seed)
        up = SeededGenerator(seed: seeds.next())
        down = SeededGenerator(seed: seeds.next())
    }

    /// How bad the link is. By itself it is perfect.
    package struct Settings: Equatable, Sendable {
        /// Lost, percent.
        package var loss: UInt64 = 0
        /// Doubled, percent of those that arrive.
        package var duplication: UInt64 = 0
        /// The time under way; each copy of a doubled datagram takes its own.
        package var delay: ClosedRange<Duration> = .zero ... .zero

        package init() {}
    }

    /// Which way a datagram goes.
    package enum Direction: Equatable, Sendable {
        /// To the gateway.
        case up
        /// To the device.
        case down
    }

    /// What becomes of a datagram.
    package enum Fate: Equatable, Sendable {
        case lost
        /// Arrives after that time.
        case carried(Duration)
        /// Arrives twice.
        case doubled(Duration, Duration)
    }

    /// A datagram under way.
    package struct Passage: Equatable, Sendable {
        package let direction: Direction
        package let datagram: ByteString
        /// Who sent it, as the caller said.
        package let peer: PeerAddress
        package let due: Instant
    }
}

extension BadLink {
    /// Sends a datagram on its way.
    package mutating func take(
        _ datagram: ByteString, _ direction: Direction, from peer: PeerAddress = .unspecified, now: Instant
    ) -> Fate {
        let fate = direction == .up ? draw(&up) : draw(&down)
        let delays: [Duration]
        switch fate {
        case .lost: delays = []
        case .carried(let delay): delays = [delay]
        case .doubled(let first, let second): delays = [first, second]
        }
        guard passages.count + delays.count <= Self.passagesMax else { return .lost }
        for delay in delays {
            insert(Passage(direction: direction, datagram: datagram, peer: peer, due: now + delay))
        }
        return fate
    }

    /// When the next datagram arrives; nil if none is under way.
    package var nextDeadline: Deadline? { passages.first?.due }

    /// Whether datagrams to the gateway are under way.
    package var isCarryingUp: Bool { passages.contains { $0.direction == .up } }

    /// The next datagram that has arrived by `now`. Call it until it answers nil.
    package mutating func arrived(by now: Instant) -> Passage? {
        guard let first = passages.first, first.due <= now else { return nil }
        return passages.removeFirst()
    }

    private func draw(_ random: inout SeededGenerator) -> Fate {
        let isLost = random.below(100) < settings.loss
        let isDoubled = random.below(100) < settings.duplication
        let delays = (first: delay(&random), second: delay(&random))
        if isLost { return .lost }
        return isDoubled ? .doubled(delays.first, delays.second) : .carried(delays.first)
    }

    private func delay(_ random: inout SeededGenerator) -> Duration {
        let shortest = settings.delay.lowerBound.wholeNanoseconds
        let span = settings.delay.upperBound.wholeNanoseconds - shortest
        let chance = random.below(span == .max ? span : span + 1)
        return .nanoseconds(Int64(clamping: shortest + chance))
    }

    private mutating func insert(_ passage: Passage) {
        let place = passages.firstIndex { $0.due > passage.due } ?? passages.endIndex
        passages.insert(passage, at: place)
    }
}
