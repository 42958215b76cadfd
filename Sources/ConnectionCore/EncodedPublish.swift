internal import Bytes
internal import MQTTWire
internal import Messaging

/// The PUBLISH encoded last. A message that goes to many clients is encoded once for each way it is said (version,
/// QoS, flags, identifiers); for every other receiver its bytes are copied and the packet identifier is patched
/// (DESIGN §3).
struct EncodedPublish {
    /// All that makes two encodings differ, but for the packet identifier.
    private struct Key {
        var serial: UInt64
        var expiry: UInt32?
        var identifiers: SubscriptionIdentifiers
        var qos: QoS
        var isDuplicate: Bool
        var retain: Bool
        var version: ProtocolVersion

        /// Written out, the likeliest difference first: it is asked for each delivery.
        @inline(__always)
        static func == (left: Key, right: Key) -> Bool {
            left.serial == right.serial && left.version.rawValue == right.version.rawValue && left.qos == right.qos
                && left.retain == right.retain && left.isDuplicate == right.isDuplicate
                && left.identifiers.raw == right.identifiers.raw && left.expiry == right.expiry
        }
    }

    /// What stands for the topic: MQTT 5.0 §3.3.2.3.4.
    enum Form {
        /// Its name.
        case named
        /// Its name and the alias that it gets.
        case introducing
        /// Its alias alone.
        case aliased
    }

    private let form: Form
    private var key: Key?
    private var bytes = OutputBuffer()
    private var identifierOffset = 0
    private var aliasOffset = 0

    init(_ form: Form = .named) {
        self.form = form
    }

    /// The length of the packet prepared.
    var byteCount: Int { bytes.count }

    /// Encodes the delivery unless it was just encoded.
    mutating func prepare(
        _ delivery: Delivery, _ message: MessageView, identifiers: [UInt32], version: ProtocolVersion
    ) {
        let key = Key(
            serial: message.serial, expiry: message.messageExpiryInterval, identifiers: delivery.identifiers,
            qos: delivery.qos, isDuplicate: delivery.isDuplicate, retain: delivery.retain, version: version)
        // A list of identifiers has a number that is used again: it is encoded each time.
        if let last = self.key, last == key, delivery.identifiers.listIndex == nil { return }
        self.key = key
        bytes.truncate(to: 0)
        if delivery.identifiers == .none {
            encode(delivery, message, identifiers: PublishPacket.noIdentifiers, version)
        } else if delivery.identifiers.listIndex == nil {
            withUnsafePointer(to: delivery.identifiers.raw) { one in
                encode(delivery, message, identifiers: UnsafeBufferPointer(start: one, count: 1), version)
            }
        } else {
            identifiers.withUnsafeBufferPointer { encode(delivery, message, identifiers: $0, version) }
        }
        identifierOffset = PublishPacket.packetIdentifierOffset(
            topicBytes: form == .aliased ? 0 : message.topicName.count, packetBytes: bytes.count)
        if form != .named { aliasOffset = offsetOfAlias(delivery.qos) }
    }

    /// The alias is the first of the properties: behind the packet identifier, the section's length and its own id.
    private func offsetOfAlias(_ qos: QoS) -> Int {
        var offset = identifierOffset + (qos == .atMostOnce ? 0 : 2)
        while bytes.pending[offset] & 0x80 != 0 { offset += 1 }
        return offset + 2
    }

    private mutating func encode(
        _ delivery: Delivery, _ message: MessageView, identifiers: UnsafeBufferPointer<UInt32>,
        _ version: ProtocolVersion
    ) {
        PublishPacket.encode(
            topic: form == .aliased ? .empty : message.topicName, packetIdentifier: max(delivery.packetIdentifier, 1),
            qos: delivery.qos,
            dup: delivery.isDuplicate, retain: delivery.retain, forwarded: message.properties,
            messageExpiryInterval: message.messageExpiryInterval, subscriptionIdentifiers: identifiers,
            topicAlias: form == .named ? nil : 1, payload: message.payload, version: version, into: &bytes)
    }

    /// Appends the packet under its own identifier.
    func append(to output: inout OutputBuffer, packetIdentifier: UInt16) {
        let start = output.count
        output.append(bytes.pending)
        if packetIdentifier != 0 { output.patch(packetIdentifier, at: start + identifierOffset) }
    }

    /// The same with the alias that this receiver knows.
    func append(to output: inout OutputBuffer, packetIdentifier: UInt16, alias: UInt16) {
        let start = output.count
        append(to: &output, packetIdentifier: packetIdentifier)
        output.patch(alias, at: start + aliasOffset)
    }

    mutating func freeMemory() {
        bytes.deallocate()
        key = nil
    }
}
