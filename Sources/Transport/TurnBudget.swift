internal import DequeModule

/// How much work a turn of the loop may do, in the unit of `Engine.workDone`: 20,000 are about five milliseconds.
///
/// Without it one turn would do whatever 256 ready sockets ask, each of them for thousands of receivers, and everybody
/// else would wait for its end [M-81].
enum TurnBudget {
    /// What one connection may cost in one go: then the rest of what was read from it waits. One packet is never cut.
    static let slice: UInt64 = 10_000
    /// After how much work the sockets that are ready are only noted.
    static let events: UInt64 = 10_000
    /// How much of what was noted so is done at the end of a turn.
    static let unread: UInt64 = 10_000
    /// Until when dear connections are served, one in each turn at least.
    static let whole: UInt64 = 20_000
    /// How many bytes may have been read and wait, of all connections together; above it reads are small.
    static let restBytesMax = 16 << 20
}

/// The connections that wait for their part of a turn, in two lines. Each is in one line at most and stands in it once.
///
/// A connection that costs little is served before those that cost much, so that it waits for a few milliseconds of
/// their work and not for all of it. In each line the first to come is the first to be served; who is not done in one
/// go stands in line anew.
struct Backlog {
    /// Ready to be read, and not reached in its turn.
    private(set) var unread = Deque<Int>()
    /// Dear: the rest of a read, another read, or an end with all that follows from it.
    private(set) var dear = Deque<Int>()

    var isEmpty: Bool { unread.isEmpty && dear.isEmpty }

    mutating func append(_ slot: Int, isDear: Bool) {
        if isDear { dear.append(slot) } else { unread.append(slot) }
    }

    mutating func popUnread() -> Int? { unread.popFirst() }

    mutating func popDear() -> Int? { dear.popFirst() }
}
