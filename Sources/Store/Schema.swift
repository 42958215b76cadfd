/// The tables, and how older ones become these.
enum Schema {
    /// `user_version` of a database with these tables.
    static let version: Int64 = 1

    /// What the database is opened with. It belongs to one gateway: a second one is told so, and no shared memory is
    /// needed. The log is written back when the store has time, not when a commit finds it long.
    static func settings(isDurable: Bool) -> String {
        """
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = \(isDurable ? "FULL" : "NORMAL");
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA journal_size_limit = 16777216;
        PRAGMA foreign_keys = OFF;
        """
    }

    /// A table and the columns of its key.
    struct Table {
        let name: String
        let keys: [String]

        var ascending: String { keys.joined(separator: ", ") }
        var descending: String { keys.map { $0 + " DESC" }.joined(separator: ", ") }
    }

    static let tables = [
        Table(name: "session", keys: ["session"]), Table(name: "subscription", keys: ["session", "filter"]),
        Table(name: "message", keys: ["serial"]), Table(name: "delivery", keys: ["session", "sequence"]),
        Table(name: "received", keys: ["session", "packet_identifier"]), Table(name: "retained", keys: ["topic"]),
        Table(name: "will", keys: ["session"]), Table(name: "device", keys: ["device"]),
        Table(name: "device_topic", keys: ["device", "type", "id"]),
    ]

    /// Each takes the tables one version further: the first makes them.
    private static let steps = [
        """
        CREATE TABLE session (
            session INTEGER PRIMARY KEY, client_id BLOB NOT NULL, user_name BLOB, expiry_interval INTEGER NOT NULL,
            away_since INTEGER, is_device INTEGER NOT NULL
        );
        CREATE TABLE subscription (
            session INTEGER NOT NULL, filter BLOB NOT NULL, options INTEGER NOT NULL, identifier INTEGER NOT NULL,
            PRIMARY KEY (session, filter)
        ) WITHOUT ROWID;
        CREATE TABLE message (
            serial INTEGER PRIMARY KEY, topic BLOB NOT NULL, properties BLOB NOT NULL, payload BLOB NOT NULL,
            expires_at INTEGER NOT NULL, taken_at INTEGER NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL
        );
        CREATE TABLE delivery (
            session INTEGER NOT NULL, sequence INTEGER NOT NULL, serial INTEGER NOT NULL,
            packet_identifier INTEGER NOT NULL, is_released INTEGER NOT NULL, qos INTEGER NOT NULL,
            retain INTEGER NOT NULL, shared_filter BLOB NOT NULL, identifiers BLOB NOT NULL,
            PRIMARY KEY (session, sequence)
        ) WITHOUT ROWID;
        CREATE TABLE received (
            session INTEGER NOT NULL, packet_identifier INTEGER NOT NULL, serial INTEGER NOT NULL,
            retain INTEGER NOT NULL, PRIMARY KEY (session, packet_identifier)
        ) WITHOUT ROWID;
        CREATE TABLE retained (topic BLOB PRIMARY KEY, serial INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE will (
            session INTEGER PRIMARY KEY, due INTEGER NOT NULL, topic BLOB NOT NULL, properties BLOB NOT NULL,
            payload BLOB NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL, expiry_interval INTEGER
        );
        CREATE TABLE device (
            device INTEGER PRIMARY KEY, client_id BLOB NOT NULL, state INTEGER NOT NULL, path BLOB NOT NULL,
            node_id BLOB NOT NULL, is_bound INTEGER NOT NULL, had_will INTEGER NOT NULL,
            clean_session INTEGER NOT NULL, keep_alive INTEGER NOT NULL, sleep_duration INTEGER NOT NULL,
            expiry_interval INTEGER NOT NULL, away_since INTEGER, will_topic BLOB, will_payload BLOB,
            will_qos INTEGER, will_retain INTEGER
        );
        CREATE TABLE device_topic (
            device INTEGER NOT NULL, type INTEGER NOT NULL, id INTEGER NOT NULL, topic BLOB NOT NULL,
            knowledge INTEGER NOT NULL, is_servers INTEGER NOT NULL, PRIMARY KEY (device, type, id)
        ) WITHOUT ROWID;
        """
    ]

    /// Makes or renews the tables, as one transaction.
    static func prepare(_ database: Database) throws(DatabaseError) {
        let found = try database.integer("PRAGMA user_version")
        guard found <= version else {
            let words = "the database is of version \(found), from a newer gateway; this one knows \(version)"
            throw DatabaseError(code: 1, words: words)
        }
        guard found < version else { return }
        try database.transaction { () throws(DatabaseError) in
            for step in steps[Int(found)...] { try database.execute(step) }
            try database.execute("PRAGMA user_version = \(version)")
        }
    }
}
