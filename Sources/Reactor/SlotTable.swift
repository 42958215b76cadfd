internal import Glibc

/// What the loop knows of each descriptor that it owns.
struct SlotTable {
    /// What a slot holds.
    enum Kind: UInt8 {
        case free, listener, connection, lingering, datagrams, signals, mailbox
    }

    struct Slot {
        var descriptor: Int32
        var generation: UInt32
        var kind: Kind
        /// The handler has paused reading, or the loop rests the listener.
        var isPaused = false
        /// EPOLLOUT is asked for.
        var isArmed = false
        /// The last write was partial and no room has been announced since: writing now would be in vain.
        var isBlocked = false
        /// Room was announced to the handler, which has not written since.
        var isOffered = false
        /// Bytes discarded while lingering; the place in the loop's table of UDP sockets; the next free slot.
        var detail: UInt32 = 0
    }

    private(set) var slots: [Slot] = []
    /// Slots that hold something.
    private(set) var count = 0
    private var firstFree = UInt32.max

    /// The slot that `token` names, if it is still the same socket and one of the given kind.
    func find(_ token: Token, _ kind: Kind) -> Int? {
        let index = Int(token.slot)
        guard index < slots.count, slots[index].generation == token.generation, slots[index].kind == kind else {
            return nil
        }
        return index
    }

    /// Whether the handler may still use what `token` names.
    func isOpen(_ token: Token) -> Bool {
        isCurrent(token) && slots[Int(token.slot)].kind != .lingering
    }

    /// Whether `token` still names what it named, though that may be closing.
    func isCurrent(_ token: Token) -> Bool {
        let index = Int(token.slot)
        return index < slots.count && slots[index].generation == token.generation && slots[index].kind != .free
    }

    subscript(index: Int) -> Slot {
        get { slots[index] }
        _modify { yield &slots[index] }
    }

    mutating func insert(_ descriptor: Int32, _ kind: Kind, detail: UInt32 = 0) -> Token {
        let index: Int
        count += 1
        if firstFree == .max {
            index = slots.count
            slots.append(Slot(descriptor: descriptor, generation: 1, kind: kind, detail: detail))
        } else {
            index = Int(firstFree)
            firstFree = slots[index].detail
            let generation = slots[index].generation
            slots[index] = Slot(descriptor: descriptor, generation: generation, kind: kind, detail: detail)
        }
        return Token(slot: UInt32(index), generation: slots[index].generation)
    }

    /// Frees a slot; its tokens are dead from now on.
    mutating func remove(_ index: Int) {
        count -= 1
        let generation = slots[index].generation &+ 1
        slots[index] = Slot(descriptor: -1, generation: generation, kind: .free, detail: firstFree)
        firstFree = UInt32(index)
    }
}
