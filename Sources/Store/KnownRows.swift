/// What may be in the tables, without asking them: never less than there is. A record that takes away what cannot be
/// there needs no statement.
struct KnownRows {
    /// No message has a higher serial; nil while there is none.
    private(set) var highestSerial: UInt64?
    /// By session: no delivery has a higher sequence number.
    private var highestSequences: [UInt32: UInt64] = [:]
    /// By session: packet identifiers of messages that wait for their PUBREL.
    private var received: [UInt32: Set<UInt16>] = [:]

    init(_ database: Database) throws(DatabaseError) {
        let messages = try database.prepare("SELECT min(serial), max(serial) FROM message")
        defer { messages.reset() }
        if try messages.next(), !messages.isNothing(0) {
            highestSerial = Self.highest(messages.integer(0), messages.integer(1))
        }
        let deliveries = try database.prepare(
            "SELECT session, min(sequence), max(sequence) FROM delivery GROUP BY session")
        defer { deliveries.reset() }
        while try deliveries.next() {
            let session = UInt32(truncatingIfNeeded: deliveries.integer(0))
            highestSequences[session] = Self.highest(deliveries.integer(1), deliveries.integer(2))
        }
        let held = try database.prepare("SELECT session, packet_identifier FROM received")
        defer { held.reset() }
        while try held.next() {
            let session = UInt32(truncatingIfNeeded: held.integer(0))
            received[session, default: []].insert(UInt16(truncatingIfNeeded: held.integer(1)))
        }
    }

    /// SQLite's numbers have a sign: what is negative there is beyond all others here.
    private static func highest(_ least: Int64, _ greatest: Int64) -> UInt64 {
        least < 0 ? .max : UInt64(bitPattern: greatest)
    }

    func mayHaveMessage(_ serial: UInt64) -> Bool { highestSerial.map { serial <= $0 } ?? false }

    func mayHaveDelivery(_ session: UInt32, _ sequence: UInt64) -> Bool {
        highestSequences[session].map { sequence <= $0 } ?? false
    }

    func mayHaveReceived(_ session: UInt32, _ packetIdentifier: UInt16) -> Bool {
        received[session]?.contains(packetIdentifier) ?? false
    }

    mutating func messagePut(_ serial: UInt64) { highestSerial = max(highestSerial ?? 0, serial) }

    mutating func deliveryPut(_ session: UInt32, _ sequence: UInt64) {
        highestSequences[session] = max(highestSequences[session] ?? 0, sequence)
    }

    mutating func receivedPut(_ session: UInt32, _ packetIdentifier: UInt16) {
        received[session, default: []].insert(packetIdentifier)
    }

    mutating func receivedGone(_ session: UInt32, _ packetIdentifier: UInt16) {
        received[session]?.remove(packetIdentifier)
        if received[session]?.isEmpty == true { received[session] = nil }
    }

    mutating func sessionGone(_ session: UInt32) {
        highestSequences[session] = nil
        received[session] = nil
    }
}
