/// The PUBLISH messages of a device that the broker has not answered yet: which topic id each MsgId had, since PUBACK
/// repeats both (§5.4.13).
struct Uplinks {
    /// As many as a record has room for [D-38].
    static let capacity = 8

    /// MsgId in the upper, TopicId in the lower half.
    private var open: [8 of UInt32] = .init(repeating: 0)
    private(set) var count: UInt8 = 0

    /// Remembers a PUBLISH; false if `limit` are open. A retransmission takes the place of the first.
    mutating func insert(msgID: UInt16, topicID: UInt16, limit: Int) -> Bool {
        let entry = UInt32(msgID) << 16 | UInt32(topicID)
        if let place = place(of: msgID) {
            open[place] = entry
            return true
        }
        guard Int(count) < min(limit, Self.capacity) else { return false }
        open[Int(count)] = entry
        count += 1
        return true
    }

    /// The topic id of the PUBLISH with this MsgId, which is then forgotten.
    mutating func take(msgID: UInt16) -> UInt16? {
        guard let place = place(of: msgID) else { return nil }
        let entry = open[place]
        count -= 1
        open[place] = open[Int(count)]
        return UInt16(truncatingIfNeeded: entry)
    }

    private func place(of msgID: UInt16) -> Int? {
        for place in 0..<Int(count) where UInt16(truncatingIfNeeded: open[place] >> 16) == msgID { return place }
        return nil
    }
}
