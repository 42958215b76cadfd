internal import BrokerCore
internal import Clockwork
package import Messaging

/// What one world is made of, drawn from its seed: features are switched off entirely as often as on, since a fault
/// that one feature shows another often hides (swarm testing).
package struct Features: Sendable {
    package var clients: Int
    package var devices: Int
    /// How long the trouble lasts.
    package var trouble: Duration
    /// The longest pause between two things that one agent does.
    package var pause: Duration
    package var qualities: [QoS]

    // The network of datagrams; percent.
    package var loss: UInt64
    package var duplication: UInt64
    /// How long a datagram can be under way: different for each, so that they overtake each other.
    package var delay: Duration
    /// Whether a duplicate takes a time of its own. It can then arrive when its handshake is long over.
    package var hasLateCopies: Bool

    // Connections.
    package var hasCuts: Bool
    package var hasFarewells: Bool
    package var splitsBytes: Bool
    package var writesPartially: Bool
    package var isSlow: Bool
    package var holdsAcknowledgements: Bool
    package var hasCleanSessions: Bool

    // Devices.
    package var reboots: Bool
    package var sleeps: Bool
    package var rebinds: Bool
    package var keepsTopicIDs: Bool
    package var hasWildcards: Bool
    package var hasRetained: Bool
    package var hasWills: Bool

    /// Queues so small that they overflow: then nothing is promised but that they stay small.
    package var hasTinyQueues: Bool
    package var hasStatistics: Bool

    /// What the seed says.
    init(_ random: inout SeededGenerator) {
        clients = 1 + Int(random.below(4))
        devices = Int(random.below(4))
        trouble = .seconds(Int64(20 + random.below(100)))
        pause = .milliseconds(Int64(500 + random.below(4_000)))
        let all: [[QoS]] = [
            [.atLeastOnce], [.exactlyOnce], [.atLeastOnce, .exactlyOnce],
            [.atMostOnce, .atLeastOnce, .exactlyOnce], [.atMostOnce],
        ]
        qualities = all[Int(random.below(UInt64(all.count)))]
        loss = random.chance(50) ? random.below(41) : 0
        duplication = random.chance(50) ? 1 + random.below(30) : 0
        delay = random.chance(50) ? .milliseconds(Int64(50 + random.below(1_500))) : .milliseconds(10)
        hasLateCopies = random.chance(30)
        hasCuts = random.chance(60)
        hasFarewells = random.chance(30)
        splitsBytes = random.chance(50)
        writesPartially = random.chance(50)
        isSlow = random.chance(30)
        holdsAcknowledgements = random.chance(40)
        hasCleanSessions = random.chance(30)
        reboots = random.chance(40)
        sleeps = random.chance(40)
        rebinds = random.chance(30)
        keepsTopicIDs = random.chance(30)
        hasWildcards = random.chance(60)
        hasRetained = random.chance(40)
        hasWills = random.chance(30)
        hasTinyQueues = random.chance(15)
        hasStatistics = random.chance(20)
    }
}

extension SeededGenerator {
    /// True in so many of a hundred cases.
    mutating func chance(_ percent: UInt64) -> Bool { below(100) < percent }

    /// A duration up to `longest`.
    mutating func duration(upTo longest: Duration) -> Duration {
        .nanoseconds(Int64(clamping: below(longest.wholeNanoseconds + 1)))
    }

    mutating func pick<Element>(_ list: [Element]) -> Element {
        list[Int(below(UInt64(list.count)))]
    }
}
