/// Deadlines of many things that are known by small numbers: the slots of connections, devices or sessions.
///
/// Scheduling, re-scheduling and cancelling take constant time whatever the number of keys, and a key costs 24 bytes.
/// Keys come due in the order of their exact deadlines, equal deadlines in the order of scheduling, and never early.
///
/// Time is cut into ticks of 2^20 ns, about a millisecond. A deadline lies in one of 64 slots of one of eight levels:
/// the level is the highest digit, in base 64, in which its tick differs from the current one, and the slot is that
/// digit. So everything in a lower level comes before everything in a higher one, the slots of a level come in order,
/// and eight levels span the whole clock. When the current tick reaches a slot, its keys move to lower levels; those
/// of the current tick move to the due list, sorted by their exact deadlines.
package struct TimerWheel: Sendable {
    private var entries: [Entry] = []
    /// The first key of each slot and, behind them, of the due list.
    private var heads = [UInt32](repeating: noKey, count: dueList + 1)
    /// For each slot that holds keys, a bound that none of their deadlines lies before.
    private var earliest = [UInt64](repeating: .max, count: dueList)
    /// For each level, a bit for each slot that holds keys.
    private var occupied = [UInt64](repeating: 0, count: levelCount)
    private var currentTick: UInt64 = 0
    /// Kept for its capacity, so that sorting a slot allocates nothing in the long run.
    private var sorted: [UInt32] = []

    /// How many keys have a deadline.
    package private(set) var count = 0

    /// A key's place: a link in the circular list of its slot.
    private struct Entry {
        var deadline: UInt64 = 0
        var next: UInt32 = noKey
        var previous: UInt32 = noKey
        var list: UInt16 = noList
    }

    package init() {}

    /// Gives `key` a deadline, or another one. Keys are 0 to 2^32 - 2; memory grows to the largest one.
    package mutating func schedule(_ key: Int, at deadline: Deadline) {
        precondition(key >= 0 && key < Int(noKey))
        if key < entries.count {
            cancel(key)
        } else {
            entries.append(contentsOf: repeatElement(Entry(), count: key + 1 - entries.count))
        }
        entries[key].deadline = deadline.nanoseconds
        place(UInt32(key))
        count += 1
    }

    /// Takes the deadline of `key` away; nothing happens if it has none.
    package mutating func cancel(_ key: Int) {
        guard entries.indices.contains(key), entries[key].list != noList else { return }
        unlink(UInt32(key))
        count -= 1
    }

    /// When `key` comes due; nil if it has no deadline.
    package func deadline(of key: Int) -> Deadline? {
        guard entries.indices.contains(key), entries[key].list != noList else { return nil }
        return Deadline(nanoseconds: entries[key].deadline)
    }

    /// When to call `expire` next; nil if no key has a deadline. Never later than the earliest deadline; it can be
    /// earlier after a cancellation, and an `expire` that finds nothing then moves it on.
    package var nextDeadline: Deadline? {
        guard count > 0 else { return nil }
        var bound = UInt64.max
        if heads[dueList] != noKey { bound = entries[Int(heads[dueList])].deadline }
        if let slot = firstOccupiedSlot { bound = min(bound, earliest[slot]) }
        return Deadline(nanoseconds: bound)
    }

    /// Takes the key with the earliest deadline out, if that is not after `now`. Call it until it answers nil.
    package mutating func expire(to now: Instant) -> Int? {
        guard count > 0 else {
            currentTick = max(currentTick, now.nanoseconds >> tickBits)
            return nil
        }
        while true {
            sortCurrentSlot()
            let first = heads[dueList]
            if first != noKey {
                guard entries[Int(first)].deadline <= now.nanoseconds else { return nil }
                unlink(first)
                count -= 1
                return Int(first)
            }
            guard advance(to: now.nanoseconds >> tickBits) else { return nil }
        }
    }
}

// MARK: - Slots

extension TimerWheel {
    /// The slot whose keys come first, those of the due list aside.
    private var firstOccupiedSlot: Int? {
        for level in 0..<levelCount where occupied[level] != 0 {
            return level * slotsPerLevel + occupied[level].trailingZeroBitCount
        }
        return nil
    }

    /// The slot of the current tick.
    private var currentSlot: Int { Int(currentTick & digitMask) }

    /// The first tick of an occupied slot: the current tick's upper digits, the slot's digit, zeros.
    private func firstTick(of slot: Int) -> UInt64 {
        let shift = UInt64(slot / slotsPerLevel * digitBits)
        let upper = currentTick & ~((1 << (shift + UInt64(digitBits))) - 1)
        return upper | UInt64(slot % slotsPerLevel) << shift
    }

    /// Puts an unlinked key into the slot of its deadline; what is overdue goes to the current tick.
    private mutating func place(_ key: UInt32) {
        let deadline = entries[Int(key)].deadline
        let tick = max(deadline >> tickBits, currentTick)
        let level = (63 - ((tick ^ currentTick) | digitMask).leadingZeroBitCount) / digitBits
        let digit = Int((tick >> UInt64(level * digitBits)) & digitMask)
        let slot = level * slotsPerLevel + digit
        earliest[slot] = heads[slot] == noKey ? deadline : min(earliest[slot], deadline)
        occupied[level] |= 1 << UInt64(digit)
        append(key, to: slot)
    }

    /// Moves the current tick to the next occupied slot and spreads that slot's keys over the lower levels; false if
    /// the slot begins after `tick`, and then the current tick is `tick`, or stays if it is already later.
    private mutating func advance(to tick: UInt64) -> Bool {
        guard let slot = firstOccupiedSlot, firstTick(of: slot) <= tick else {
            currentTick = max(currentTick, tick)
            return false
        }
        currentTick = firstTick(of: slot)
        if slot >= slotsPerLevel { drain(slot) { wheel, key in wheel.place(key) } }
        return true
    }

    /// Empties a slot and hands its keys out in the order in which they came.
    private mutating func drain(_ slot: Int, _ body: (inout TimerWheel, UInt32) -> Void) {
        let first = heads[slot]
        heads[slot] = noKey
        occupied[slot / slotsPerLevel] &= ~(1 << UInt64(slot % slotsPerLevel))
        guard first != noKey else { return }
        let last = entries[Int(first)].previous
        var key = first
        while true {
            let next = entries[Int(key)].next
            body(&self, key)
            if key == last { return }
            key = next
        }
    }
}

// MARK: - The due list

extension TimerWheel {
    /// Merges the keys of the current tick into the due list.
    private mutating func sortCurrentSlot() {
        let slot = currentSlot
        guard heads[slot] != noKey else { return }
        var keys: [UInt32] = []
        swap(&keys, &sorted)
        drain(slot) { _, key in keys.append(key) }
        if keys.count > 1 {
            // The standard library's sort is stable, so equal deadlines stay in the order of scheduling.
            keys.sort { entries[Int($0)].deadline < entries[Int($1)].deadline }
        }
        merge(keys)
        keys.removeAll(keepingCapacity: keys.count <= keptKeysMax)
        sorted = keys
    }

    /// Merges sorted keys into the due list, behind those of the same deadline.
    private mutating func merge(_ keys: [UInt32]) {
        var later = heads[dueList]
        for key in keys {
            let deadline = entries[Int(key)].deadline
            while later != noKey, entries[Int(later)].deadline <= deadline {
                later = entries[Int(later)].next
                if later == heads[dueList] { later = noKey }
            }
            if later == noKey {
                append(key, to: dueList)
            } else {
                insert(key, before: later, in: dueList)
                if heads[dueList] == later { heads[dueList] = key }
            }
        }
    }
}

// MARK: - Circular lists

extension TimerWheel {
    private mutating func append(_ key: UInt32, to list: Int) {
        let head = heads[list]
        if head != noKey {
            insert(key, before: head, in: list)
            return
        }
        heads[list] = key
        entries[Int(key)].next = key
        entries[Int(key)].previous = key
        entries[Int(key)].list = UInt16(list)
    }

    private mutating func insert(_ key: UInt32, before next: UInt32, in list: Int) {
        let previous = entries[Int(next)].previous
        entries[Int(key)].next = next
        entries[Int(key)].previous = previous
        entries[Int(key)].list = UInt16(list)
        entries[Int(previous)].next = key
        entries[Int(next)].previous = key
    }

    private mutating func unlink(_ key: UInt32) {
        let entry = entries[Int(key)]
        let list = Int(entry.list)
        entries[Int(key)].list = noList
        guard entry.next != key else {
            heads[list] = noKey
            if list != dueList { occupied[list / slotsPerLevel] &= ~(1 << UInt64(list % slotsPerLevel)) }
            return
        }
        entries[Int(entry.previous)].next = entry.next
        entries[Int(entry.next)].previous = entry.previous
        if heads[list] == key { heads[list] = entry.next }
    }
}

private let tickBits: UInt64 = 20
private let digitBits = 6
private let digitMask: UInt64 = 63
private let slotsPerLevel = 64
private let levelCount = 8
private let dueList = levelCount * slotsPerLevel
private let keptKeysMax = 4096
private let noKey = UInt32.max
private let noList = UInt16.max
