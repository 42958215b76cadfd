internal import DequeModule

/// The deliveries in flight to one client, in the order they were sent, found by their packet identifiers.
///
/// The few of a usual window are searched one by one, and take no more than themselves. A window that has grown large
/// (`max_inflight_messages 0` allows 65,535) has an index: each step costs the same however many are in flight.
struct InflightWindow: Sequence {
    private var few: Deque<InflightDelivery> = []
    /// None, or one with everything in it: an optional would make each session larger.
    private var many: [IndexedWindow] = []

    var count: Int { many.isEmpty ? few.count : many[0].count }
    var isEmpty: Bool { count == 0 }

    /// The delivery at a place that `place(of:)` found.
    subscript(place: Int) -> InflightDelivery {
        get { many.isEmpty ? few[place] : many[0][place] }
        set { if many.isEmpty { few[place] = newValue } else { many[0][place] = newValue } }
    }

    /// Where the delivery with this identifier is, until the next change.
    func place(of identifier: UInt16) -> Int? {
        guard many.isEmpty else { return many[0].place(of: identifier) }
        return few.firstIndex { $0.packetIdentifier == identifier }
    }

    /// Adds the delivery that was sent last; its identifier is not in flight.
    mutating func append(_ delivery: InflightDelivery) {
        if many.isEmpty {
            guard few.count >= indexedFrom else { return few.append(delivery) }
            many.append(IndexedWindow())
            for earlier in few { many[0].append(earlier) }
            few = []
        }
        many[0].append(delivery)
    }

    mutating func remove(at place: Int) -> InflightDelivery {
        guard !many.isEmpty else { return few.remove(at: place) }
        let delivery = many[0].remove(at: place)
        shrink()
        return delivery
    }

    /// Takes the delivery that was sent last.
    mutating func popLast() -> InflightDelivery? {
        guard !many.isEmpty else { return few.popLast() }
        guard let last = many[0].last else { return nil }
        return remove(at: last)
    }

    private mutating func shrink() {
        guard many[0].count < indexedDownTo else { return }
        var rest = Deque<InflightDelivery>()
        for delivery in self { rest.append(delivery) }
        few = rest
        many = []
    }

    /// The next identifier behind `last` that is not in flight, going round from `highest` to 1 [MQTT-2.2.1-4]. There
    /// must be one: fewer are in flight than there are identifiers.
    func freeIdentifier(after last: UInt16, upTo highest: UInt16) -> UInt16 {
        let start = last >= highest ? 1 : last + 1
        guard many.isEmpty else { return many[0].freeIdentifier(from: start, upTo: highest) }
        // Of as many identifiers as are in flight and one more, one is free: each round looks at 64 of them.
        var base = 0
        while true {
            var used: UInt64 = 0
            for delivery in few where delivery.packetIdentifier <= highest {
                let identifier = Int(delivery.packetIdentifier)
                let distance = identifier - Int(start) + (identifier < start ? Int(highest) : 0) - base
                if distance >= 0, distance < 64 { used |= 1 << UInt64(distance) }
            }
            if used != .max {
                let found = Int(start) + base + (~used).trailingZeroBitCount
                return UInt16(found <= Int(highest) ? found : found - Int(highest))
            }
            base += 64
        }
    }

    func makeIterator() -> Iterator { Iterator(window: self) }

    /// From the delivery that was sent first to the one that was sent last.
    struct Iterator: IteratorProtocol {
        private let window: InflightWindow
        private var place: Int?

        fileprivate init(window: InflightWindow) {
            self.window = window
            place = window.firstPlace
        }

        mutating func next() -> InflightDelivery? {
            guard let place else { return nil }
            self.place = window.place(after: place)
            return window[place]
        }
    }

    private var firstPlace: Int? {
        guard many.isEmpty else { return many[0].first }
        return few.isEmpty ? nil : 0
    }

    private func place(after place: Int) -> Int? {
        guard many.isEmpty else { return many[0].place(after: place) }
        return place + 1 < few.count ? place + 1 : nil
    }
}

/// A large window: a list in the order of sending, linked through its slots, and the slots by identifier.
private struct IndexedWindow {
    private struct Slot {
        var delivery: InflightDelivery
        /// In a free slot, the next free one.
        var next: UInt16
        var previous: UInt16
    }

    private var slots: [Slot] = []
    private var firstSlot = noSlot
    private var lastSlot = noSlot
    private var freeSlot = noSlot
    private(set) var count = 0
    private var index = IdentifierIndex()

    var first: Int? { Self.place(firstSlot) }
    var last: Int? { Self.place(lastSlot) }

    func place(after place: Int) -> Int? { Self.place(slots[place].next) }

    func place(of identifier: UInt16) -> Int? { index[identifier] }

    subscript(place: Int) -> InflightDelivery {
        get { slots[place].delivery }
        set { slots[place].delivery = newValue }
    }

    mutating func append(_ delivery: InflightDelivery) {
        let slot = Slot(delivery: delivery, next: noSlot, previous: lastSlot)
        let place: UInt16
        if freeSlot == noSlot {
            precondition(slots.count < Int(noSlot), "more are in flight than there are identifiers")
            place = UInt16(slots.count)
            slots.append(slot)
        } else {
            place = freeSlot
            freeSlot = slots[Int(place)].next
            slots[Int(place)] = slot
        }
        if lastSlot == noSlot { firstSlot = place } else { slots[Int(lastSlot)].next = place }
        lastSlot = place
        index.set(delivery.packetIdentifier, Int(place))
        count += 1
    }

    mutating func remove(at place: Int) -> InflightDelivery {
        let slot = slots[place]
        if slot.previous == noSlot { firstSlot = slot.next } else { slots[Int(slot.previous)].next = slot.next }
        if slot.next == noSlot { lastSlot = slot.previous } else { slots[Int(slot.next)].previous = slot.previous }
        slots[place].next = freeSlot
        freeSlot = UInt16(place)
        index.remove(slot.delivery.packetIdentifier)
        count -= 1
        return slot.delivery
    }

    func freeIdentifier(from start: UInt16, upTo highest: UInt16) -> UInt16 {
        let found = index.firstFree(in: start...highest) ?? index.firstFree(in: 1...highest)
        guard let found else { preconditionFailure("every packet identifier is in flight") }
        return found
    }

    private static func place(_ slot: UInt16) -> Int? { slot == noSlot ? nil : Int(slot) }
}

private let noSlot = UInt16.max
