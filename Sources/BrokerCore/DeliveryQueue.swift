internal import DequeModule
internal import Messaging

/// Deliveries that wait for a session, oldest first: those that were in flight before, which the client may know, and
/// behind them those that it has seen nothing of. They are kept apart, so that the oldest of the latter is found and
/// dropped at the same cost however many of the former there are.
struct DeliveryQueue: Sequence {
    /// In flight before, or the PUBREL of one that was.
    private(set) var returned: Deque<QueuedDelivery> = []
    /// Seen by nobody.
    var fresh: Deque<QueuedDelivery> = []
    /// Properties and payloads of those that were in flight before, in bytes.
    var returnedBytes = 0

    var isEmpty: Bool { fresh.isEmpty && returned.isEmpty }
    var count: Int { returned.count + fresh.count }
    var first: QueuedDelivery? { returned.first ?? fresh.first }

    mutating func popFirst() -> QueuedDelivery? { returned.popFirst() ?? fresh.popFirst() }

    /// The delivery at a place, from the oldest at 0 on.
    subscript(place: Int) -> QueuedDelivery {
        place < returned.count ? returned[place] : fresh[place - returned.count]
    }

    /// Counts the delivery at a place in its session's part of the memory.
    mutating func noteInPart(_ place: Int) {
        if place < returned.count {
            returned[place].isInPart = true
        } else {
            fresh[place - returned.count].isInPart = true
        }
    }

    /// Adds a delivery at the end of its kind.
    mutating func append(_ entry: QueuedDelivery) {
        if entry.isFresh { fresh.append(entry) } else { returned.append(entry) }
    }

    /// Of the last delivery that was in flight before, only the PUBREL is left.
    mutating func releaseLast() {
        guard var entry = returned.popLast() else { return }
        entry.phase = .release
        entry.message = .passing
        entry.identifiers = .none
        returned.append(entry)
    }

    /// Puts a delivery that was in flight before all others.
    mutating func prepend(_ entry: QueuedDelivery) { returned.prepend(entry) }

    func makeIterator() -> Iterator { Iterator(queue: self) }

    struct Iterator: IteratorProtocol {
        fileprivate let queue: DeliveryQueue
        private var index = 0

        fileprivate init(queue: DeliveryQueue) { self.queue = queue }

        mutating func next() -> QueuedDelivery? {
            defer { index += 1 }
            if index < queue.returned.count { return queue.returned[index] }
            let place = index - queue.returned.count
            return place < queue.fresh.count ? queue.fresh[place] : nil
        }
    }
}
