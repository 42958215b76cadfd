internal import Bytes
internal import Clockwork
internal import Messaging

/// The gateway's books, held against each other.
extension Gateway {
    /// The first thing that contradicts itself in the gateway's books, once the broker has answered everything; nil if
    /// nothing does. For tests, since it looks at every record.
    package var contradiction: String? {
        var states = Counters()
        var topics = 0
        var storedWillBytes = 0
        for slot in table.slots where table.contains(slot) {
            let device = table[slot]
            states[device.state.kind] += 1
            topics += device.topics.entries.count
            storedWillBytes += wills[slot]?.storedBytes ?? 0
            if let fault = contradiction(in: device, slot) {
                return "\(device.clientID), \(device.state.kind): \(fault)"
            }
        }
        for state in DeviceState.allCases where states[state] != counters[state] {
            return "\(counters[state]) devices counted as \(state), and there are \(states[state])"
        }
        if topics != topicCount { return "\(topicCount) topic ids counted, and there are \(topics)" }
        if storedWillBytes != willBytes {
            return "\(willBytes) bytes of wills counted, and there are \(storedWillBytes)"
        }
        return brokenLimit
    }

    /// What there is more of than there may be.
    private var brokenLimit: String? {
        if table.count > configuration.devicesMax { return "\(table.count) records" }
        if topicCount > configuration.topicsMax { return "\(topicCount) topic ids" }
        if willBytes > configuration.willBytesMax { return "\(willBytes) bytes of wills" }
        if wills.count > table.count { return "\(wills.count) wills for \(table.count) records" }
        if challenges.count > configuration.challengesMax { return "\(challenges.count) challenges" }
        if timers.count > table.count { return "\(timers.count) timers for \(table.count) records" }
        return claims.isEmpty ? nil : "a claim waits"
    }

    private func contradiction(in device: Device, _ slot: Int) -> String? {
        if device.clientID.withView({ table.slot(named: $0) }) != slot { return "not found by its name" }
        if device.isBound, table.slot(at: device.path) != slot { return "not found at its address" }
        if device.topics.entries.count > topicsMax { return "\(device.topics.entries.count) topic ids" }
        if device.transactions.count > Self.transactionsMax { return "\(device.transactions.count) transactions" }
        if challenges.count(where: { $0.slot == slot }) != (device.isChallenged ? 1 : 0) {
            return "its challenge is lost, or left behind"
        }
        if let due = nextDue(slot) {
            guard let armed = timers.deadline(of: slot), armed <= due else { return "its timer would be missed" }
        }
        return contradictionInState(of: device)
    }

    /// Who awaits an answer has a time at which it stops waiting: so every wake ends [D-17] [D-18].
    private func contradictionInState(of device: Device) -> String? {
        switch device.state {
        case .connecting(let connecting):
            if !device.isBound { return "at no address" }
            return connecting.isAttaching ? "the broker has not answered" : awaits(device, isOwed: true)
        case .active:
            return device.isBound ? awaits(device, isOwed: !device.exchange.isIdle) : "at no address"
        case .awake:
            return device.isBound ? awaits(device, isOwed: true) : "at no address"
        case .asleep:
            return awaits(device, isOwed: false)
        case .disconnected, .lost:
            if device.isBound { return "still at an address" }
            return device.exchange.isIdle ? awaits(device, isOwed: false) : "a delivery is under way"
        }
    }

    private func awaits(_ device: Device, isOwed: Bool) -> String? {
        if (device.retryAt != nil) == isOwed { return nil }
        return isOwed ? "nothing ends its wait" : "waits for nothing"
    }
}
