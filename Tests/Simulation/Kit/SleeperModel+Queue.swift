internal import Bytes
internal import Messaging

/// Queues, and what they do with a message that finds no room.
extension SleeperModel {
    /// Gives a message to everyone who asked for it; false if its publisher was refused [M-10].
    mutating func publish(_ message: Heard, asksForRoom: Bool) -> Bool {
        if asksForRoom, rules.policy == .refuse, message.qos > .atMostOnce {
            for index in sleepers.indices {
                guard let qos = granted(message.topic, index), qos > .atMostOnce else { continue }
                guard findsRoom(waiting(message, qos), index) else { return false }
            }
        }
        published.append(message)
        for index in sleepers.indices {
            guard let qos = granted(message.topic, index) else { continue }
            give(waiting(message, qos), to: index)
        }
        return true
    }

    private func waiting(_ message: Heard, _ qos: QoS) -> Waiting {
        Waiting(
            heard: Heard(topic: message.topic, payload: message.payload, qos: min(message.qos, qos)),
            takenAt: wallSeconds)
    }

    /// The best of the subscriptions that ask for a topic; nil if none does.
    func granted(_ topic: ByteString, _ index: Int) -> QoS? {
        sleepers[index].subscriptions.filter { Self.matches($0.filter.bytes[...], topic.bytes[...]) }.map(\.qos).max()
    }

    private static func matches(_ filter: ArraySlice<UInt8>, _ topic: ArraySlice<UInt8>) -> Bool {
        let slash = UInt8(ascii: "/")
        let (first, name) = (filter.prefix { $0 != slash }, topic.prefix { $0 != slash })
        if first.elementsEqual([UInt8(ascii: "#")]) { return true }
        guard first.elementsEqual(name) || first.elementsEqual([UInt8(ascii: "+")]) else { return false }
        let (restOfFilter, restOfTopic) = (filter.dropFirst(first.count), topic.dropFirst(name.count))
        if restOfFilter.isEmpty || restOfTopic.isEmpty {
            return restOfFilter.elementsEqual(restOfTopic) || restOfFilter.elementsEqual("/#".utf8)
        }
        return matches(restOfFilter.dropFirst(), restOfTopic.dropFirst())
    }

    private mutating func give(_ message: Waiting, to index: Int) {
        switch sleepers[index].place {
        case .active where sleepers[index].inFlight == nil && sleepers[index].queue.isEmpty:
            guard carries(message, index) else { return }
            if sleepers[index].isDeaf {
                sleepers[index].inFlight = message
            } else {
                sleepers[index].heard.append(message.heard)
            }
        case .active: sleepers[index].queue.append(message)
        case .away where message.heard.qos == .atMostOnce: break
        case .away, .asleep: enqueue(message, index)
        }
    }

    private mutating func enqueue(_ message: Waiting, _ index: Int) {
        if let place = placeOfEarlier(message, index) {
            if fits(message, at: place, index) {
                replaced += 1
                guard mutation == .replacesAtTheEnd else {
                    sleepers[index].queue[place] = message
                    return
                }
                sleepers[index].queue.remove(at: place)
                sleepers[index].queue.append(message)
                return
            }
            // It is not to wait beside the one that it makes stale [D-76].
            if policy == .dropOldest, canMakeRoom(for: message, index) {
                sleepers[index].queue.remove(at: place)
                replaced += 1
            }
        }
        guard hasRoom(for: message, index) || makeRoom(for: message, index) else {
            dropped += 1
            return
        }
        sleepers[index].queue.append(message)
    }

    /// What gives way in a full queue [D-75].
    private var policy: SleeperRules.Policy {
        guard mutation != .ignoresOwnPolicy else { return rules.policy }
        switch rules.ownPolicy {
        case .dropNewest: return .dropNewest
        case .dropOldest: return .dropOldest
        case nil: return rules.policy
        }
    }

    /// Where a message of the same topic waits that the device has seen nothing of, the newest [D-76].
    private func placeOfEarlier(_ message: Waiting, _ index: Int) -> Int? {
        guard rules.keepsLast, mutation != .replacesNothing else { return nil }
        return sleepers[index].queue.lastIndex {
            $0.heard.topic == message.heard.topic && (!$0.isKnown || mutation == .replacesInFlight)
        }
    }

    private func fits(_ message: Waiting, at place: Int, _ index: Int) -> Bool {
        let growth = message.size - sleepers[index].queue[place].size
        return growth <= 0 || sleepers[index].queuedBytes + growth <= rules.bytes
    }

    private func hasRoom(for message: Waiting, _ index: Int) -> Bool {
        let messages = rules.messages + (mutation == .roomForOneMore ? 1 : 0)
        return sleepers[index].queue.count < messages && sleepers[index].queuedBytes + message.size <= rules.bytes
    }

    /// Whether there would be room without all that the device has seen nothing of.
    private func canMakeRoom(for message: Waiting, _ index: Int) -> Bool {
        let known = sleepers[index].queue.filter(\.isKnown)
        return known.count < rules.messages && known.reduce(message.size) { $0 + $1.size } <= rules.bytes
    }

    /// What has expired goes first, then, where that is the policy, what has waited longest.
    private mutating func makeRoom(for message: Waiting, _ index: Int) -> Bool {
        discardExpired(index)
        if hasRoom(for: message, index) { return true }
        guard policy == .dropOldest, canMakeRoom(for: message, index) else { return false }
        while !hasRoom(for: message, index) {
            guard let oldest = sleepers[index].queue.firstIndex(where: { !$0.isKnown }) else { return false }
            sleepers[index].queue.remove(at: oldest)
            dropped += 1
        }
        return true
    }

    private mutating func discardExpired(_ index: Int) {
        let kept = sleepers[index].queue.filter { !isExpired($0) }
        expired += sleepers[index].queue.count - kept.count
        sleepers[index].queue = kept
    }

    /// Whether a message has waited too long; what was under way comes again, however old [D-77].
    func isExpired(_ message: Waiting) -> Bool {
        guard rules.expiry > 0, !message.isKnown, mutation != .keepsExpired else { return false }
        return message.takenAt + Int64(rules.expiry) + (mutation == .expiresLate ? 1 : 0) <= wallSeconds
    }

    /// Where publishers are refused: whether a device need not stop this one [M-10] [D-75].
    private mutating func findsRoom(_ message: Waiting, _ index: Int) -> Bool {
        if sleepers[index].place == .active || hasRoom(for: message, index) { return true }
        discardExpired(index)
        if hasRoom(for: message, index) || rules.ownPolicy != nil && mutation != .dropsForNobody { return true }
        return placeOfEarlier(message, index).map { fits(message, at: $0, index) } ?? false
    }
}
