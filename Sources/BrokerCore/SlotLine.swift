/// Slots that wait for their turn, each once, first come first served; one can leave at any time, and that costs the
/// same however many wait.
struct SlotLine {
    private struct Place {
        /// Itself, where the slot does not wait.
        var next: Int32
        var previous: Int32
    }

    private var places: [Place] = []
    private var first = noSlot
    private var last = noSlot

    /// How many wait.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Puts a slot at the end; it stays where it is if it waits already.
    mutating func append(_ slot: Int) {
        while places.count <= slot {
            let place = Int32(places.count)
            places.append(Place(next: place, previous: place))
        }
        guard !contains(slot) else { return }
        places[slot] = Place(next: noSlot, previous: last)
        if last == noSlot { first = Int32(slot) } else { places[Int(last)].next = Int32(slot) }
        last = Int32(slot)
        count += 1
    }

    /// Takes the slot that has waited longest.
    mutating func popFirst() -> Int? {
        guard first != noSlot else { return nil }
        let slot = Int(first)
        remove(slot)
        return slot
    }

    /// Takes a slot out, if it waits.
    mutating func remove(_ slot: Int) {
        guard contains(slot) else { return }
        let place = places[slot]
        if place.previous == noSlot { first = place.next } else { places[Int(place.previous)].next = place.next }
        if place.next == noSlot { last = place.previous } else { places[Int(place.next)].previous = place.previous }
        places[slot] = Place(next: Int32(slot), previous: Int32(slot))
        count -= 1
    }

    /// Whether a slot waits.
    func contains(_ slot: Int) -> Bool {
        slot < places.count && places[slot].next != Int32(slot)
    }
}

private let noSlot: Int32 = -1
