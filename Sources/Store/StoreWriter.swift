internal import Bytes
package import Journal
internal import Messaging

/// Puts batches of the journal into the tables.
///
/// One thread at a time uses it and its database: it is handed over whole, and who hands it over keeps nothing of it.
package final class StoreWriter: @unchecked Sendable {
    /// Where the database is or will be, locked; nil if it was opened by somebody else.
    private var files: StoreFiles?
    private let isDurable: Bool
    private var opened: Opened?
    private var sieve = RecordSieve()

    private struct Opened {
        let database: Database
        let statements: Statements
        /// What may be in the tables.
        var known: KnownRows
    }

    /// - Parameter isDurable: whether a commit waits for the disk (fsync), or only for the system.
    package init(_ database: Database, isDurable: Bool) throws(DatabaseError) {
        self.isDurable = isDurable
        opened = try prepare(database)
    }

    /// One that opens its database, or makes it, with `open` or with the first `write` for which there is space.
    init(_ files: StoreFiles, isDurable: Bool) {
        self.files = files
        self.isDurable = isDurable
    }

    /// Opens the database, and makes it if it is not there.
    func open() throws(DatabaseError) {
        guard opened == nil, let files else { return }
        if try files.size(files.database) == nil { try files.makeDatabase() }
        let database = try Database(path: files.database)
        try database.refuseReadOnly()
        opened = try prepare(database)
    }

    private func prepare(_ database: Database) throws(DatabaseError) -> Opened {
        try database.execute(Schema.settings(isDurable: isDurable))
        try Schema.prepare(database)
        let statements = try Statements(database)
        database.watchLog()
        return Opened(database: database, statements: statements, known: try KnownRows(database))
    }

    /// The database, once it is open.
    var openDatabase: Database? { opened?.database }

    /// The database of a writer that has written.
    var database: Database {
        guard let opened else { preconditionFailure("nothing was written yet") }
        return opened.database
    }

    private var statements: Statements {
        guard let opened else { preconditionFailure("nothing was written yet") }
        return opened.statements
    }

    /// What a damaged database has lost.
    func losses() throws(DatabaseError) -> [StoreLoss] {
        guard let database = openDatabase else { return [] }
        return try StoreLoss.read(from: database)
    }

    /// It was told. Where there is no space for that it is told again with the next start.
    func forgetLosses() {
        guard let database = openDatabase else { return }
        try? StoreLoss.forget(in: database)
    }

    /// Pages that were committed and are not in the database's file itself yet.
    var logPages: Int32 { opened?.database.logPages ?? 0 }

    /// How many records of the last transaction needed no statement.
    var leftOut: Int { sieve.leftOut }

    /// Ends it, and the database with it.
    package func close() {
        opened?.database.close()
        files = nil
    }

    /// Applies batches in one transaction: all records of all of them, or, when it throws, none.
    package func write(_ batches: [JournalBatch]) throws(DatabaseError) {
        try open()
        sift(batches)
        try database.transaction { () throws(DatabaseError) in
            var ordinal = 0
            for batch in batches {
                _ = try batch.forEach { record throws(DatabaseError) in
                    if sieve.keeps(record, ordinal) { try apply(record, ordinal) }
                    ordinal += 1
                }
            }
        }
        opened?.known.settle(sieve)
    }

    /// Finds out which records need no statement.
    private func sift(_ batches: [JournalBatch]) {
        guard let known = opened?.known else { return }
        sieve.begin()
        for batch in batches {
            let isWhole = batch.forEach { sieve.note($0, known) }
            precondition(isWhole, "a batch that we did not write")
        }
    }

    /// Writes the log back into the database, as far as that goes without waiting.
    package func checkpoint() throws(DatabaseError) {
        try openDatabase?.execute("PRAGMA wal_checkpoint(PASSIVE)")
    }

    private func apply(_ record: JournalRecord, _ ordinal: Int) throws(DatabaseError) {
        switch record {
        case .session(let record): try put(record)
        case .sessionGone(let session): try remove(session)
        case .subscription(let record): try put(record)
        case .subscriptionGone(let session, let filter):
            try run(statements.removeSubscription) {
                $0.bind(1, Int64(session))
                $0.bind(2, filter)
            }
        case .message(let record): try put(record)
        case .messageGone(let serial): try run(statements.removeMessage) { $0.bind(1, Int64(bitPattern: serial)) }
        case .delivery(var record):
            record.packetIdentifier = sieve.packetIdentifier(ordinal) ?? record.packetIdentifier
            try put(record)
        case .started(let session, let sequence, let packetIdentifier):
            try run(statements.startDelivery) {
                $0.bindPlace(session, sequence)
                $0.bind(3, Int64(packetIdentifier))
            }
        case .released(let session, let sequence):
            try run(statements.releaseDelivery) { $0.bindPlace(session, sequence) }
        case .deliveryGone(let session, let sequence):
            try run(statements.removeDelivery) { $0.bindPlace(session, sequence) }
        case .received(let session, let packetIdentifier, let serial, let retain):
            try run(statements.putReceived) {
                $0.bind(1, Int64(session))
                $0.bind(2, Int64(packetIdentifier))
                $0.bind(3, Int64(bitPattern: serial))
                $0.bind(4, retain)
            }
        case .receivedGone(let session, let packetIdentifier):
            try run(statements.removeReceived) {
                $0.bind(1, Int64(session))
                $0.bind(2, Int64(packetIdentifier))
            }
        case .retained(let serial, let topic):
            try run(statements.putRetained) {
                $0.bind(1, topic)
                $0.bind(2, Int64(bitPattern: serial))
            }
        case .retainedGone(let topic): try run(statements.removeRetained) { $0.bind(1, topic) }
        case .will(let record): try put(record)
        case .willGone(let session): try run(statements.removeWill) { $0.bind(1, Int64(session)) }
        case .device(let record): try put(record)
        case .deviceGone(let device):
            try run(statements.removeDevice) { $0.bind(1, Int64(device)) }
            try run(statements.removeDeviceTopics) { $0.bind(1, Int64(device)) }
        case .deviceTopic(let record): try put(record)
        case .deviceTopicsGone(let device):
            try run(statements.removeDeviceTopics) { $0.bind(1, Int64(device)) }
        }
    }

    private func run(_ statement: Statement, _ bind: (Statement) -> Void) throws(DatabaseError) {
        bind(statement)
        try statement.run()
    }

    private func put(_ record: SessionRecord) throws(DatabaseError) {
        try run(statements.putSession) {
            $0.bind(1, Int64(record.session))
            $0.bind(2, record.clientID)
            if let userName = record.userName { $0.bind(3, userName) } else { $0.bindNothing(3) }
            $0.bind(4, Int64(record.expiryInterval))
            if let awaySince = record.awaySince { $0.bind(5, awaySince) } else { $0.bindNothing(5) }
            $0.bind(6, record.isDevice)
        }
    }

    /// Messages are told apart: others may refer to them.
    private func remove(_ session: UInt32) throws(DatabaseError) {
        for statement in statements.removeSession {
            try run(statement) { $0.bind(1, Int64(session)) }
        }
    }

    private func put(_ record: SubscriptionRecord) throws(DatabaseError) {
        try run(statements.putSubscription) {
            $0.bind(1, Int64(record.session))
            $0.bind(2, record.filter)
            $0.bind(3, Int64(record.options))
            $0.bind(4, Int64(record.identifier))
        }
    }

    private func put(_ record: MessageRecord) throws(DatabaseError) {
        try run(statements.putMessage) {
            $0.bind(1, Int64(bitPattern: record.serial))
            $0.bind(2, record.topic)
            $0.bind(3, record.properties)
            $0.bind(4, record.payload)
            $0.bind(5, record.expiresAt)
            $0.bind(6, Int64(record.takenAt))
            $0.bind(7, Int64(record.qos.rawValue))
            $0.bind(8, record.retain)
        }
    }

    private func put(_ record: DeliveryRecord) throws(DatabaseError) {
        try run(statements.putDelivery) {
            $0.bindPlace(record.session, record.sequence)
            $0.bind(3, Int64(bitPattern: record.serial))
            $0.bind(4, Int64(record.packetIdentifier))
            $0.bind(5, Int64(record.qos.rawValue))
            $0.bind(6, record.retain)
            $0.bind(7, record.group)
            $0.bind(8, record.identifiers)
        }
    }

    private func put(_ record: WillRecord) throws(DatabaseError) {
        try run(statements.putWill) {
            $0.bind(1, Int64(record.session))
            $0.bind(2, record.due)
            $0.bind(3, record.topic)
            $0.bind(4, record.properties)
            $0.bind(5, record.payload)
            $0.bind(6, Int64(record.qos.rawValue))
            $0.bind(7, record.retain)
            if let expiry = record.messageExpiryInterval { $0.bind(8, Int64(expiry)) } else { $0.bindNothing(8) }
        }
    }

    private func put(_ record: DeviceRecord) throws(DatabaseError) {
        try run(statements.putDevice) {
            $0.bind(1, Int64(record.device))
            $0.bind(2, record.clientID)
            $0.bind(3, Int64(record.state.rawValue))
            $0.bind(4, record.path)
            $0.bind(5, record.nodeID)
            $0.bind(6, record.isBound)
            $0.bind(7, record.hadWill)
            $0.bind(8, record.cleanSession)
            $0.bind(9, Int64(record.keepAlive))
            $0.bind(10, Int64(record.sleepDuration))
            $0.bind(11, Int64(record.sessionExpiryInterval))
            if let awaySince = record.awaySince { $0.bind(12, awaySince) } else { $0.bindNothing(12) }
            guard let will = record.will else {
                for index in 13...16 as ClosedRange<Int32> { $0.bindNothing(index) }
                return
            }
            $0.bind(13, will.topic)
            $0.bind(14, will.payload)
            $0.bind(15, Int64(will.qos.rawValue))
            $0.bind(16, will.retain)
        }
    }

    private func put(_ record: DeviceTopicRecord) throws(DatabaseError) {
        try run(statements.putDeviceTopic) {
            $0.bind(1, Int64(record.device))
            $0.bind(2, Int64(record.type))
            $0.bind(3, Int64(record.id))
            $0.bind(4, record.topic)
            $0.bind(5, Int64(record.knowledge))
            $0.bind(6, record.isServers)
        }
    }
}

/// What a store runs over and over.
private final class Statements {
    let putSession, putSubscription, removeSubscription, putMessage, removeMessage: Statement
    let putDelivery, startDelivery, releaseDelivery, removeDelivery: Statement
    let putReceived, removeReceived, putRetained, removeRetained, putWill, removeWill: Statement
    let putDevice, removeDevice, putDeviceTopic, removeDeviceTopics: Statement
    let removeSession: [Statement]

    init(_ database: Database) throws(DatabaseError) {
        putSession = try database.prepare("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?)")
        putSubscription = try database.prepare("INSERT OR REPLACE INTO subscription VALUES (?, ?, ?, ?)")
        removeSubscription = try database.prepare("DELETE FROM subscription WHERE session = ? AND filter = ?")
        putMessage = try database.prepare("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        removeMessage = try database.prepare("DELETE FROM message WHERE serial = ?")
        putDelivery = try database.prepare("INSERT OR REPLACE INTO delivery VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)")
        let place = "WHERE session = ?1 AND sequence = ?2"
        startDelivery = try database.prepare("UPDATE delivery SET packet_identifier = ?3 \(place)")
        releaseDelivery = try database.prepare("UPDATE delivery SET is_released = 1 \(place)")
        removeDelivery = try database.prepare("DELETE FROM delivery \(place)")
        putReceived = try database.prepare("INSERT OR REPLACE INTO received VALUES (?, ?, ?, ?)")
        removeReceived = try database.prepare("DELETE FROM received WHERE session = ? AND packet_identifier = ?")
        putRetained = try database.prepare("INSERT OR REPLACE INTO retained VALUES (?, ?)")
        removeRetained = try database.prepare("DELETE FROM retained WHERE topic = ?")
        putWill = try database.prepare("INSERT OR REPLACE INTO will VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        removeWill = try database.prepare("DELETE FROM will WHERE session = ?")
        let sixteen = Array(repeating: "?", count: 16).joined(separator: ", ")
        putDevice = try database.prepare("INSERT OR REPLACE INTO device VALUES (\(sixteen))")
        removeDevice = try database.prepare("DELETE FROM device WHERE device = ?")
        putDeviceTopic = try database.prepare("INSERT OR REPLACE INTO device_topic VALUES (?, ?, ?, ?, ?, ?)")
        removeDeviceTopics = try database.prepare("DELETE FROM device_topic WHERE device = ?")
        var removals: [Statement] = []
        for table in ["session", "subscription", "delivery", "received", "will"] {
            removals.append(try database.prepare("DELETE FROM \(table) WHERE session = ?"))
        }
        removeSession = removals
    }
}

extension Statement {
    fileprivate func bind(_ index: Int32, _ flag: Bool) { bind(index, flag ? 1 : 0 as Int64) }

    fileprivate func bindPlace(_ session: UInt32, _ sequence: UInt64) {
        bind(1, Int64(session))
        bind(2, Int64(bitPattern: sequence))
    }
}
