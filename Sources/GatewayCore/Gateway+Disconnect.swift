internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// How a connection ends, and what stays of the device (§6.12, §6.14).
extension Gateway {
    /// DISCONNECT, with a duration for sleep [D-23].
    mutating func disconnectReceived(seconds: UInt16, _ slot: Int) {
        switch table[slot].state {
        case .connecting:
            let path = table[slot].path
            abandonAttempt(slot)
            if table.contains(slot), table[slot].state.isAttached {
                disconnectReceived(seconds: seconds, slot)
            } else {
                send(.disconnect(duration: nil), to: path)
            }
        case .active, .asleep, .awake:
            if seconds > 0 { return fallAsleep(seconds: seconds, slot) }
            send(.disconnect(duration: nil), to: slot)  // [SN-6.12]
            log(.disconnected(table[slot].clientID, nil))
            depart(slot, Farewell(publishesWill: false)) { .disconnected($0) }
        case .disconnected, .lost:
            counters.unexpected += 1
        }
    }

    /// The broker ended the link.
    mutating func closed(_ reason: CloseReason, _ slot: Int) {
        switch table[slot].state {
        case .connecting(let connecting):
            guard connecting.isAttaching || connecting.isResuming else { return }
            send(.disconnect(duration: nil), to: slot)
        case .active, .awake:
            send(.disconnect(duration: nil), to: slot)
        case .asleep where reason == .serverShuttingDown && isDurable(slot):
            // The next gateway knows it as it is.
            return
        case .asleep:
            // Its radio is off; it hears of it when it speaks again.
            break
        case .disconnected, .lost:
            return
        }
        log(.disconnected(table[slot].clientID, reason))
        depart(slot, nil) { .disconnected($0) }
    }

    /// Nothing was heard of the device for too long: its will is published (§6.14) [D-22].
    mutating func lose(_ slot: Int) {
        log(.lost(table[slot].clientID))
        depart(slot, Farewell(publishesWill: true)) { .lost($0) }
    }

    /// Every device that listens is told; no will is published, since it is not the devices that go.
    mutating func shutDown() {
        isStopping = true
        for slot in table.slots where table.contains(slot) {
            var isAttached = true
            switch table[slot].state {
            case .connecting(let connecting):
                send(.disconnect(duration: nil), to: slot)
                isAttached = connecting.isAttaching || connecting.isResuming
            case .active, .awake:
                send(.disconnect(duration: nil), to: slot)
            case .asleep where isDurable(slot):
                continue
            case .asleep:
                break
            case .disconnected, .lost:
                continue
            }
            _ = takeChallenge(slot)
            depart(slot, isAttached ? Farewell(publishesWill: false) : nil) { .disconnected($0) }
        }
    }

    /// The link is gone. The record stays as long as the session does, and with it the topic ids [D-03].
    private mutating func depart(_ slot: Int, _ farewell: Farewell?, to state: (Away) -> State) {
        // Topics are let go while the broker still knows the link.
        if table[slot].sessionExpiryInterval == 0 { forgetTopics(slot) }
        if let farewell { ask(slot, .detach(farewell)) }
        dropLinkState(slot)
        table.unbind(slot)
        releaseClaim(slot)
        if table[slot].sessionExpiryInterval == 0 {
            remove(slot)
        } else {
            enter(state(sessionEnd(slot)), slot)
            arm(slot)
        }
    }

    /// When the session ends if it is left alone from now on.
    func sessionEnd(_ slot: Int) -> Away {
        let seconds = table[slot].sessionExpiryInterval
        return Away(until: seconds == .max ? nil : now.instant + .seconds(Int64(seconds)))
    }

    /// Forgets what belongs to a connection and not to the session.
    mutating func dropLinkState(_ slot: Int) {
        table[slot].exchange = .idle
        table[slot].uplinks = Uplinks()
        table[slot].transactions = []
        table[slot].retryAt = nil
        table[slot].retries = 0
        table[slot].pings = 0
    }

    /// Forgets the device altogether.
    mutating func remove(_ slot: Int) {
        releaseClaim(slot)
        forgetTopics(slot)
        store(nil, slot)
        timers.cancel(slot)
        if table[slot].isWritten { unwritten.gone.append(slot) }
        counters[table[slot].state.kind] -= 1
        noteRemoval(slot)
        table.remove(slot)
    }
}
