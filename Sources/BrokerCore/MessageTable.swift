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
        /// Whether its properties and payload are not in memory.
        var isEvicted: Bool { flags.contains(.isEvicted) }
        /// What it takes beside its properties and payload, in bytes.
        var overhead: Int { Int(nameCount) + overheadBesideName }
    }

    struct Flags: OptionSet {
        let rawValue: UInt8
        /// It was published with RETAIN.
        static let retain = Flags(rawValue: 1)
        /// One of the holders is the topic's retained place.
        static let isRetained = Flags(rawValue: 2)
        /// The journal knows it.
        static let isJournaled = Flags(rawValue: 4)
        /// The disk has it.
        static let isCommitted = Flags(rawValue: 8)
        /// Only the disk has its properties and payload [M-100].
        static let isEvicted = Flags(rawValue: 16)
        /// They are on their way from the disk.
        static let isLoading = Flags(rawValue: 32)
        /// The disk should have them and has not.
        static let isLost = Flags(rawValue: 64)
    }

    /// Slot 0 is the passing message, which lies in the reader's memory.
    private var slots: [Slot] = [Slot()]
    private var freeSlots: [UInt32] = []

    /// Messages held.
    private(set) var count = 0
    /// Their properties and payloads, in bytes, wherever those are.
    private(set) var bytes = 0
    /// Of these, what only the disk has.
    private(set) var evictedBytes = 0
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

    /// The message as it was when it was taken; without its bytes when those are on disk.
    func passing(_ handle: MessageHandle) -> Passing {
        let slot = slots[Int(handle.index)]
        guard !slot.isEvicted else { return Passing(evicted: slot) }
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

    /// Notes that the journal knows a message; false if it did before.
    mutating func noteJournaled(_ handle: MessageHandle) -> Bool {
        slots[Int(handle.index)].flags.insert(.isJournaled).inserted
    }

    // MARK: - What the disk has

    /// Notes that the disk has a message.
    mutating func noteCommitted(_ handle: MessageHandle) { slots[Int(handle.index)].flags.insert(.isCommitted) }

    /// Notes that the bytes of a message are on their way from the disk.
    mutating func noteLoading(_ handle: MessageHandle) { slots[Int(handle.index)].flags.insert(.isLoading) }

    /// Notes that the disk does not have the bytes of a message.
    mutating func noteLost(_ handle: MessageHandle) {
        slots[Int(handle.index)].flags.remove(.isLoading)
        slots[Int(handle.index)].flags.insert(.isLost)
    }

    /// Lets go the bytes of a message that the disk has.
    mutating func evict(_ handle: MessageHandle) {
        let index = Int(handle.index)
        precondition(slots[index].flags.contains(.isCommitted), "bytes are let go that nobody else has")
        guard let memory = slots[index].memory else { return }
        memory.deallocate()
        slots[index].memory = nil
        slots[index].flags.insert(.isEvicted)
        evictedBytes += size(of: handle)
    }

    /// Takes the bytes of a message in again. False, with nothing done, if they are not those that were let go.
    mutating func fill(_ handle: MessageHandle, properties: ByteView, payload: ByteView) -> Bool {
        let slot = slots[Int(handle.index)]
        guard slot.isEvicted, properties.count == Int(slot.propertiesCount), payload.count == Int(slot.payloadCount)
        else { return false }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size(of: handle), alignment: 8)
        Self.copy(properties, to: memory)
        Self.copy(payload, to: memory + properties.count)
        slots[Int(handle.index)].memory = memory
        slots[Int(handle.index)].flags.subtract([.isEvicted, .isLoading])
        evictedBytes -= size(of: handle)
        return true
    }

    // MARK: - Holders

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
        let size = Int(slots[index].propertiesCount) + Int(slots[index].payloadCount)
        bytes -= size
        if slots[index].isEvicted { evictedBytes -= size }
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
        evictedBytes = 0
        overhead = 0
    }
}

/// What a message takes beside its own bytes and its topic's name: a slot, a topic, and the places in queues.
private let overheadBesideName = 192

/// A message on its way through, wherever its bytes lie.
struct Passing {
    var serial: UInt64
    var topic: TopicID
    /// Properties and payload that are not here but on disk, in bytes.
    var evictedCount: UInt32 = 0
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
    var size: Int { properties.count + payload.count + Int(evictedCount) }
}

extension Passing {
    /// A message whose bytes are on disk.
    fileprivate init(evicted slot: MessageTable.Slot) {
        self.init(
            serial: slot.serial, topic: slot.topic, evictedCount: slot.propertiesCount + slot.payloadCount,
            properties: .empty, payload: .empty, expiresAt: slot.expiresAt, qos: slot.qos, retain: slot.retain,
            takenAt: slot.takenAt)
    }
}

extension Now {
    /// Seconds since 1970, as long as they fit: until 2106.
    var seconds: UInt32 { UInt32(clamping: unixSeconds) }
}
