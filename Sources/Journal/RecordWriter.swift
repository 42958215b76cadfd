internal import Bytes
internal import Messaging

/// Writes the fields of records.
struct RecordWriter {
    var buffer: OutputBuffer

    mutating func kind(_ kind: UInt8) { buffer.append(kind) }

    /// A record of one delivery.
    mutating func place(_ kind: UInt8, _ session: UInt32, _ sequence: UInt64) {
        self.kind(kind)
        number(session)
        number(sequence)
    }

    mutating func number(_ number: UInt16) { buffer.append(number) }

    mutating func number(_ number: UInt32) { buffer.append(number) }

    mutating func number(_ number: UInt64) {
        buffer.append(UInt32(number >> 32))
        buffer.append(UInt32(truncatingIfNeeded: number))
    }

    mutating func number(_ number: Int64) { self.number(UInt64(bitPattern: number)) }

    mutating func flag(_ flag: Bool) { buffer.append(flag ? 1 : 0 as UInt8) }

    /// A four-byte length and the bytes: a payload may be longer than MQTT's strings.
    mutating func bytes(_ bytes: ByteView) {
        buffer.append(UInt32(bytes.count))
        buffer.append(bytes)
    }

    /// A flag, and what it says is there.
    mutating func optional<Value>(_ value: Value?, _ write: (inout RecordWriter, Value) -> Void) {
        flag(value != nil)
        if let value { write(&self, value) }
    }

    mutating func write(_ record: SessionRecord) {
        number(record.session)
        bytes(record.clientID)
        optional(record.userName) { $0.bytes($1) }
        number(record.expiryInterval)
        optional(record.awaySince) { $0.number($1) }
        flag(record.isDevice)
    }

    mutating func write(_ record: SubscriptionRecord) {
        number(record.session)
        bytes(record.filter)
        buffer.append(record.options)
        number(record.identifier)
    }

    mutating func write(_ record: MessageRecord) {
        number(record.serial)
        bytes(record.topic)
        bytes(record.properties)
        bytes(record.payload)
        number(record.expiresAt)
        number(record.takenAt)
        buffer.append(record.qos.rawValue)
        flag(record.retain)
    }

    mutating func write(_ record: DeliveryRecord) {
        number(record.session)
        number(record.sequence)
        number(record.serial)
        number(record.packetIdentifier)
        buffer.append(record.qos.rawValue)
        flag(record.retain)
        bytes(record.group)
        bytes(record.identifiers)
    }

    mutating func write(_ record: WillRecord) {
        number(record.session)
        number(record.due)
        bytes(record.topic)
        bytes(record.properties)
        bytes(record.payload)
        buffer.append(record.qos.rawValue)
        flag(record.retain)
        optional(record.messageExpiryInterval) { $0.number($1) }
    }
}
