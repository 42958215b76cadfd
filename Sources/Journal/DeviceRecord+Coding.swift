internal import Bytes
internal import Messaging

extension RecordWriter {
    mutating func write(_ record: DeviceRecord) {
        number(record.device)
        bytes(record.clientID)
        buffer.append(record.state.rawValue)
        bytes(record.path)
        bytes(record.nodeID)
        flag(record.isBound)
        flag(record.hadWill)
        flag(record.cleanSession)
        number(record.keepAlive)
        number(record.sleepDuration)
        number(record.sessionExpiryInterval)
        optional(record.awaySince) { $0.number($1) }
        optional(record.will) { writer, will in
            writer.bytes(will.topic)
            writer.bytes(will.payload)
            writer.buffer.append(will.qos.rawValue)
            writer.flag(will.retain)
        }
    }

    mutating func write(_ record: DeviceTopicRecord) {
        number(record.device)
        buffer.append(record.type)
        number(record.id)
        bytes(record.topic)
        buffer.append(record.knowledge)
        flag(record.isServers)
    }
}

extension DeviceRecord {
    init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        self.init(
            device: try reader.uint32(), clientID: try reader.bytes(), state: try State(from: &reader),
            path: try reader.bytes(), nodeID: try reader.bytes(), isBound: try reader.flag(),
            hadWill: try reader.flag(), cleanSession: try reader.flag(), keepAlive: try reader.uint16(),
            sleepDuration: try reader.uint16(), sessionExpiryInterval: try reader.uint32(),
            awaySince: try reader.optional { reader throws(RecordReader.Fault) in try reader.int64() },
            will: try reader.optional { reader throws(RecordReader.Fault) in try StoredWill(from: &reader) })
    }
}

extension DeviceRecord.State {
    fileprivate init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        guard let state = Self(rawValue: try reader.uint8()) else { throw RecordReader.Fault() }
        self = state
    }
}

extension DeviceRecord.StoredWill {
    fileprivate init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        self.init(
            topic: try reader.bytes(), payload: try reader.bytes(), qos: try reader.qos(), retain: try reader.flag())
    }
}

extension DeviceTopicRecord {
    init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        self.init(
            device: try reader.uint32(), type: try reader.uint8(), id: try reader.uint16(), topic: try reader.bytes(),
            knowledge: try reader.uint8(), isServers: try reader.flag())
    }
}
