internal import Bytes
internal import Messaging

/// Reads the fields of records.
struct RecordReader {
    /// The bytes are not those of a record.
    struct Fault: Error {}

    private var reader: ByteReader

    init(_ bytes: ByteView) { reader = ByteReader(bytes) }

    var isAtEnd: Bool { reader.remaining == 0 }

    private func need<Value>(_ value: Value?) throws(Fault) -> Value {
        guard let value else { throw Fault() }
        return value
    }

    mutating func uint8() throws(Fault) -> UInt8 { try need(reader.readUInt8()) }

    mutating func uint16() throws(Fault) -> UInt16 { try need(reader.readUInt16()) }

    mutating func uint32() throws(Fault) -> UInt32 { try need(reader.readUInt32()) }

    mutating func uint64() throws(Fault) -> UInt64 { UInt64(try uint32()) << 32 | UInt64(try uint32()) }

    mutating func int64() throws(Fault) -> Int64 { Int64(bitPattern: try uint64()) }

    mutating func flag() throws(Fault) -> Bool {
        let byte = try uint8()
        guard byte <= 1 else { throw Fault() }
        return byte == 1
    }

    mutating func qos() throws(Fault) -> QoS { try need(QoS(rawValue: try uint8())) }

    /// A four-byte length and that many bytes.
    mutating func bytes() throws(Fault) -> ByteView {
        let count = try uint32()
        return try need(reader.readBytes(Int(count)))
    }

    /// What a flag says is there.
    mutating func optional<Value>(_ read: (inout RecordReader) throws(Fault) -> Value) throws(Fault) -> Value? {
        try flag() ? try read(&self) : nil
    }
}

extension SessionRecord {
    init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        self.init(
            session: try reader.uint32(), clientID: try reader.bytes(),
            userName: try reader.optional { reader throws(RecordReader.Fault) in try reader.bytes() },
            expiryInterval: try reader.uint32(),
            awaySince: try reader.optional { reader throws(RecordReader.Fault) in try reader.int64() },
            isDevice: try reader.flag())
    }
}

extension SubscriptionRecord {
    init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        self.init(
            session: try reader.uint32(), filter: try reader.bytes(), options: try reader.uint8(),
            identifier: try reader.uint32())
    }
}

extension MessageRecord {
    init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        self.init(
            serial: try reader.uint64(), topic: try reader.bytes(), properties: try reader.bytes(),
            payload: try reader.bytes(), expiresAt: try reader.int64(), takenAt: try reader.uint32(),
            qos: try reader.qos(), retain: try reader.flag())
    }
}

extension DeliveryRecord {
    init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        self.init(
            session: try reader.uint32(), sequence: try reader.uint64(), serial: try reader.uint64(),
            packetIdentifier: try reader.uint16(), qos: try reader.qos(), retain: try reader.flag(),
            group: try reader.bytes(), identifiers: try reader.bytes())
    }
}

extension WillRecord {
    init(from reader: inout RecordReader) throws(RecordReader.Fault) {
        self.init(
            session: try reader.uint32(), due: try reader.int64(), topic: try reader.bytes(),
            properties: try reader.bytes(), payload: try reader.bytes(), qos: try reader.qos(),
            retain: try reader.flag(),
            messageExpiryInterval: try reader.optional { reader throws(RecordReader.Fault) in try reader.uint32() })
    }
}
