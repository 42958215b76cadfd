package import Bytes
internal import Clockwork
internal import DequeModule
internal import Messaging

/// How many deliveries of a queue are read back together, and how many bytes of them.
private let pageMessagesMax = 64
private let pageBytesMax = 256 << 10
/// How many bytes may be on their way from the disk before the next session's page is asked for.
private let loadingBytesMax = 1 << 20

/// Queues that are larger than memory: beyond a part of each session and one of all, the bytes of what waits are on
/// disk alone, and come back in pages when a session gets that far [M-100].
extension Broker {
    /// Everything up to this batch of the journal is on disk: what waits there may be let go in memory.
    package mutating func noteCommitted(batch: UInt64) {
        while let (message, serial) = queuedMemory.nextWritten(batch) {
            guard messages[message].holders > 0, messages[message].serial == serial else { continue }
            messages.noteCommitted(message)
            queuedMemory.suspects.append(message)
        }
    }

    // MARK: - Parts

    /// A delivery begins to wait: in the part of its session if there is room and nothing waits behind it.
    @inline(__always)
    mutating func noteWaiting(_ entry: inout QueuedDelivery, of slot: Int) {
        if queuedMemory.isOn, entry.phase == .message { placeInPart(&entry, of: slot) }
    }

    @inline(never)
    private mutating func placeInPart(_ entry: inout QueuedDelivery, of slot: Int) {
        let bytes = queuedMemory[slot].bytes + messages.size(of: entry.message)
        entry.isInPart =
            bytes <= limits.queuedMemoryPerSessionMax && (queuedMemory[slot].beyond == 0 || !entry.isFresh)
        if entry.isInPart { queuedMemory[slot].bytes = bytes } else { queuedMemory[slot].beyond += 1 }
        queuedMemory.add(entry.message, isInPart: entry.isInPart)
        if messages[entry.message].flags.contains(.isCommitted) { queuedMemory.suspects.append(entry.message) }
    }

    /// A delivery waits no more: it goes out, or goes. Whoever lets it go tells by `release` that others may wait on.
    @inline(__always)
    mutating func noteNotWaiting(_ entry: QueuedDelivery, of slot: Int) {
        if queuedMemory.isOn, entry.phase == .message { takeFromPart(entry, of: slot) }
    }

    @inline(never)
    private mutating func takeFromPart(_ entry: QueuedDelivery, of slot: Int) {
        if entry.isInPart {
            queuedMemory[slot].bytes -= messages.size(of: entry.message)
        } else {
            queuedMemory[slot].beyond -= 1
        }
        queuedMemory.remove(entry.message, isInPart: entry.isInPart)
        stopKeeping(entry.message)
    }

    // MARK: - Letting go

    /// Looks at what may have become such that its bytes can go. Nothing that an answer shows is among it: it is in
    /// flight, or goes with the same event.
    @inline(never)
    mutating func settleMemory() {
        for message in queuedMemory.suspects where isOnlyWaiting(message) {
            if queuedMemory.counts(message).inParts == 0 {
                stopKeeping(message)
                messages.evict(message)
            } else if !queuedMemory.isKept(message) {
                queuedMemory.keepLast(message)
                keptBytes += messages.size(of: message)
            }
        }
        queuedMemory.suspects.removeAll(keepingCapacity: true)
        while keptBytes > limits.queuedMemoryMax, let message = queuedMemory.newest {
            stopKeeping(message)
            if isOnlyWaiting(message) { messages.evict(message) }
        }
    }

    /// Whether a message has bytes in memory that nobody needs there.
    private func isOnlyWaiting(_ message: MessageHandle) -> Bool {
        let slot = messages[message]
        return slot.holders > 0 && slot.memory != nil && slot.flags.contains(.isCommitted)
            && slot.holders == queuedMemory.counts(message).waiting
    }

    private mutating func stopKeeping(_ message: MessageHandle) {
        guard queuedMemory.isKept(message) else { return }
        queuedMemory.letGo(message)
        keptBytes -= messages.size(of: message)
    }

    /// What came from the disk counts as the rest does: those whose turn it was have taken what they could.
    mutating func keepArrived() {
        guard !queuedMemory.arrived.isEmpty else { return }
        for message in queuedMemory.arrived.reversed() where isOnlyWaiting(message) {
            guard queuedMemory.counts(message).inParts > 0, !queuedMemory.isKept(message) else {
                queuedMemory.suspects.append(message)
                continue
            }
            queuedMemory.keepFirst(message)
            keptBytes += messages.size(of: message)
        }
        // One suspect, so that the sum is looked at with the next event.
        queuedMemory.suspects.append(.passing)
        queuedMemory.arrived.removeAll(keepingCapacity: true)
    }

    /// A restored message stays on disk, where the queues' memory is used up.
    mutating func evictBeyondMemory(_ message: MessageHandle) {
        guard queuedMemory.isOn, messages.bytes - messages.evictedBytes > limits.queuedMemoryMax else { return }
        messages.evict(message)
    }

    // MARK: - Reading back

    /// Whether a delivery whose turn it is has to wait for its bytes. Its session then goes on when they are here.
    mutating func awaitsBytes(of entry: QueuedDelivery, in slot: Int, now: Now) -> Bool {
        guard entry.phase == .message, messages[entry.message].isEvicted,
            !messages[entry.message].flags.contains(.isLost),
            !entry.isFresh || end(of: entry, in: slot) > now.unixSeconds
        else { return false }
        guard !queuedMemory[slot].awaitsBytes else { return true }
        queuedMemory[slot].awaitsBytes = true
        queuedMemory.line.append(slot)
        return true
    }

    /// A delivery whose message the database no longer has is not made; that is counted, and told once.
    mutating func isLost(_ entry: QueuedDelivery, of slot: Int, into effects: inout BrokerEffects) -> Bool {
        guard entry.phase == .message, messages[entry.message].flags.contains(.isLost) else { return false }
        counters.droppedUnreadable += 1
        if !queuedMemory[slot].isLossTold { effects.logs.append(.unreadable(sessions[slot].clientID)) }
        queuedMemory[slot].isLossTold = true
        journalGone(entry.sequence, of: slot)
        release(entry.message, entry.identifiers)
        return true
    }

    /// The serials of messages whose bytes are wanted from the store, to be answered by `loaded` each, in this order.
    ///
    /// To be called when a turn ends. A page for each session that waits, as long as not too much is on its way.
    package mutating func takeLoads() -> [UInt64] {
        var serials: [UInt64] = []
        while queuedMemory.loadingBytes < loadingBytesMax, let slot = queuedMemory.line.popFirst() {
            if isReadyForPage(slot) { askForPage(of: slot, into: &serials) } else { goOn(slot) }
        }
        return serials
    }

    /// Whether a session that has waited for a page still has a use for it.
    private func isReadyForPage(_ slot: Int) -> Bool {
        guard sessions[slot].attachment?.isOpen == true, let entry = sessions[slot].queue.first else { return false }
        return entry.phase == .message && messages[entry.message].isEvicted
            && !messages[entry.message].flags.contains(.isLost)
    }

    /// Asks for the first messages of a queue that are on disk, one at least: they are in the session's part from here
    /// on. Those that another session has asked for come before, except that each session asks for its first itself,
    /// so that it is told.
    private mutating func askForPage(of slot: Int, into serials: inout [UInt64]) {
        var bytes = 0
        for place in 0..<min(sessions[slot].queue.count, pageMessagesMax) {
            let entry = sessions[slot].queue[place]
            guard entry.phase == .message, messages[entry.message].isEvicted else { continue }
            let size = messages.size(of: entry.message)
            let fits =
                bytes + size <= pageBytesMax
                && (entry.isInPart || queuedMemory[slot].bytes + size <= limits.queuedMemoryPerSessionMax)
            guard bytes == 0 || fits else { break }
            bytes += size
            if !entry.isInPart { moveIntoPart(place, size, of: slot) }
            let flags = messages[entry.message].flags
            guard place == 0 || flags.isDisjoint(with: [.isLoading, .isLost]) else { continue }
            messages.noteLoading(entry.message)
            let serial = messages[entry.message].serial
            serials.append(serial)
            queuedMemory.loads.append(QueuedMemory.Load(message: entry.message, serial: serial, size: size))
            queuedMemory.loadingBytes += size
        }
        queuedMemory.loads[queuedMemory.loads.count - 1].session = Int32(slot)
    }

    private mutating func moveIntoPart(_ place: Int, _ size: Int, of slot: Int) {
        let message = sessions[slot].queue[place].message
        sessions[slot].queue.noteInPart(place)
        queuedMemory[slot].bytes += size
        queuedMemory[slot].beyond -= 1
        queuedMemory.addToPart(message)
    }

    /// The bytes of a message have come, in the order of `takeLoads`. Whoever waited for them goes on with the next
    /// `advance`. Meanwhile the message may be over, or the session: then they are not wanted.
    ///
    /// - Parameter bytes: properties and payload; nil when the store does not have the message: its database was
    ///   damaged, and the deliveries will be dropped.
    package mutating func loaded(_ serial: UInt64, _ bytes: (properties: ByteView, payload: ByteView)?) {
        guard let load = queuedMemory.loads.popFirst() else { return }
        precondition(load.serial == serial, "the store answers out of order")
        queuedMemory.loadingBytes -= load.size
        let slot = messages[load.message]
        if slot.holders > 0, slot.serial == serial, slot.isEvicted {
            if let bytes, messages.fill(load.message, properties: bytes.properties, payload: bytes.payload) {
                queuedMemory.arrived.append(load.message)
            } else {
                messages.noteLost(load.message)
            }
        }
        if load.session >= 0 { goOn(Int(load.session)) }
    }

    private mutating func goOn(_ slot: Int) {
        queuedMemory[slot].awaitsBytes = false
        if sessions[slot].attachment != nil { lineUp(slot) }
    }
}
