/// The PUBLISH messages of a device that the broker has not answered yet: which topic id each MsgId had, since PUBACK
/// repeats both (§5.4.13).
///
/// A device that waits for each answer, as the standard wants it, has one: that has its place here, and memory for more
/// is taken only by who sends more.
struct Uplinks {
    /// As many as a record has room for [D-38].
    static let capacity = 8

    /// MsgId in the upper, TopicId in the lower half. The first of `count`; the others follow in `others`.
    private var first: UInt32 = 0
    private(set) var count: UInt8 = 0
    private var others: [UInt32] = []

    /// Remembers a PUBLISH; false if `limit` are open. A retransmission takes the place of the first.
    mutating func insert(msgID: UInt16, topicID: UInt16, limit: Int) -> Bool {
        let entry = UInt32(msgID) << 16 | UInt32(topicID)
        if let place = place(of: msgID) {
            self[place] = entry
            return true
        }
        guard Int(count) < min(limit, Self.capacity) else { return false }
        if count == 0 { first = entry } else { others.append(entry) }
        count += 1
        return true
    }

    /// The topic id of the PUBLISH with this MsgId, which is then forgotten.
    mutating func take(msgID: UInt16) -> UInt16? {
        guard let place = place(of: msgID) else { return nil }
        let entry = self[place]
        count -= 1
        if let last = others.popLast(), place < Int(count) { self[place] = last }
        return UInt16(truncatingIfNeeded: entry)
    }

    private subscript(place: Int) -> UInt32 {
        get { place == 0 ? first : others[place - 1] }
        set { if place == 0 { first = newValue } else { others[place - 1] = newValue } }
    }

    private func place(of msgID: UInt16) -> Int? {
        for place in 0..<Int(count) where UInt16(truncatingIfNeeded: self[place] >> 16) == msgID { return place }
        return nil
    }
}
