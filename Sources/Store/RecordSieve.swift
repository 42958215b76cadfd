internal import Bytes
internal import Journal

/// Finds out which records of a transaction change nothing in the end, so that SQLite is not asked about them.
///
/// A row depends on the records with its key alone, and on the ends of its session or device: what is overwritten or
/// taken away by a later record of the transaction is left out, and so is the taking away of what cannot have been in
/// the tables before. Records are first noted in their order, then asked for by their ordinal in it.
struct RecordSieve {
    private var isLeftOut: [Bool] = []
    fileprivate var messages: [UInt64: Last] = [:]
    fileprivate var deliveries: [Place: Traces] = [:]
    fileprivate var received: [Place: Last] = [:]
    private var retained: [ByteString: Int] = [:]
    private var sessions: [UInt32: Int] = [:]
    private var wills: [UInt32: Int] = [:]
    private var devices: [UInt32: Int] = [:]
    /// Ordinals of the records that end a session or a device: what concerned it before has no effect.
    fileprivate var sessionEnds: [UInt32: Int] = [:]
    private var deviceEnds: [UInt32: Int] = [:]
    /// By the ordinal of a delivery that is started in the same transaction: its packet identifier.
    private var identifiers: [Int: UInt16] = [:]

    fileprivate struct Place: Hashable {
        var session: UInt32
        var number: UInt64
    }

    /// The last record that decides whether a row is there.
    fileprivate struct Last {
        var ordinal: Int
        var isPut: Bool
    }

    fileprivate struct Traces {
        var last: Last?
        var started: Int?
        var released: Int?
    }

    /// Forgets the transaction before.
    mutating func begin() {
        isLeftOut.removeAll(keepingCapacity: true)
        messages.removeAll(keepingCapacity: true)
        deliveries.removeAll(keepingCapacity: true)
        received.removeAll(keepingCapacity: true)
        retained.removeAll(keepingCapacity: true)
        sessions.removeAll(keepingCapacity: true)
        wills.removeAll(keepingCapacity: true)
        devices.removeAll(keepingCapacity: true)
        sessionEnds.removeAll(keepingCapacity: true)
        deviceEnds.removeAll(keepingCapacity: true)
        identifiers.removeAll(keepingCapacity: true)
    }

    /// How many records of the transaction need no statement.
    var leftOut: Int { isLeftOut.count { $0 } }

    // MARK: - The first time through

    /// The next record of the transaction.
    mutating func note(_ record: JournalRecord, _ known: KnownRows) {
        let ordinal = isLeftOut.count
        isLeftOut.append(false)
        switch record {
        case .session(let record): leaveOut(sessions.updateValue(ordinal, forKey: record.session))
        case .sessionGone(let session): sessionEnds[session] = ordinal
        case .message(let record): noteMessage(record.serial, Last(ordinal: ordinal, isPut: true), known)
        case .messageGone(let serial): noteMessage(serial, Last(ordinal: ordinal, isPut: false), known)
        case .delivery(let record):
            noteDelivery(record.session, record.sequence, Last(ordinal: ordinal, isPut: true), known)
        case .deliveryGone(let session, let sequence):
            noteDelivery(session, sequence, Last(ordinal: ordinal, isPut: false), known)
        case .started(let session, let sequence, let packetIdentifier):
            noteStart(Place(session: session, number: sequence), packetIdentifier, ordinal)
        case .released(let session, let sequence): noteRelease(Place(session: session, number: sequence), ordinal)
        case .received(let session, let packetIdentifier, _, _):
            noteReceived(session, packetIdentifier, Last(ordinal: ordinal, isPut: true), known)
        case .receivedGone(let session, let packetIdentifier):
            noteReceived(session, packetIdentifier, Last(ordinal: ordinal, isPut: false), known)
        case .retained(_, let topic), .retainedGone(let topic):
            leaveOut(retained.updateValue(ordinal, forKey: ByteString(topic)))
        case .will(let record): leaveOut(wills.updateValue(ordinal, forKey: record.session))
        case .willGone(let session): leaveOut(wills.updateValue(ordinal, forKey: session))
        case .device(let record): leaveOut(devices.updateValue(ordinal, forKey: record.device))
        case .deviceGone(let device): deviceEnds[device] = ordinal
        // These come rarely, and often only once.
        case .subscription, .subscriptionGone, .deviceTopic, .deviceTopicsGone: break
        }
    }

    /// A record with this key leaves nothing of the one before it.
    private mutating func leaveOut(_ earlier: Int?) {
        if let earlier { isLeftOut[earlier] = true }
    }

    private mutating func noteMessage(_ serial: UInt64, _ last: Last, _ known: KnownRows) {
        if let earlier = messages.updateValue(last, forKey: serial) { isLeftOut[earlier.ordinal] = true }
        if !last.isPut, !known.mayHaveMessage(serial) { isLeftOut[last.ordinal] = true }
    }

    private mutating func noteDelivery(_ session: UInt32, _ sequence: UInt64, _ last: Last, _ known: KnownRows) {
        let earlier = deliveries.updateValue(Traces(last: last), forKey: Place(session: session, number: sequence))
        if let earlier {
            leaveOut(earlier.last?.ordinal)
            leaveOut(earlier.started)
            leaveOut(earlier.released)
        }
        if !last.isPut, !mayHave(session, known.mayHaveDelivery(session, sequence)) {
            isLeftOut[last.ordinal] = true
        }
    }

    private mutating func noteStart(_ place: Place, _ packetIdentifier: UInt16, _ ordinal: Int) {
        var traces = deliveries[place] ?? Traces()
        if let last = traces.last {
            // It is written with its packet identifier, or there is nothing to start.
            if last.isPut { identifiers[last.ordinal] = packetIdentifier }
            isLeftOut[ordinal] = true
            return
        }
        if let earlier = traces.started { isLeftOut[earlier] = true }
        traces.started = ordinal
        deliveries[place] = traces
    }

    private mutating func noteRelease(_ place: Place, _ ordinal: Int) {
        var traces = deliveries[place] ?? Traces()
        if let earlier = traces.released { isLeftOut[earlier] = true }
        traces.released = ordinal
        deliveries[place] = traces
    }

    private mutating func noteReceived(
        _ session: UInt32, _ packetIdentifier: UInt16, _ last: Last, _ known: KnownRows
    ) {
        let place = Place(session: session, number: UInt64(packetIdentifier))
        if let earlier = received.updateValue(last, forKey: place) { isLeftOut[earlier.ordinal] = true }
        if !last.isPut, !mayHave(session, known.mayHaveReceived(session, packetIdentifier)) {
            isLeftOut[last.ordinal] = true
        }
    }

    /// What a session had before the transaction goes with it, if it ends in the transaction.
    private func mayHave(_ session: UInt32, _ isKnown: Bool) -> Bool { isKnown && sessionEnds[session] == nil }

    // MARK: - The second time through

    /// Whether this record must be applied.
    func keeps(_ record: JournalRecord, _ ordinal: Int) -> Bool {
        if isLeftOut[ordinal] { return false }
        if !sessionEnds.isEmpty, let session = record.ownSession, let end = sessionEnds[session] {
            return ordinal >= end
        }
        if !deviceEnds.isEmpty, let device = record.ownDevice, let end = deviceEnds[device] { return ordinal >= end }
        return true
    }

    /// The packet identifier that a delivery gets in the transaction, other than it was written with.
    func packetIdentifier(_ ordinal: Int) -> UInt16? { identifiers[ordinal] }

    fileprivate func stays(_ place: Place, _ last: Last) -> Bool {
        sessionEnds[place.session].map { last.ordinal > $0 } ?? true
    }
}

extension KnownRows {
    /// The transaction is committed.
    mutating func settle(_ sieve: RecordSieve) {
        for session in sieve.sessionEnds.keys { sessionGone(session) }
        for (serial, last) in sieve.messages where last.isPut { messagePut(serial) }
        for (place, traces) in sieve.deliveries {
            guard let last = traces.last, last.isPut, sieve.stays(place, last) else { continue }
            deliveryPut(place.session, place.number)
        }
        for (place, last) in sieve.received where sieve.stays(place, last) {
            let packetIdentifier = UInt16(truncatingIfNeeded: place.number)
            if last.isPut {
                receivedPut(place.session, packetIdentifier)
            } else {
                receivedGone(place.session, packetIdentifier)
            }
        }
    }
}

extension JournalRecord {
    /// The session that the record's row goes with.
    fileprivate var ownSession: UInt32? {
        switch self {
        case .session(let record): record.session
        case .subscription(let record): record.session
        case .delivery(let record): record.session
        case .will(let record): record.session
        case .sessionGone(let session), .subscriptionGone(let session, _), .started(let session, _, _),
            .released(let session, _), .deliveryGone(let session, _), .received(let session, _, _, _),
            .receivedGone(let session, _), .willGone(let session):
            session
        case .message, .messageGone, .retained, .retainedGone, .device, .deviceGone, .deviceTopic, .deviceTopicsGone:
            nil
        }
    }

    /// The device that the record's row goes with.
    fileprivate var ownDevice: UInt32? {
        switch self {
        case .device(let record): record.device
        case .deviceTopic(let record): record.device
        case .deviceGone(let device), .deviceTopicsGone(let device): device
        default: nil
        }
    }
}
