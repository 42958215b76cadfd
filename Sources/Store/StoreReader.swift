internal import Bytes
package import Journal
internal import Messaging

/// Reads what the tables hold, in the words of the journal.
package struct StoreReader {
    let database: Database

    /// - Parameter database: one that a `StoreWriter` has prepared.
    package init(_ database: Database) {
        self.database = database
    }

    /// Calls `body` for everything there is, so that each record comes after those that it refers to: sessions, their
    /// subscriptions, messages, deliveries in their order, the rest. Views are valid during the call.
    package func read(_ body: (JournalRecord) -> Void) throws(DatabaseError) {
        try rows("SELECT * FROM session ORDER BY session") { row in
            body(
                .session(
                    SessionRecord(
                        session: row.uint32(0), clientID: row.bytes(1), userName: row.isNothing(2) ? nil : row.bytes(2),
                        expiryInterval: row.uint32(3), awaySince: row.isNothing(4) ? nil : row.integer(4),
                        isDevice: row.flag(5))))
        }
        try rows("SELECT * FROM subscription ORDER BY session, filter") { row in
            body(
                .subscription(
                    SubscriptionRecord(
                        session: row.uint32(0), filter: row.bytes(1), options: UInt8(clamping: row.integer(2)),
                        identifier: row.uint32(3))))
        }
        try rows("SELECT * FROM message ORDER BY serial") { row in
            body(
                .message(
                    MessageRecord(
                        serial: row.uint64(0), topic: row.bytes(1), properties: row.bytes(2), payload: row.bytes(3),
                        expiresAt: row.integer(4), takenAt: row.uint32(5), qos: row.qos(6), retain: row.flag(7))))
        }
        try readDeliveries(body)
        try rows("SELECT * FROM received ORDER BY session, serial") { row in
            body(
                .received(
                    session: row.uint32(0), packetIdentifier: row.uint16(1), serial: row.uint64(2),
                    retain: row.flag(3)))
        }
        try rows("SELECT * FROM retained ORDER BY topic") { row in
            body(.retained(serial: row.uint64(1), topic: row.bytes(0)))
        }
        try rows("SELECT * FROM will ORDER BY session") { row in
            body(
                .will(
                    WillRecord(
                        session: row.uint32(0), due: row.integer(1), topic: row.bytes(2), properties: row.bytes(3),
                        payload: row.bytes(4), qos: row.qos(5), retain: row.flag(6),
                        messageExpiryInterval: row.isNothing(7) ? nil : row.uint32(7))))
        }
        try readDevices(body)
    }

    private func readDevices(_ body: (JournalRecord) -> Void) throws(DatabaseError) {
        try rows("SELECT * FROM device ORDER BY device") { row in
            let will =
                row.isNothing(12)
                ? nil
                : DeviceRecord.StoredWill(
                    topic: row.bytes(12), payload: row.bytes(13), qos: row.qos(14), retain: row.flag(15))
            body(
                .device(
                    DeviceRecord(
                        device: row.uint32(0), clientID: row.bytes(1),
                        state: DeviceRecord.State(rawValue: UInt8(clamping: row.integer(2))) ?? .lost,
                        path: row.bytes(3), nodeID: row.bytes(4), isBound: row.flag(5), hadWill: row.flag(6),
                        cleanSession: row.flag(7), keepAlive: row.uint16(8), sleepDuration: row.uint16(9),
                        sessionExpiryInterval: row.uint32(10), awaySince: row.isNothing(11) ? nil : row.integer(11),
                        will: will)))
        }
        try rows("SELECT * FROM device_topic ORDER BY device, type, id") { row in
            body(
                .deviceTopic(
                    DeviceTopicRecord(
                        device: row.uint32(0), type: UInt8(clamping: row.integer(1)), id: row.uint16(2),
                        topic: row.bytes(3), knowledge: UInt8(clamping: row.integer(4)), isServers: row.flag(5))))
        }
    }

    private func readDeliveries(_ body: (JournalRecord) -> Void) throws(DatabaseError) {
        try rows("SELECT * FROM delivery ORDER BY session, sequence") { row in
            body(
                .delivery(
                    DeliveryRecord(
                        session: row.uint32(0), sequence: row.uint64(1), serial: row.uint64(2),
                        packetIdentifier: row.uint16(3), qos: row.qos(5), retain: row.flag(6), group: row.bytes(7),
                        identifiers: row.bytes(8))))
            if row.flag(4) { body(.released(session: row.uint32(0), sequence: row.uint64(1))) }
        }
    }

    private func rows(_ sql: String, _ body: (Statement) -> Void) throws(DatabaseError) {
        let statement = try database.prepare(sql)
        defer { statement.reset() }
        while try statement.next() { body(statement) }
    }
}

/// Columns as the records have them. What does not fit was written by somebody else; it becomes the nearest that does.
extension Statement {
    fileprivate func uint16(_ column: Int32) -> UInt16 { UInt16(clamping: integer(column)) }

    fileprivate func uint32(_ column: Int32) -> UInt32 { UInt32(clamping: integer(column)) }

    fileprivate func uint64(_ column: Int32) -> UInt64 { UInt64(bitPattern: integer(column)) }

    fileprivate func flag(_ column: Int32) -> Bool { integer(column) != 0 }

    fileprivate func qos(_ column: Int32) -> QoS {
        QoS(rawValue: UInt8(clamping: integer(column))) ?? .exactlyOnce
    }
}
