/// From hashes to the places of entries in somebody's array: open addressing with linear probing.
///
/// A slot holds 32 bits of the hash and the place, so that a search looks at an entry only when it is almost
/// certainly the right one. Removing shifts the followers back instead of leaving a mark, so churn does not slow
/// searches down. The table is at most three quarters full, and gives memory back when it is less than an eighth full.
struct HashSlots: Sendable {
    /// The hash in the upper half, the place plus one in the lower; 0 is free.
    private var slots: [UInt64]
    private(set) var count = 0

    init() {
        slots = [UInt64](repeating: 0, count: slotsMin)
    }

    /// Memory in bytes.
    var bytes: Int { slots.capacity * MemoryLayout<UInt64>.stride }

    /// The place among those of this hash for which `isSought` holds.
    @inline(__always)
    func find(_ hash: UInt64, where isSought: (UInt32) -> Bool) -> UInt32? {
        let tag = UInt32(truncatingIfNeeded: hash)
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
        if (count + 1) * 4 > slots.count * 3 { resize(to: slots.count * 2) }
        put((hash << 32) | UInt64(place + 1))
        count += 1
    }

    /// Removes a place that was added with this hash.
    mutating func remove(_ hash: UInt64, _ place: UInt32) {
        let sought = (hash << 32) | UInt64(place + 1)
        let mask = slots.count - 1
        var hole = Int(sought >> 32) & mask
        while slots[hole] != sought {
            precondition(slots[hole] != 0, "a place must be in the table to be removed")
            hole = (hole + 1) & mask
        }
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
        count -= 1
        if slots.count > slotsMin, count * 8 < slots.count { resize(to: slots.count / 2) }
    }

    private mutating func put(_ entry: UInt64) {
        let mask = slots.count - 1
        var position = Int(entry >> 32) & mask
        while slots[position] != 0 { position = (position + 1) & mask }
        slots[position] = entry
    }

    private mutating func resize(to capacity: Int) {
        let old = slots
        slots = [UInt64](repeating: 0, count: capacity)
        for entry in old where entry != 0 { put(entry) }
    }
}

private let slotsMin = 16
