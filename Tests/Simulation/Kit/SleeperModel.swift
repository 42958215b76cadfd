internal import Bytes
internal import Messaging

/// Sleeping devices and what waits for them, as the standard and D-17, D-22, D-34, D-75 to D-77, D-80 and D-81 say:
/// lists that are searched from the front. It is told what happens, and says what each device has to hear.
struct SleeperModel {
    let rules: SleeperRules
    let mutation: SleeperMutation?
    var sleepers: [Sleeper]
    /// What came of all deliveries that nobody heard.
    var dropped = 0
    var replaced = 0
    var expired = 0
    var tooLong = 0
    /// What somebody who subscribes to everything has to hear, since it was last looked at.
    var published: [Heard] = []
    /// Seconds since 1970.
    private(set) var wallSeconds: Int64 = 0

    /// A message as a subscriber hears it.
    struct Heard: Equatable {
        var topic: ByteString
        var payload: ByteString
        var qos: QoS
    }

    /// A message that waits.
    struct Waiting {
        var heard: Heard
        /// Seconds since 1970.
        var takenAt: Int64
        /// Whether it was under way before, so that the device may have it.
        var isKnown = false

        var size: Int { heard.payload.count }
    }

    enum Place: Equatable {
        /// Without a connection: never there, gone, or lost.
        case away
        case active
        /// Until when it must be heard of, in nanoseconds.
        case asleep(until: UInt64)
    }

    struct Sleeper {
        let number: Int
        var place = Place.away
        var seconds: UInt16 = 0
        var subscriptions: [(filter: ByteString, qos: QoS)] = []
        /// What the device has not acknowledged, while its connection lasts.
        var inFlight: Waiting?
        /// Those that were under way come first.
        var queue: [Waiting] = []
        var will: Will?
        /// Whether nothing reaches it just now.
        var isDeaf = false
        /// What it has to hear, since it was last looked at.
        var heard: [Heard] = []

        var queuedBytes: Int { queue.reduce(0) { $0 + $1.size } }
    }

    init(rules: SleeperRules, devices: Int, mutation: SleeperMutation?) {
        self.rules = rules
        self.mutation = mutation
        sleepers = (0..<devices).map { Sleeper(number: $0) }
    }

    /// What id 1 means to a device [D-80].
    func predefined(_ device: Int) -> ByteString {
        device == 0 && mutation != .onePredefinedID ? "q" : ByteString("p/s\(device)")
    }
}

// MARK: - Time

extension SleeperModel {
    /// Lets time pass: who does not wake in time is lost, and its will is published [D-20] [D-22].
    mutating func advance(to now: UInt64) {
        while let index = sleepers.indices.min(by: { end(of: $0) < end(of: $1) }), end(of: index) <= now {
            wallSeconds = Self.seconds(end(of: index))
            lose(index)
        }
        wallSeconds = Self.seconds(now)
    }

    private static func seconds(_ now: UInt64) -> Int64 { 1_700_000_000 + Int64(now / 1_000_000_000) }

    private func end(of index: Int) -> UInt64 {
        if case .asleep(let until) = sleepers[index].place { until } else { .max }
    }

    private mutating func lose(_ index: Int) {
        depart(index)
        guard let will = sleepers[index].will else { return }
        let message = Heard(topic: will.topic, payload: will.payload, qos: will.qos)
        _ = publish(message, asksForRoom: false)
        if mutation == .willTwice { _ = publish(message, asksForRoom: false) }
    }

    /// The connection is over, and the session is not.
    mutating func depart(_ index: Int) {
        sleepers[index].place = .away
        guard var first = sleepers[index].inFlight else { return }
        sleepers[index].inFlight = nil
        first.isKnown = true
        if mutation != .forgetsInFlight { sleepers[index].queue.insert(first, at: 0) }
    }
}

// MARK: - What devices do

extension SleeperModel {
    mutating func connect(_ index: Int, will: Will?) {
        if let will { sleepers[index].will = will }
        sleepers[index].place = .active
        drain(index, most: 0)
    }

    mutating func sleep(_ index: Int, seconds: UInt16, now: UInt64) {
        sleepers[index].seconds = seconds
        heardOf(index, now: now)
    }

    mutating func wake(_ index: Int, now: UInt64) {
        switch mutation {
        case .endlessWake: drain(index, most: 0)
        case .shorterWake where rules.messagesPerWake > 1: drain(index, most: rules.messagesPerWake - 1)
        default: drain(index, most: rules.messagesPerWake)  // [D-17]
        }
        heardOf(index, now: now)
    }

    private mutating func heardOf(_ index: Int, now: UInt64) {
        let seconds = UInt64(sleepers[index].seconds)
        var percent = seconds > 60 ? rules.longPercent : rules.shortPercent
        if mutation == .noTolerance { percent = 0 }
        if mutation == .oneTolerance { percent = rules.longPercent }
        sleepers[index].place = .asleep(until: now + seconds * 1_000_000_000 + seconds * UInt64(percent) * 10_000_000)
    }

    mutating func subscribe(_ index: Int, _ filter: ByteString, _ qos: QoS) {
        sleepers[index].subscriptions.removeAll { $0.filter == filter }
        sleepers[index].subscriptions.append((filter, qos))
    }

    /// Whether the will is another one now [D-34].
    mutating func updateWill(_ index: Int, topic: ByteString?, qos: QoS) {
        guard let topic else {
            if mutation != .keepsRemovedWill { sleepers[index].will = nil }
            return
        }
        let payload = sleepers[index].will?.payload ?? ByteString()
        sleepers[index].will = Will(topic: topic, payload: payload, qos: qos, retain: false)
    }

    mutating func updateWill(_ index: Int, message: ByteString) -> Bool {
        guard sleepers[index].will != nil else { return false }
        if mutation != .keepsOldMessage { sleepers[index].will?.payload = message }
        return true
    }

    /// Hands out what waits, no more than `most`; 0 for all.
    private mutating func drain(_ index: Int, most: Int) {
        var count = 0
        if let first = sleepers[index].inFlight {
            sleepers[index].inFlight = nil
            sleepers[index].heard.append(first.heard)
            count += 1
        }
        while !sleepers[index].queue.isEmpty, most == 0 || count < most {
            let first = sleepers[index].queue.removeFirst()
            if isExpired(first) {
                expired += 1
            } else if carries(first, index) {
                sleepers[index].heard.append(first.heard)
                count += 1
            }
        }
    }

    /// Whether a message is short enough for the device; counted if it is not [D-81].
    mutating func carries(_ message: Waiting, _ index: Int) -> Bool {
        let most = index == 0 ? rules.bytesMaxOfFirst ?? rules.bytesMax : rules.bytesMax
        guard 7 + message.size > most, mutation != .anySize else { return true }
        tooLong += 1
        return false
    }
}
