/// From packet identifiers to places in somebody's list, where there are too many to be searched one by one.
///
/// The identifiers stand on 1,024 pages of 64: for each page which of them are used, and for those in use where their
/// places stand. A page without any takes no more than its entry, so the memory is 10 KiB and what the identifiers in
/// use take; each search and change costs the same however many there are.
struct IdentifierIndex {
    /// For each page, a bit for each identifier in use.
    private var used = [UInt64](repeating: 0, count: pageCount)
    /// A bit for each page that has no free identifier.
    private var full = [UInt64](repeating: 0, count: pageCount / 64)
    /// For each page, which 64 of the places are its own.
    private var blocks = [UInt16](repeating: noPlace, count: pageCount)
    private var places: [UInt16] = []
    private var freeBlocks: [UInt16] = []

    /// The place of an identifier; nil if it is not in use.
    subscript(identifier: UInt16) -> Int? {
        let page = Int(identifier >> 6)
        guard used[page] & bit(identifier) != 0 else { return nil }
        return Int(places[position(identifier)])
    }

    /// Notes the place of an identifier, or the new one of an identifier that has moved.
    mutating func set(_ identifier: UInt16, _ place: Int) {
        let page = Int(identifier >> 6)
        if used[page] == 0 { blocks[page] = takeBlock() }
        used[page] |= bit(identifier)
        if used[page] == .max { full[page >> 6] |= 1 << UInt64(page & 63) }
        places[position(identifier)] = UInt16(place)
    }

    /// Forgets an identifier.
    mutating func remove(_ identifier: UInt16) {
        let page = Int(identifier >> 6)
        guard used[page] & bit(identifier) != 0 else { return }
        used[page] &= ~bit(identifier)
        full[page >> 6] &= ~(1 << UInt64(page & 63))
        guard used[page] == 0 else { return }
        freeBlocks.append(blocks[page])
        blocks[page] = noPlace
    }

    /// The lowest identifier of a range that is not in use.
    func firstFree(in range: ClosedRange<UInt16>) -> UInt16? {
        var page = Int(range.lowerBound >> 6)
        var free = ~used[page] & (.max << UInt64(range.lowerBound & 63))
        if free == 0 {
            guard let next = firstPageWithRoom(from: page + 1) else { return nil }
            page = next
            free = ~used[page]
        }
        let found = page << 6 + free.trailingZeroBitCount
        return found <= Int(range.upperBound) ? UInt16(found) : nil
    }

    private func firstPageWithRoom(from page: Int) -> Int? {
        guard page < pageCount else { return nil }
        var word = page >> 6
        var open = ~full[word] & (.max << UInt64(page & 63))
        while open == 0 {
            word += 1
            guard word < full.count else { return nil }
            open = ~full[word]
        }
        return word << 6 + open.trailingZeroBitCount
    }

    private func bit(_ identifier: UInt16) -> UInt64 { 1 << UInt64(identifier & 63) }

    private func position(_ identifier: UInt16) -> Int {
        Int(blocks[Int(identifier >> 6)]) << 6 + Int(identifier & 63)
    }

    private mutating func takeBlock() -> UInt16 {
        if let block = freeBlocks.popLast() { return block }
        places.append(contentsOf: repeatElement(noPlace, count: 64))
        return UInt16(places.count >> 6 - 1)
    }
}

/// From how many entries on a list is searched by an index, and below how many it no longer is.
let indexedFrom = 256
let indexedDownTo = 64

private let pageCount = 1_024
private let noPlace = UInt16.max
