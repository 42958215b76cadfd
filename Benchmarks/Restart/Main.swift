import BrokerCore
import Bytes
import Clockwork
import Glibc
import Journal
import Measuring
import Messaging
import Store

/// `bench-restart [--quick]`: how long a gateway takes until it has again what it had, and what its commits cost.
@main
enum Main {
    private static let directory = ".build/bench-restart"

    static func main() throws {
        let sessions: UInt32 = CommandLine.arguments.contains("--quick") ? 100 : 10_000
        clear()
        try fill(sessions: sessions)
        print("| \(sessions) sessions, \(sessions * 3) subscriptions, \(sessions * 10) messages that wait | ms |")
        print("| --- | --: |")
        try restart()
        clear()
        print("\n| a commit | messages in it | microseconds | each |\n| --- | --: | --: | --: |")
        for isDurable in [true, false] {
            for messages in [1, 100] { try commits(isDurable: isDurable, messages: messages, areTaken: false) }
            try commits(isDurable: isDurable, messages: 100, areTaken: true)
        }
        clear()
    }

    private static func clear() {
        for name in ["dormouse.db", "dormouse.db-wal"] { unlink(directory + "/" + name) }
        rmdir(directory)
    }

    private static func open(isDurable: Bool) throws -> StoreDirectory {
        try StoreDirectory(path: directory, isDurable: isDurable, unixSeconds: 1_800_000_000)
    }

    /// Sessions that are away, with three subscriptions each, and ten messages of 64 bytes that wait.
    private static func fill(sessions: UInt32) throws {
        var journal = Journal(isOn: true)
        defer { journal.deallocate() }
        for session in 0..<sessions {
            let name = ByteString("client-\(session)")
            name.withView { name in
                journal.append(
                    .session(
                        SessionRecord(
                            session: session, clientID: name, userName: nil, expiryInterval: .max,
                            awaySince: 1_800_000_000, isDevice: false)))
            }
            for filter in 0..<3 {
                ByteString("plant/hall-\(filter)/device-\(session)/#").withView { filter in
                    journal.append(
                        .subscription(
                            SubscriptionRecord(session: session, filter: filter, options: 1, identifier: 0)))
                }
            }
        }
        for message in 0..<UInt64(sessions) * 10 {
            let session = UInt32(message % UInt64(sessions))
            append(serial: message + 1, session: session, sequence: message / UInt64(sessions) + 1, to: &journal)
        }
        let writer = try open(isDurable: true).takeWriter()
        if let batch = journal.takeBatch() { try writer.write([batch]) }
        writer.close()
    }

    private static func append(serial: UInt64, session: UInt32, sequence: UInt64, to journal: inout Journal) {
        let topic = ByteString("plant/hall-0/device-\(session)/temperature")
        let payload = ByteString([UInt8](repeating: 0x78, count: 64))
        topic.withView { topic in
            payload.withView { payload in
                journal.append(
                    .message(
                        MessageRecord(
                            serial: serial, topic: topic, properties: .empty, payload: payload, expiresAt: .max,
                            takenAt: 1_800_000_000, qos: .atLeastOnce, retain: false)))
            }
        }
        journal.append(
            .delivery(
                DeliveryRecord(
                    session: session, sequence: sequence, serial: serial, packetIdentifier: 0, qos: .atLeastOnce,
                    retain: false, group: .empty, identifiers: .empty)))
    }

    private static func restart() throws {
        let begin = wallNanoseconds()
        let store = try open(isDurable: true)
        let opened = wallNanoseconds()
        try store.read { _ in }
        let read = wallNanoseconds()
        var limits = BrokerLimits()
        limits.isDurable = true
        var broker = Broker(limits: limits, seed: 1)
        let now = Now(instant: Instant(nanoseconds: 0), unixSeconds: 1_800_000_001)
        var restorer = BrokerRestorer(now: now, lasting: try store.lastingMessages())
        try store.read { restorer.take($0, into: &broker) }
        restorer.finish(&broker)
        let ready = wallNanoseconds()
        precondition(restorer.omitted == 0, "\(restorer.omitted) records were left out")
        report("opening, and looking for damage", decimal(Double(opened - begin) / 1e6))
        report("reading (once more than needed)", decimal(Double(read - opened) / 1e6))
        report("reading and giving all to the broker", decimal(Double(ready - read) / 1e6))
        report("**from the start until ready**", decimal(Double(ready - read + opened - begin) / 1e6))
        store.takeWriter().close()
    }

    /// Commits of new messages, each for one session; and with all of them taken by their receivers before the commit.
    private static func commits(isDurable: Bool, messages: Int, areTaken: Bool) throws {
        let rounds = 200
        let writer = try open(isDurable: isDurable).takeWriter()
        var journal = Journal(isOn: true)
        defer { journal.deallocate() }
        var serial: UInt64 = 1 << 40
        var total = 0
        for _ in 0..<rounds {
            for _ in 0..<messages {
                serial += 1
                append(serial: serial, session: 1, sequence: serial, to: &journal)
                guard areTaken else { continue }
                journal.append(.started(session: 1, sequence: serial, packetIdentifier: 1))
                journal.append(.deliveryGone(session: 1, sequence: serial))
                journal.append(.messageGone(serial: serial))
            }
            guard let batch = journal.takeBatch() else { continue }
            let begin = wallNanoseconds()
            try writer.write([batch])
            total += wallNanoseconds() - begin
        }
        writer.close()
        let each = Double(total) / Double(rounds) / 1e3
        report(
            "\(isDurable ? "disk" : "process")\(areTaken ? ", all delivered in it" : "")", "\(messages)",
            decimal(each), decimal(each / Double(messages)))
        clear()
    }
}

private func wallNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
