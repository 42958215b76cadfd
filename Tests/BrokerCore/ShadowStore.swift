import Bytes
import Clockwork
import Journal
import Messaging
import Store
import Testing

@testable import BrokerCore

/// A store that follows a broker: what the journal says goes into tables of SQLite, and out of them another broker can
/// be made, which must have everything that is to survive.
final class ShadowStore {
    private let database: Database
    private let writer: StoreWriter
    private let loader: MessageLoader
    private var last: UInt64 = 0

    init() throws {
        database = try Database(path: ":memory:")
        writer = try StoreWriter(database, isDurable: false)
        loader = try MessageLoader(database)
    }

    deinit { database.close() }

    /// Takes what the broker has told its journal.
    func follow(_ broker: inout Broker) throws {
        guard let batch = broker.journal.takeBatch() else { return }
        #expect(batch.number > last)
        last = batch.number
        try writer.write([batch])
        broker.noteCommitted(batch: batch.number)
    }

    /// Reads one message back.
    func load(_ serial: UInt64) throws -> StoredMessage {
        try loader.page(of: [serial])[0]
    }

    /// Damages the database: one message is gone.
    func lose(_ serial: UInt64) throws {
        try database.execute("DELETE FROM message WHERE serial = \(serial)")
    }

    /// A broker as a gateway that starts now would have it.
    func restored(_ limits: BrokerLimits, now: Now) throws -> Broker {
        var broker = Broker(limits: limits, seed: 2)
        let reader = StoreReader(database)
        var restorer = BrokerRestorer(now: now, lasting: try reader.lastingMessages())
        try reader.read { restorer.take($0, into: &broker) }
        restorer.finish(&broker)
        #expect(restorer.omitted == 0)
        #expect(broker.ledgerImbalance == 0)
        return broker
    }
}

extension Broker {
    /// Everything that is to survive a crash, in words; what only the disk has is read from there.
    func portrait(_ store: ShadowStore) -> [String] {
        var lines: [String] = []
        for slot in sessions.indices where sessions[slot].isLive && sessions[slot].expiryInterval > 0 {
            lines += portrait(of: slot, store)
        }
        var topics: [String] = []
        var found: [TopicID] = []
        let everything: ByteString = "#"
        _ = everything.withView { retainedTopics.matches(filter: $0, into: &found) }
        for topic in found {
            guard let retained = self.topics[topic].retained else { continue }
            topics.append("retained \(words(retained.message, store)) \(retained.qos)")
        }
        return lines + topics.sorted()
    }

    private func portrait(of slot: Int, _ store: ShadowStore) -> [String] {
        let session = sessions[slot]
        let owner = session.userName?.description ?? "nobody"
        var lines = ["session \(slot) \(session.clientID) \(owner) \(session.expiryInterval) \(session.isDevice)"]
        let filters = session.subscriptions.entries.map { entry in
            switch entry.key {
            case .topic(let topic): "  filter \(ByteString(topics.name(of: topic))) \(entry.options)"
            case .filter(let filter): "  filter \(filter) \(entry.options)"
            }
        }
        lines += filters.sorted()
        for entry in session.inflight {
            lines.append(
                delivery(
                    entry.packetIdentifier, entry.qos, entry.retain, entry.phase == .release, entry.message,
                    entry.group, entry.identifiers, store))
        }
        for entry in session.queue {
            lines.append(
                delivery(
                    entry.packetIdentifier, entry.qos, entry.retain, entry.phase == .release, entry.message,
                    entry.group, entry.identifiers, store))
        }
        let received = session.received.map { entry in
            "  received \(entry.packetIdentifier) \(words(entry.message, store)) \(entry.retain)"
        }
        lines += received.sorted()
        if let will = session.pendingWill { lines.append("  will \(will.topic) \(will.payload) \(will.qos)") }
        return lines
    }

    private func delivery(
        _ packetIdentifier: UInt16, _ qos: QoS, _ retain: Bool, _ isReleased: Bool, _ message: MessageHandle,
        _ group: UInt32, _ identifiers: SubscriptionIdentifiers, _ store: ShadowStore
    ) -> String {
        if isReleased { return "  PUBREL \(packetIdentifier)" }
        let list = identifiers.listIndex.map { identifierLists[$0] } ?? [identifiers.raw]
        let shared = shared.name(ofSerial: group)?.description ?? "alone"
        return "  delivery \(packetIdentifier) \(qos) \(retain) \(words(message, store)) \(shared) \(list)"
    }

    private func words(_ handle: MessageHandle, _ store: ShadowStore) -> String {
        let message = messages.passing(handle)
        var bytes = (ByteString(message.properties), ByteString(message.payload))
        if messages[handle].isEvicted, let stored = try? store.load(message.serial) {
            stored.withBytes { found in
                if let found { bytes = (ByteString(found.properties), ByteString(found.payload)) }
            }
        }
        return "\(message.serial) \(ByteString(topics.name(of: message.topic))) \(bytes.1) \(bytes.0)"
            + " \(message.expiresAt) \(message.takenAt) \(message.qos)"
    }
}
