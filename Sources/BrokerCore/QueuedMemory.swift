internal import DequeModule
internal import Messaging

/// Which messages that only wait in queues have their bytes in memory, and who waits for bytes from the disk [M-100].
///
/// A message may lose its bytes when the disk has it and nobody but queues holds it. It keeps them while it is in the
/// part of a session that it waits for: the oldest of a queue, up to `queuedMemoryPerSessionMax`. The kept ones stand
/// in a list, and when all of them are too much the newest go first.
///
/// Off, it takes nothing.
struct QueuedMemory {
    /// A message, by its handle.
    private struct Place {
        /// Places in queues that it has.
        var waiting: UInt32 = 0
        /// Of these, those in the parts of their sessions.
        var inParts: UInt32 = 0
        /// Its neighbours in the list; `noPlace` in `next` where it is not in it, 0 at the ends.
        var previous: UInt32 = 0
        var next = noPlace
    }

    /// What a session has of the memory.
    struct Part {
        /// Properties and payloads of the deliveries in it, in bytes.
        var bytes = 0
        /// Deliveries that wait and are not in it.
        var beyond: UInt32 = 0
        /// Whether the session waits for bytes.
        var awaitsBytes = false
        /// Whether the operator knows that messages are lost.
        var isLossTold = false
    }

    /// A message whose record is not safe yet.
    private struct Unwritten {
        var message: MessageHandle
        var serial: UInt64
        var batch: UInt64
    }

    /// A message that the store was asked for.
    struct Load {
        var message: MessageHandle
        var serial: UInt64
        var size: Int
        /// The session that goes on when this has come; -1 for none.
        var session: Int32 = -1
    }

    let isOn: Bool
    private var places: [Place] = []
    private var parts: [Part] = []
    private var unwritten: Deque<Unwritten> = []
    /// The ends of the list; 0 for none.
    private var first: UInt32 = 0
    private var last: UInt32 = 0
    /// Messages that may have become such that they can lose their bytes: looked at with the next event.
    var suspects: [MessageHandle] = []
    /// Messages whose bytes have come, and whose sessions have not had their turn since.
    var arrived: [MessageHandle] = []
    /// Sessions that wait for a page, and have not been asked for.
    var line = SlotLine()
    /// What the store was asked for, in the order of its answers.
    var loads: Deque<Load> = []
    /// And how many bytes that is.
    var loadingBytes = 0

    init(isOn: Bool) { self.isOn = isOn }

    // MARK: - Messages

    /// Where a message waits: so many places in queues, and so many of them in the parts of their sessions.
    func counts(_ message: MessageHandle) -> (waiting: UInt32, inParts: UInt32) {
        let index = Int(message.index)
        return index < places.count ? (places[index].waiting, places[index].inParts) : (0, 0)
    }

    mutating func add(_ message: MessageHandle, isInPart: Bool) {
        while places.count <= Int(message.index) { places.append(Place()) }
        places[Int(message.index)].waiting += 1
        if isInPart { places[Int(message.index)].inParts += 1 }
    }

    mutating func addToPart(_ message: MessageHandle) { places[Int(message.index)].inParts += 1 }

    mutating func remove(_ message: MessageHandle, isInPart: Bool) {
        places[Int(message.index)].waiting -= 1
        if isInPart { places[Int(message.index)].inParts -= 1 }
    }

    /// The journal was told of a message, in this batch.
    mutating func noteUnwritten(_ message: MessageHandle, serial: UInt64, batch: UInt64) {
        if isOn { unwritten.append(Unwritten(message: message, serial: serial, batch: batch)) }
    }

    /// The next message that is safe with this batch. The handle may mean another message by now: the serial tells.
    mutating func nextWritten(_ batch: UInt64) -> (message: MessageHandle, serial: UInt64)? {
        guard let next = unwritten.first, next.batch <= batch else { return nil }
        unwritten.removeFirst()
        return (next.message, next.serial)
    }

    // MARK: - Sessions

    subscript(slot: Int) -> Part {
        get { slot < parts.count ? parts[slot] : Part() }
        set {
            while parts.count <= slot { parts.append(Part()) }
            parts[slot] = newValue
        }
    }

    /// The session has ended. Nothing waits for it any more.
    mutating func forget(_ slot: Int) {
        guard slot < parts.count else { return }
        parts[slot] = Part()
        line.remove(slot)
    }
}

// MARK: - The list

extension QueuedMemory {
    /// The newest of the messages that are kept.
    var newest: MessageHandle? { last == 0 ? nil : MessageHandle(index: last) }

    func isKept(_ message: MessageHandle) -> Bool {
        Int(message.index) < places.count && places[Int(message.index)].next != noPlace
    }

    /// Keeps a message as the newest.
    mutating func keepLast(_ message: MessageHandle) {
        let index = message.index
        places[Int(index)].previous = last
        places[Int(index)].next = 0
        if last == 0 { first = index } else { places[Int(last)].next = index }
        last = index
    }

    /// Keeps a message as the one that is needed first.
    mutating func keepFirst(_ message: MessageHandle) {
        let index = message.index
        places[Int(index)].previous = 0
        places[Int(index)].next = first
        if first == 0 { last = index } else { places[Int(first)].previous = index }
        first = index
    }

    mutating func letGo(_ message: MessageHandle) {
        let place = places[Int(message.index)]
        if place.previous == 0 { first = place.next } else { places[Int(place.previous)].next = place.next }
        if place.next == 0 { last = place.previous } else { places[Int(place.next)].previous = place.previous }
        places[Int(message.index)].previous = 0
        places[Int(message.index)].next = noPlace
    }
}

private let noPlace = UInt32.max
