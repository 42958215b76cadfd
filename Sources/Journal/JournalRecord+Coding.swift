internal import Bytes
internal import Messaging

/// How records are written: a byte for the kind, then the fields, big-endian. Nobody but this version of the gateway
/// ever reads them.
extension JournalRecord {
    private enum Kind: UInt8 {
        case session, sessionGone, subscription, subscriptionGone, message, messageGone, delivery, started, released
        case deliveryGone, received, receivedGone, retained, retainedGone, will, willGone
        case device, deviceGone, deviceTopic, deviceTopicsGone
    }

    func append(to buffer: inout OutputBuffer) {
        var writer = RecordWriter(buffer: buffer)
        write(to: &writer)
        buffer = writer.buffer
    }

    private func write(to writer: inout RecordWriter) {
        switch self {
        case .session(let record):
            writer.kind(Kind.session.rawValue)
            writer.write(record)
        case .sessionGone(let session):
            writer.kind(Kind.sessionGone.rawValue)
            writer.number(session)
        case .subscription(let record):
            writer.kind(Kind.subscription.rawValue)
            writer.write(record)
        case .subscriptionGone(let session, let filter):
            writer.kind(Kind.subscriptionGone.rawValue)
            writer.number(session)
            writer.bytes(filter)
        case .message(let record):
            writer.kind(Kind.message.rawValue)
            writer.write(record)
        case .messageGone(let serial):
            writer.kind(Kind.messageGone.rawValue)
            writer.number(serial)
        case .delivery(let record):
            writer.kind(Kind.delivery.rawValue)
            writer.write(record)
        case .started(let session, let sequence, let packetIdentifier):
            writer.place(Kind.started.rawValue, session, sequence)
            writer.number(packetIdentifier)
        case .released(let session, let sequence):
            writer.place(Kind.released.rawValue, session, sequence)
        case .deliveryGone(let session, let sequence):
            writer.place(Kind.deliveryGone.rawValue, session, sequence)
        case .received(let session, let packetIdentifier, let serial, let retain):
            writer.kind(Kind.received.rawValue)
            writer.number(session)
            writer.number(packetIdentifier)
            writer.number(serial)
            writer.flag(retain)
        case .receivedGone(let session, let packetIdentifier):
            writer.kind(Kind.receivedGone.rawValue)
            writer.number(session)
            writer.number(packetIdentifier)
        case .retained(let serial, let topic):
            writer.kind(Kind.retained.rawValue)
            writer.number(serial)
            writer.bytes(topic)
        case .retainedGone(let topic):
            writer.kind(Kind.retainedGone.rawValue)
            writer.bytes(topic)
        case .will(let record):
            writer.kind(Kind.will.rawValue)
            writer.write(record)
        case .willGone(let session):
            writer.kind(Kind.willGone.rawValue)
            writer.number(session)
        case .device(let record):
            writer.kind(Kind.device.rawValue)
            writer.write(record)
        case .deviceGone(let device):
            writer.kind(Kind.deviceGone.rawValue)
            writer.number(device)
        case .deviceTopic(let record):
            writer.kind(Kind.deviceTopic.rawValue)
            writer.write(record)
        case .deviceTopicsGone(let device):
            writer.kind(Kind.deviceTopicsGone.rawValue)
            writer.number(device)
        }
    }

    /// The next record.
    init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        guard let kind = Kind(rawValue: try reader.uint8()) else { throw RecordReader.Fault() }
        switch kind {
        case .session: self = .session(try SessionRecord(from: &reader))
        case .sessionGone: self = .sessionGone(session: try reader.uint32())
        case .subscription: self = .subscription(try SubscriptionRecord(from: &reader))
        case .subscriptionGone: self = .subscriptionGone(session: try reader.uint32(), filter: try reader.bytes())
        case .message: self = .message(try MessageRecord(from: &reader))
        case .messageGone: self = .messageGone(serial: try reader.uint64())
        case .delivery: self = .delivery(try DeliveryRecord(from: &reader))
        case .started:
            self = .started(
                session: try reader.uint32(), sequence: try reader.uint64(), packetIdentifier: try reader.uint16())
        case .released: self = .released(session: try reader.uint32(), sequence: try reader.uint64())
        case .deliveryGone: self = .deliveryGone(session: try reader.uint32(), sequence: try reader.uint64())
        case .received:
            self = .received(
                session: try reader.uint32(), packetIdentifier: try reader.uint16(), serial: try reader.uint64(),
                retain: try reader.flag())
        case .receivedGone:
            self = .receivedGone(session: try reader.uint32(), packetIdentifier: try reader.uint16())
        case .retained: self = .retained(serial: try reader.uint64(), topic: try reader.bytes())
        case .retainedGone: self = .retainedGone(topic: try reader.bytes())
        case .will: self = .will(try WillRecord(from: &reader))
        case .willGone: self = .willGone(session: try reader.uint32())
        case .device: self = .device(try DeviceRecord(from: &reader))
        case .deviceGone: self = .deviceGone(device: try reader.uint32())
        case .deviceTopic: self = .deviceTopic(try DeviceTopicRecord(from: &reader))
        case .deviceTopicsGone: self = .deviceTopicsGone(device: try reader.uint32())
        }
    }
}
