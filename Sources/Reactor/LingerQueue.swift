internal import Clockwork

/// Connections that are closing in order, oldest first: all wait equally long, so the order is that of the deadlines.
struct LingerQueue {
    private struct Entry {
        var token: Token
        var deadline: Deadline
    }

    /// How many sockets linger. The queue may be longer: entries of sockets that closed meanwhile stay until due.
    var live = 0
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
