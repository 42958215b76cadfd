internal import Clockwork

/// Connections that are closing in order, oldest first: all wait equally long, so the order is that of the deadlines.
struct LingerQueue {
    private struct Entry {
        var token: Token
        var deadline: Deadline
    }

    /// How many sockets linger. The queue may be longer: entries of sockets that closed meanwhile stay until due.
    var live = 0
    /// What those that are not done talking have to say and to hear, by the slots of the loop's table.
    private(set) var farewells: [Int: Farewell] = [:]
    /// The bytes of all farewells.
    private(set) var farewellBytes = 0
    private var entries: [Entry] = []
    private var head = 0

    /// When the oldest entry is due; the end of time if there is none.
    var nextDeadline: Deadline {
        head < entries.count ? entries[head].deadline : Instant(nanoseconds: .max)
    }

    mutating func append(_ token: Token, deadline: Deadline) {
        entries.append(Entry(token: token, deadline: deadline))
        live += 1
    }

    /// Notes what the socket in a slot still has to say and to hear.
    mutating func keep(_ farewell: Farewell, _ slot: Int) {
        farewells[slot] = farewell
        farewellBytes += farewell.bytes.count
    }

    /// The system took so many bytes of a slot's farewell.
    mutating func sent(_ count: Int, _ slot: Int) {
        farewells[slot]?.sentCount += count
    }

    /// The peer has said its last word.
    mutating func heard(_ slot: Int) {
        farewells[slot]?.isLastWord = nil
    }

    /// All is said and heard.
    mutating func forgetFarewell(_ slot: Int) {
        guard let farewell = farewells.removeValue(forKey: slot) else { return }
        farewellBytes -= farewell.bytes.count
    }

    /// The socket in a slot is closed.
    mutating func remove(_ slot: Int) {
        forgetFarewell(slot)
        live -= 1
    }

    /// The oldest entry, taken out.
    mutating func popFirst() -> Token? {
        guard head < entries.count else { return nil }
        let token = entries[head].token
        head += 1
        if head * 2 >= entries.count {
            entries.removeFirst(head)
            head = 0
        }
        return token
    }
}

/// Whether a peer's last word is in these bytes, which come one read after the other.
package typealias LastWord = (UnsafeMutableRawBufferPointer) -> Bool

/// What a connection that is closing still has to say and to hear before it sends its end.
struct Farewell {
    let bytes: [UInt8]
    var sentCount = 0
    /// nil if the peer has none, or has said it.
    var isLastWord: LastWord?

    var hasUnsent: Bool { sentCount < bytes.count }
}
