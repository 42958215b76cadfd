internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// Time: retransmission, keep-alive and sleep timers, the end of sessions (§6.11, §6.14, §7.2).
extension Gateway {
    /// What was just sent is sent again if nothing answers it within T_retry, with jitter.
    mutating func awaitAnswer(_ slot: Int) {
        let rules = retryRules(slot)
        let due = later(now.instant, rules.nanoseconds + random.below(rules.spread))
        table[slot].retryAt = due
        arm(slot, for: due)
    }

    /// Nanoseconds later; the end of the clock if that lies behind it.
    private func later(_ instant: Instant, _ nanoseconds: UInt64) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(nanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    /// How much longer than announced a device may be silent, in nanoseconds [D-20].
    private func tolerance(_ slot: Int, seconds: UInt16) -> UInt64 {
        let tolerance = configuration.rule({ $0.tolerance }, of: table[slot].path.listener)
        let isLong = Duration.seconds(Int64(seconds)) > tolerance.boundary
        let percent = isLong ? tolerance.longPercent : tolerance.shortPercent
        return UInt64(seconds) * UInt64(max(0, min(percent, 100_000))) * 10_000_000
    }

    /// When a device that stays silent is lost.
    private func lossInstant(_ slot: Int, seconds: UInt16) -> Instant {
        later(table[slot].heard, UInt64(seconds) * 1_000_000_000 + tolerance(slot, seconds: seconds))
    }

    /// When a silent active device is asked, or asked again, whether it is there: half-way into the tolerance first
    /// [D-47]; nil after the last time.
    private func pingInstant(_ slot: Int, seconds: UInt16) -> Instant? {
        let pings = UInt64(table[slot].pings)
        let rules = retryRules(slot)
        guard pings <= UInt64(rules.count) else { return nil }
        let first = UInt64(seconds) * 1_000_000_000 + tolerance(slot, seconds: seconds) / 2
        return later(later(table[slot].heard, first), rules.nanoseconds * pings)
    }

    /// The soonest thing that can be due for the device; nil if there is none.
    func nextDue(_ slot: Int) -> Instant? {
        var due = table[slot].retryAt
        func consider(_ instant: Instant?) {
            if let instant { due = min(due ?? instant, instant) }
        }
        consider(challengeDue(slot))
        switch table[slot].state {
        case .connecting:
            break
        case .active(let active):
            let seconds = active.request.duration
            if seconds > 0 {
                consider(pingInstant(slot, seconds: seconds))
                consider(lossInstant(slot, seconds: seconds))
            }
        case .asleep(let asleep):
            consider(lossInstant(slot, seconds: asleep.duration))
        case .awake(let awake):
            consider(lossInstant(slot, seconds: awake.asleep.duration))
        case .disconnected(let away), .lost(let away):
            consider(away.until)
        }
        return due
    }

    /// Looks at everything that can be due for the device, and sets its next deadline.
    mutating func deadlineReached(_ slot: Int) {
        guard table.contains(slot) else { return }
        if let due = challengeDue(slot), due <= now.instant { challengeReached(slot) }
        if table.contains(slot), let due = table[slot].retryAt, due <= now.instant { retryReached(slot) }
        if table.contains(slot) { supervise(slot) }
        if table.contains(slot) { arm(slot) }
    }

    private mutating func supervise(_ slot: Int) {
        switch table[slot].state {
        case .connecting:
            break
        case .active(let active):
            superviseKeepAlive(slot, seconds: active.request.duration)
        case .asleep(let asleep):
            if lossInstant(slot, seconds: asleep.duration) <= now.instant { lose(slot) }
        case .awake(let awake):
            if lossInstant(slot, seconds: awake.asleep.duration) <= now.instant { lose(slot) }
        case .disconnected(let away), .lost(let away):
            if let until = away.until, until <= now.instant { remove(slot) }
        }
    }

    private mutating func superviseKeepAlive(_ slot: Int, seconds: UInt16) {
        guard seconds > 0 else { return }
        if lossInstant(slot, seconds: seconds) <= now.instant { return lose(slot) }
        guard let due = pingInstant(slot, seconds: seconds), due <= now.instant else { return }
        if table[slot].pings > 0 { counters.retransmitted += 1 }
        table[slot].pings += 1
        send(.pingreq(clientID: .empty), to: slot)  // [SN-6.11]
    }

    /// T_retry is over without an answer: again, or the device is given up.
    private mutating func retryReached(_ slot: Int) {
        table[slot].retryAt = nil
        if case .resting = table[slot].exchange, table[slot].state.kind == .active { return transmit(slot) }
        guard Int(table[slot].retries) < retryRules(slot).count else {
            return unanswered(slot)
        }
        table[slot].retries += 1
        counters.retransmitted += 1
        switch table[slot].state {
        case .connecting: askForWill(slot)
        case .active, .awake: transmit(slot)
        case .asleep, .disconnected, .lost: break
        }
    }

    /// The device did not answer, N_retry times.
    private mutating func unanswered(_ slot: Int) {
        counters.unanswered += 1
        switch table[slot].state {
        case .connecting: abandonAttempt(slot)  // [D-35]
        case .active: lose(slot)
        case .awake: sleepAgain(slot)  // [D-18]
        case .asleep, .disconnected, .lost: break
        }
    }
}
