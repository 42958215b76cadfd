import Bytes
import Clockwork
import Messaging

/// The messages that wait or are in flight, each once however many sessions hold it.
///
/// A slot is 48 bytes beside the message's own bytes; holders count themselves in and out.
struct MessageTable {
    struct Slot {
        var memory: UnsafeMutableRawPointer?
        var serial: UInt64 = 0
        /// Seconds since 1970; `Int64.max` for never.
        var expiresAt: Int64 = .max
        var propertiesCount: UInt32 = 0
        var payloadCount: UInt32 = 0
        /// As in `Passing`.
        var takenAt: UInt32 = 0
        var topic = TopicID(index: 0)
        var holders: UInt32 = 0
        /// The topic's name, in bytes.
        var nameCount: UInt16 = 0
        var qos = QoS.atMostOnce
        var flags: Flags = []

        var retain: Bool { flags.contains(.retain) }
        /// What it takes beside its properties and payload, in bytes.
        var overhead: Int { Int(nameCount) + overheadBesideName }
    }

    struct Flags: OptionSet {
        let rawValue: UInt8
        /// It was published with RETAIN.
        static let retain = Flags(rawValue: 1)
        /// One of the holders is the topic's retained place.
        static let isRetained = Flags(rawValue: 2)
    }

    /// Slot 0 is the passing message, which lies in the reader's memory.
    private var slots: [Slot] = [Slot()]
    private var freeSlots: [UInt32] = []

    /// Messages held.
    private(set) var count = 0
    /// Their properties and payloads, in bytes.
    private(set) var bytes = 0
    /// What they take beside those, in bytes: their topics' names, counted for each message, and the records.
    private(set) var overhead = 0

    /// What a message on a topic of this name takes beside its own bytes: a slot, a topic, and the places in queues.
    static func overhead(of name: ByteView) -> Int { name.count + overheadBesideName }

    /// Copies a message in, held once by the caller.
    mutating func store(_ message: Passing, topicName: ByteView) -> MessageHandle {
        let size = message.properties.count + message.payload.count
        var slot = Slot(
            serial: message.serial, expiresAt: message.expiresAt, propertiesCount: UInt32(message.properties.count),
            payloadCount: UInt32(message.payload.count), takenAt: message.takenAt, topic: message.topic, holders: 1,
            nameCount: UInt16(clamping: topicName.count), qos: message.qos, flags: message.retain ? .retain : [])
        if size > 0 {
            let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
            Self.copy(message.properties, to: memory)
            Self.copy(message.payload, to: memory + message.properties.count)
            slot.memory = memory
        }
        count += 1
        bytes += size
        overhead += slot.overhead
        if let index = freeSlots.popLast() {
            slots[Int(index)] = slot
            return MessageHandle(index: index)
        }
        slots.append(slot)
        return MessageHandle(index: UInt32(slots.count - 1))
    }

    private static func copy(_ view: ByteView, to memory: UnsafeMutableRawPointer) {
        guard let start = view.memory.baseAddress else { return }
        memory.copyMemory(from: start, byteCount: view.count)
    }

    /// Looks at a held message.
    subscript(handle: MessageHandle) -> Slot { slots[Int(handle.index)] }

    /// The message as it was when it was taken.
    func passing(_ handle: MessageHandle) -> Passing {
        let slot = slots[Int(handle.index)]
        let properties = ByteView(start: slot.memory.map { UnsafeRawPointer($0) }, count: Int(slot.propertiesCount))
        let payload = ByteView(
            start: slot.memory.map { UnsafeRawPointer($0 + Int(slot.propertiesCount)) }, count: Int(slot.payloadCount))
        return Passing(
            serial: slot.serial, topic: slot.topic, properties: properties, payload: payload, expiresAt: slot.expiresAt,
            qos: slot.qos, retain: slot.retain, takenAt: slot.takenAt)
    }

    /// How many bytes of the limits a message takes.
    func size(of handle: MessageHandle) -> Int {
        let slot = slots[Int(handle.index)]
        return Int(slot.propertiesCount) + Int(slot.payloadCount)
    }

    /// Whether a message is its topic's retained one.
    func isRetained(_ handle: MessageHandle) -> Bool {
        slots[Int(handle.index)].flags.contains(.isRetained)
    }

    /// Notes whether a message is its topic's retained one; its holder is counted apart.
    mutating func setRetained(_ handle: MessageHandle, _ isRetained: Bool) {
        if isRetained {
            slots[Int(handle.index)].flags.insert(.isRetained)
        } else {
            slots[Int(handle.index)].flags.remove(.isRetained)
        }
    }

    /// Counts one more holder.
    mutating func hold(_ handle: MessageHandle) {
        slots[Int(handle.index)].holders += 1
    }

    /// Counts one holder less. Returns whether it was the last: the message is then to be freed.
    mutating func release(_ handle: MessageHandle) -> Bool {
        let index = Int(handle.index)
        precondition(slots[index].holders > 0, "a message was released more often than held")
        slots[index].holders -= 1
        guard slots[index].holders == 0 else { return false }
        count -= 1
        bytes -= Int(slots[index].propertiesCount) + Int(slots[index].payloadCount)
        overhead -= slots[index].overhead
        return true
    }

    /// Frees a message that nobody holds. Returns its topic, to be forgotten.
    mutating func free(_ handle: MessageHandle) -> TopicID {
        let index = Int(handle.index)
        slots[index].memory?.deallocate()
        slots[index].memory = nil
        freeSlots.append(handle.index)
        return slots[index].topic
    }

    /// Frees everything, at the broker's end.
    mutating func removeAll() {
        for slot in slots { slot.memory?.deallocate() }
        slots = [Slot()]
        freeSlots = []
        count = 0
        bytes = 0
        overhead = 0
    }
}

/// What a message takes beside its own bytes and its topic's name: a slot, a topic, and the places in queues.
private let overheadBesideName = 192

/// A message on its way through, wherever its bytes lie.
struct Passing {
    var serial: UInt64
    var topic: TopicID
    var properties: ByteView
    var payload: ByteView
    /// Seconds since 1970; `Int64.max` for never.
    var expiresAt: Int64
    /// As it was published.
    var qos = QoS.atMostOnce
    var retain = false
    /// Whether it is stored, for the event's sake, though there was no room to hold it: a will.
    var lacksRoom = false
    /// When it was taken from its publisher, in seconds since 1970.
    var takenAt: UInt32 = 0

    /// How many bytes of the limits it takes.
    var size: Int { properties.count + payload.count }
}

extension Now {
    /// Seconds since 1970, as long as they fit: until 2106.
    var seconds: UInt32 { UInt32(clamping: unixSeconds) }
}
