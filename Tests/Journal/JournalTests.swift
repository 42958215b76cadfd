import Bytes
import Clockwork
import Messaging
import Testing

@testable import Journal

@Suite struct JournalTests {
    /// A record of each kind, with the least and the most in its fields.
    private static func withRecords(_ body: ([JournalRecord]) -> Void) {
        let long = ByteString([UInt8](repeating: 0xFE, count: 70_000))
        let text: ByteString = "a/b"
        long.withView { long in
            text.withView { text in
                body([
                    .session(
                        SessionRecord(
                            session: 0, clientID: text, userName: nil, expiryInterval: 0, awaySince: nil,
                            isDevice: false)),
                    .session(
                        SessionRecord(
                            session: .max, clientID: long, userName: .empty, expiryInterval: .max, awaySince: .min,
                            isDevice: true)),
                    .sessionGone(session: 7),
                    .subscription(
                        SubscriptionRecord(session: 7, filter: text, options: 0x2D, identifier: 268_435_455)),
                    .subscriptionGone(session: 7, filter: .empty),
                    .message(
                        MessageRecord(
                            serial: .max, topic: text, properties: .empty, payload: long, expiresAt: .max,
                            takenAt: .max, qos: .exactlyOnce, retain: true)),
                    .messageGone(serial: 0x0102_0304_0506_0708),
                    .delivery(
                        DeliveryRecord(
                            session: 1, sequence: 1 << 40, serial: 3, packetIdentifier: 65_535, qos: .atLeastOnce,
                            retain: false, group: text, identifiers: long)),
                    .started(session: 1, sequence: .max, packetIdentifier: 1),
                    .released(session: 1, sequence: 0),
                    .deliveryGone(session: 1, sequence: 2),
                    .received(session: 1, packetIdentifier: 2, serial: 3, retain: true),
                    .receivedGone(session: 1, packetIdentifier: 2),
                    .retained(serial: 9, topic: long),
                    .retainedGone(topic: text),
                    .will(
                        WillRecord(
                            session: 1, due: -1, topic: text, properties: text, payload: .empty, qos: .atMostOnce,
                            retain: true, messageExpiryInterval: .max)),
                    .will(
                        WillRecord(
                            session: 1, due: .max, topic: text, properties: .empty, payload: long, qos: .exactlyOnce,
                            retain: false, messageExpiryInterval: nil)),
                    .willGone(session: 1),
                    .device(
                        DeviceRecord(
                            device: 0, clientID: text, state: .active, path: .empty, nodeID: .empty, isBound: false,
                            hadWill: false, cleanSession: true, keepAlive: 0, sleepDuration: .max,
                            sessionExpiryInterval: 1, awaySince: nil, will: nil)),
                    .device(
                        DeviceRecord(
                            device: .max, clientID: text, state: .lost, path: long, nodeID: text, isBound: true,
                            hadWill: true, cleanSession: false, keepAlive: .max, sleepDuration: 0,
                            sessionExpiryInterval: .max, awaySince: .min,
                            will: .init(topic: text, payload: long, qos: .exactlyOnce, retain: true))),
                    .deviceGone(device: 1),
                    .deviceTopic(
                        DeviceTopicRecord(
                            device: 2, type: 3, id: .max, topic: text, knowledge: 255, isServers: true)),
                    .deviceTopicsGone(device: .max),
                ])
            }
        }
    }

    @Test("What is appended is read again, record by record, in its order")
    func roundTrip() {
        var journal = Journal(isOn: true)
        defer { journal.deallocate() }
        Self.withRecords { records in
            for record in records { journal.append(record) }
            #expect(journal.promises == UInt64(records.count))
            var read = 0
            let batch = journal.takeBatch()
            let isWhole = batch?.forEach { record in
                #expect(record == records[read])
                read += 1
            }
            #expect(isWhole == true)
            #expect(read == records.count)
        }
    }

    @Test("A batch that is cut short, or has something else in it, is no batch; nothing is read beyond its end")
    func faults() {
        Self.withRecords { records in
            for record in records {
                var buffer = OutputBuffer()
                defer { buffer.deallocate() }
                record.append(to: &buffer)
                let bytes = [UInt8](buffer.pending.memory)
                for count in Set([0, 1, 2, 5, 9, bytes.count / 2, bytes.count - 1])
                where 0 < count && count < bytes.count {
                    let cut = JournalBatch(number: 1, bytes: Array(bytes[..<count]))
                    #expect(!cut.forEach { _ in })
                }
            }
        }
        #expect(!JournalBatch(number: 1, bytes: [0xFF]).forEach { _ in })
        #expect(JournalBatch(number: 1, bytes: []).forEach { _ in })
    }

    @Test("Random bytes end in an answer", arguments: [1, 2, 3] as [UInt64])
    func random(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            var bytes = (0..<generator.below(60)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            if !bytes.isEmpty { bytes[0] %= 20 }
            _ = JournalBatch(number: 1, bytes: bytes).forEach { _ in }
        }
    }

    @Test("Batches are numbered from 1 on; without records there is none")
    func numbers() {
        var journal = Journal(isOn: true)
        #expect(journal.takeBatch() == nil)
        #expect(journal.batch == 1)
        journal.append(.sessionGone(session: 1))
        #expect(journal.byteCount == 5)
        #expect(journal.takeBatch()?.number == 1)
        #expect(journal.byteCount == 0)
        #expect(journal.takeBatch() == nil)
        journal.append(.sessionGone(session: 1))
        #expect(journal.takeBatch()?.number == 2)
    }

    @Test("A journal that is off takes nothing")
    func off() {
        var journal = Journal(isOn: false)
        journal.append(.sessionGone(session: 1))
        #expect(journal.promises == 0 && journal.batch == 0 && journal.takeBatch() == nil)
    }
}
