/// From hashes to the places of entries in somebody's array: open addressing with linear probing.
///
/// A slot holds 32 bits of the hash and the place, so that a search looks at an entry only when it is almost
/// certainly the right one. Removing shifts the followers back instead of leaving a mark, so churn does not slow
/// searches down. The table is at most five sixths full, so that the round numbers that limits default to (100,000,
/// 200,000) leave a quarter free and not five eighths, and gives memory back when it is less than an eighth full.
///
/// A table that grows or shrinks moves its entries over by a few with each change, while both tables are searched: so
/// no single change pays for a million entries.
struct HashSlots: Sendable {
    /// The hash in the upper half, the place plus one in the lower; 0 is free.
    private var slots: [UInt64]
    /// The table before, as long as entries are left in it.
    private var old: [UInt64] = []
    /// Below this position the old table is empty.
    private var movedUpTo = 0
    private(set) var count = 0

    init() {
        slots = [UInt64](repeating: 0, count: slotsMin)
    }

    /// Memory in bytes.
    var bytes: Int { (slots.capacity + old.capacity) * MemoryLayout<UInt64>.stride }

    /// The place among those of this hash for which `isSought` holds.
    @inline(__always)
    func find(_ hash: UInt64, where isSought: (UInt32) -> Bool) -> UInt32? {
        let tag = UInt32(truncatingIfNeeded: hash)
        if let place = Self.find(tag, in: slots, where: isSought) { return place }
        return old.isEmpty ? nil : Self.find(tag, in: old, where: isSought)
    }

    @inline(__always)
    private static func find(_ tag: UInt32, in slots: [UInt64], where isSought: (UInt32) -> Bool) -> UInt32? {
        let mask = slots.count - 1
        var position = Int(tag) & mask
        while true {
            let slot = slots[position]
            if slot == 0 { return nil }
            if UInt32(truncatingIfNeeded: slot >> 32) == tag {
                let place = UInt32(truncatingIfNeeded: slot) &- 1
                if isSought(place) { return place }
            }
            position = (position + 1) & mask
        }
    }

    /// Adds a place, which is not in the table yet.
    mutating func insert(_ hash: UInt64, _ place: UInt32) {
        precondition(place < UInt32.max)
        if (count + 1) * 6 > slots.count * 5 { resize(to: slots.count * 2) }
        put((hash << 32) | UInt64(place + 1))
        count += 1
        moveSome()
    }

    /// Removes a place that was added with this hash.
    mutating func remove(_ hash: UInt64, _ place: UInt32) {
        let entry = (hash << 32) | UInt64(place + 1)
        if let position = Self.position(of: entry, in: slots) {
            Self.clear(position, in: &slots)
        } else {
            let position = old.isEmpty ? nil : Self.position(of: entry, in: old)
            guard let position else { preconditionFailure("a place must be in the table to be removed") }
            Self.clear(position, in: &old)
        }
        count -= 1
        if slots.count > slotsMin, count * 8 < slots.count { resize(to: slots.count / 2) }
        moveSome()
    }

    private static func position(of entry: UInt64, in slots: [UInt64]) -> Int? {
        let mask = slots.count - 1
        var position = Int(entry >> 32) & mask
        while slots[position] != entry {
            if slots[position] == 0 { return nil }
            position = (position + 1) & mask
        }
        return position
    }

    /// Empties a position, and shifts back what would no longer be found behind it.
    private static func clear(_ position: Int, in slots: inout [UInt64]) {
        let mask = slots.count - 1
        var hole = position
        var follower = (hole + 1) & mask
        while slots[follower] != 0 {
            let home = Int(slots[follower] >> 32) & mask
            if (follower - home) & mask >= (follower - hole) & mask {
                slots[hole] = slots[follower]
                hole = follower
            }
            follower = (follower + 1) & mask
        }
        slots[hole] = 0
    }

    private mutating func put(_ entry: UInt64) {
        let mask = slots.count - 1
        var position = Int(entry >> 32) & mask
        while slots[position] != 0 { position = (position + 1) & mask }
        slots[position] = entry
    }

    private mutating func resize(to capacity: Int) {
        // The changes since the last time have moved everything over, or the rest is little.
        while !old.isEmpty { moveSome() }
        old = slots
        movedUpTo = 0
        slots = [UInt64](repeating: 0, count: capacity)
    }

    /// Moves entries over from the old table, if there is one.
    private mutating func moveSome() {
        guard !old.isEmpty else { return }
        let end = min(movedUpTo + positionsMovedAtOnce, old.count)
        while movedUpTo < end {
            // What is shifted back to here comes next.
            while old[movedUpTo] != 0 {
                put(old[movedUpTo])
                Self.clear(movedUpTo, in: &old)
            }
            movedUpTo += 1
        }
        if movedUpTo == old.count { old = [] }
    }
}

private let slotsMin = 16
/// As many positions as are more than enough to be done before the table grows or shrinks again.
private let positionsMovedAtOnce = 16
