internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// Sleeping clients (§6.14), and PINGREQ, which wakes them (§6.11).
extension Gateway {
    /// DISCONNECT with a duration: deliveries wait from now on. While asleep or awake it sets a new duration [D-24].
    mutating func fallAsleep(seconds: UInt16, _ slot: Int) {
        ask(slot, .window(isOpen: false))
        enter(.asleep(Asleep(duration: seconds)), slot)
        // What is not acknowledged is sent again when the device wakes.
        table[slot].retryAt = nil
        send(.disconnect(duration: nil), to: slot)  // [SN-6.14]
        log(.fellAsleep(table[slot].clientID, seconds: seconds))
        arm(slot)
    }

    mutating func pingreqReceived(_ clientID: ByteView, from path: DatagramPath, _ slot: Int) {
        if !clientID.isEmpty {
            let name = sessionName(clientID, path)
            let isOwn = table[slot].clientID.withView { $0 == name }
            if !isOwn { return wakeFromElsewhere(clientID, from: path) }  // [D-11]
        }
        switch table[slot].state {
        case .active:
            send(.pingresp, to: slot)  // [SN-6.11]
        case .asleep(let asleep):
            wake(slot, asleep)  // [D-12]
        case .awake:
            // Its PINGREQ was repeated: what is under way comes again, and no second drain begins [D-19].
            repeatInWake(slot)
        case .connecting, .disconnected, .lost:
            counters.unexpected += 1
        }
    }

    private mutating func wake(_ slot: Int, _ asleep: Asleep) {
        if case .resting(_, let until) = table[slot].exchange, until > now.instant {
            // It asked for a pause that is not over yet [D-46].
            return send(.pingresp, to: slot)
        }
        enter(.awake(Awake(asleep: asleep)), slot)
        ask(slot, .window(isOpen: true))
        resumeExchange(slot)
    }

    private mutating func repeatInWake(_ slot: Int) {
        switch table[slot].exchange {
        case .registering, .publishing, .releasing:
            // Two bytes ask for a whole message: not more often than once a second [attack 120].
            guard mayReportError(slot) else { return }
            counters.retransmitted += 1
            transmit(slot)
        case .idle, .recording, .resting:
            break
        }
    }

    /// The broker has nothing more for the device: the wake ends [D-17].
    mutating func drained(_ slot: Int) {
        guard case .awake = table[slot].state, table[slot].exchange.isIdle else { return }
        ask(slot, .window(isOpen: false))
        endWake(slot)
    }

    /// PINGRESP, and the sleep timer from the start; the caller has closed the window.
    mutating func endWake(_ slot: Int) {
        guard case .awake(let awake) = table[slot].state else { return }
        send(.pingresp, to: slot)  // [SN-6.14]
        enter(.asleep(awake.asleep), slot)
        table[slot].heard = now.instant  // [D-21]
        table[slot].retryAt = nil
        arm(slot)
    }

    /// The device fell silent while awake: its message is kept, and only the sleep timer can lose it [D-18].
    mutating func sleepAgain(_ slot: Int) {
        guard case .awake(let awake) = table[slot].state else { return }
        ask(slot, .window(isOpen: false))
        enter(.asleep(awake.asleep), slot)
        table[slot].retryAt = nil
        arm(slot)
    }

    /// Counts a finished delivery. True if it was the last that this wake may have [D-17].
    mutating func countInWake(_ slot: Int) -> Bool {
        guard case .awake(var awake) = table[slot].state else { return false }
        awake.deliveries += 1
        enter(.awake(awake), slot)
        let most = configuration.rule({ $0.messagesPerWakeMax }, of: table[slot].path.listener)
        return most > 0 && awake.deliveries >= most
    }
}
