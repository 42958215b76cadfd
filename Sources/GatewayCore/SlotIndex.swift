/// Finds table slots by the hash of a key that lives in the table itself.
///
/// Open addressing with linear probing over 8-byte entries, at most five sixths full: the default limit of 100,000
/// devices leaves a quarter free, and a look-up touches a cache line or two here and the record it finds; removal
/// shifts the entries behind it back and leaves no tombstones.
struct SlotIndex {
    private struct Entry {
        var hash: UInt32
        /// `UInt32.max` for a free entry.
        var slot: UInt32

        static var free: Entry { Entry(hash: 0, slot: .max) }
    }

    private var entries = [Entry](repeating: .free, count: 16)
    private var mask = 15
    /// How many slots are in it.
    private(set) var count = 0

    /// The slot with this hash that `isMatch` recognises.
    @inline(__always)
    func slot(hash: UInt32, where isMatch: (Int) -> Bool) -> Int? {
        var place = Int(hash) & mask
        while entries[place].slot != .max {
            if entries[place].hash == hash, isMatch(Int(entries[place].slot)) { return Int(entries[place].slot) }
            place = (place + 1) & mask
        }
        return nil
    }

    /// Adds a slot whose key is not in the index.
    mutating func insert(hash: UInt32, slot: Int) {
        if (count + 1) * 6 > entries.count * 5 { grow() }
        put(Entry(hash: hash, slot: UInt32(slot)))
        count += 1
    }

    /// Takes the slot out, if it is there under this hash.
    mutating func remove(hash: UInt32, slot: Int) {
        var place = Int(hash) & mask
        while entries[place].slot != UInt32(slot) {
            if entries[place].slot == .max { return }
            place = (place + 1) & mask
        }
        closeGap(at: place)
        count -= 1
    }

    /// Moves entries back that were displaced over `gap`, so that probing still finds them.
    private mutating func closeGap(at gap: Int) {
        var gap = gap
        var place = gap
        while true {
            place = (place + 1) & mask
            if entries[place].slot == .max { break }
            let home = Int(entries[place].hash) & mask
            if (place - home) & mask >= (place - gap) & mask {
                entries[gap] = entries[place]
                gap = place
            }
        }
        entries[gap] = .free
    }

    private mutating func put(_ entry: Entry) {
        var place = Int(entry.hash) & mask
        while entries[place].slot != .max { place = (place + 1) & mask }
        entries[place] = entry
    }

    private mutating func grow() {
        let old = entries
        entries = [Entry](repeating: .free, count: old.count * 2)
        mask = entries.count - 1
        for entry in old where entry.slot != .max { put(entry) }
    }
}
