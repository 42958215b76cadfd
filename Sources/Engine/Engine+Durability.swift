internal import BrokerCore
internal import Bytes
package import Clockwork
internal import ConnectionCore
internal import GatewayCore
package import Journal
internal import Messaging

/// What the disk has, and who waits for it (DESIGN §5, docs/adr/0005-durability.md).
struct Safety {
    /// The highest batch that is safe.
    var batch: UInt64 = 0
    var store = StoreState.ready
    /// Whether more waits for the disk than may.
    var isOverfull = false
    /// `Gateway.durableChanges`, as it was seen last.
    var deviceChanges: UInt64 = 0
    var held = HeldDatagrams()

    /// Whether nobody is promised anything.
    var isRefusing: Bool { isOverfull || store != .ready }
}

/// Whether the store takes what it is given.
package enum StoreState: Equatable, Sendable {
    case ready
    /// There is no space, for now.
    case blocked
    /// The disk failed: nothing more is kept until the gateway is started anew.
    case failed
}

extension Engine {
    /// What must be kept and was not handed out yet, as one batch; nil if there is nothing. Answers that depend on it
    /// wait until `committed` has its number.
    package mutating func takeBatch() -> JournalBatch? {
        guard broker.journal.isOn else { return nil }
        appendDeviceRecords()
        return broker.journal.takeBatch()
    }

    /// Bytes that wait to be handed out. (Mutating: see `outputToWrite`.)
    package mutating func unwrittenSoFar() -> Int { broker.journal.byteCount }

    /// Whether whoever wants something kept is refused. (Mutating: see `outputToWrite`.)
    package mutating func refusesNow() -> Bool { safety.isRefusing }

    /// The disk has this batch and all before it: what waited for them may leave.
    package mutating func committed(_ batch: UInt64) {
        safety.batch = batch
        broker.noteCommitted(batch: batch)
        connections.open(upTo: batch)
        while let (bytes, path) = safety.held.first(safe: batch) {
            outbox.append(bytes, to: path)
            safety.held.removeFirst(safe: batch)
        }
    }

    /// The store has come to a stop, or goes on.
    package mutating func storeChanged(_ state: StoreState, now: Now) {
        guard safety.store != .failed else { return }
        safety.store = state
        if state == .failed { broker.journal.discard() }
        refusalChanged(now)
        publishDurability(now)
    }

    /// To be called when a turn ends: whether more waits for the disk than may. Then whoever wants something kept is
    /// refused until half of it is gone.
    package mutating func noteUnwritten(now: Now) {
        guard broker.journal.isOn else { return }
        let unwritten = broker.journal.byteCount
        // What is not refused, such as ends of sessions, is little; but without any end it would be too much.
        if unwritten > 2 * settings.unwrittenBytesMax { return storeChanged(.failed, now: now) }
        let isOverfull = unwritten > (safety.isOverfull ? 1 : 2) * settings.unwrittenBytesMax / 2
        guard isOverfull != safety.isOverfull else { return }
        safety.isOverfull = isOverfull
        refusalChanged(now)
        publishDurability(now)
    }

    /// Who waits for an answer that cannot come for now is let go, to ask again later: it was told nothing.
    private mutating func refusalChanged(_ now: Now) {
        if safety.isRefusing {
            connections.abandonGated(into: &connectionEffects)
            for path in safety.held.abandon() { gateway.answerLost(to: path) }
        } else {
            appendDeviceRecords()
            safety.held.settle(until: broker.journal.lastBatch)
        }
        broker.setStorage(isRefusing: safety.isRefusing)
        settle(now)
    }

    /// Says under `$SYS/broker/durability` what is promised.
    mutating func publishDurability(_ now: Now) {
        guard settings.sysInterval != nil else { return }
        publishOwn("$SYS/broker/durability", ByteString(durabilityText), now)
    }

    var durabilityText: String {
        let words = settings.durability.description
        guard broker.journal.isOn else { return words }
        return switch safety.store {
        case .ready: safety.isOverfull ? "\(words), refusing: too much waits for the disk" : words
        case .blocked: "\(words), refusing: no space on the disk"
        case .failed: "\(words), refusing: the disk failed"
        }
    }

    // MARK: - What waits

    /// What stands in a connection's output from `position` on waits for everything that was recorded so far.
    mutating func hold(_ connection: Int, from position: Int) {
        let batch = broker.journal.lastBatch
        guard batch > safety.batch else { return }
        connections.hold(connection, from: position, until: batch)
        if safety.isRefusing { connections.abandonGated(into: &connectionEffects) }
    }

    /// Whether the gateway has changed something that its answers must wait for; that is in the journal then.
    mutating func noteDeviceRecords() -> Bool {
        guard gateway.durableChanges != safety.deviceChanges else { return false }
        safety.deviceChanges = gateway.durableChanges
        if !safety.isRefusing { appendDeviceRecords() }
        return true
    }

    /// The journal is the broker's, and so are the names of topics: it is lent out meanwhile.
    private mutating func appendDeviceRecords() {
        guard broker.journal.isOn else { return }
        var journal = Journal(isOn: false)
        swap(&journal, &broker.journal)
        gateway.appendRecords(to: &journal) { broker.name(of: $0) }
        swap(&journal, &broker.journal)
    }

    /// The datagram that was appended last waits for the disk, if it is to or something to the same device does.
    mutating func holdLastDatagram(to path: DatagramPath, isHeld: Bool) {
        guard isHeld || safety.held.isHeld(path, safe: safety.batch) else { return }
        // While nobody is promised anything, what the gateway has changed is not in the journal.
        let batch = safety.isRefusing ? .max : broker.journal.lastBatch
        guard batch > safety.batch else { return }
        safety.held.note(path, until: batch, safe: safety.batch)
        outbox.takeLast { datagram in
            let isKept = !safety.isRefusing && safety.held.append(datagram, to: path, until: batch)
            guard !isKept else { return }
            datagramCounters.lostUnsafe += 1
            gateway.answerLost(to: path)
        }
    }
}

/// What an engine holds, in numbers.
package struct Holdings: Equatable {
    package var sessions: Int
    package var devices: Int
    package var subscriptions: Int
    /// That wait or are on their way.
    package var messages: Int
    package var retained: Int
}

extension Engine {
    package var holdings: Holdings {
        let gauges = broker.gauges
        return Holdings(
            sessions: gauges.offlineSessions + gauges.connectedClients + gauges.connectedDevices,
            devices: gateway.deviceCount, subscriptions: gauges.subscriptions, messages: gauges.heldMessages,
            retained: gauges.retainedMessages)
    }
}
