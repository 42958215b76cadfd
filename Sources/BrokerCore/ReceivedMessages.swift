/// Messages at QoS 2 that a client published and has not released, found by their packet identifiers; in no order.
///
/// As in `InflightWindow`, few are searched one by one, and many have an index.
struct ReceivedMessages: Sequence {
    private var messages: [ReceivedMessage] = []
    /// None or one.
    private var index: [IdentifierIndex] = []

    var count: Int { messages.count }

    subscript(place: Int) -> ReceivedMessage { messages[place] }

    /// Where the message with this identifier is, until the next change.
    func place(of identifier: UInt16) -> Int? {
        guard index.isEmpty else { return index[0][identifier] }
        return messages.firstIndex { $0.packetIdentifier == identifier }
    }

    /// Adds a message, whose identifier is not among them.
    mutating func append(_ message: ReceivedMessage) {
        messages.append(message)
        if !index.isEmpty {
            index[0].set(message.packetIdentifier, messages.count - 1)
        } else if messages.count > indexedFrom {
            index.append(IdentifierIndex())
            for place in messages.indices { index[0].set(messages[place].packetIdentifier, place) }
        }
    }

    /// Takes a message out; the last one takes its place.
    mutating func remove(at place: Int) -> ReceivedMessage {
        messages.swapAt(place, messages.count - 1)
        let message = messages.removeLast()
        guard !index.isEmpty else { return message }
        guard messages.count >= indexedDownTo else {
            index = []
            return message
        }
        index[0].remove(message.packetIdentifier)
        if place < messages.count { index[0].set(messages[place].packetIdentifier, place) }
        return message
    }

    func makeIterator() -> IndexingIterator<[ReceivedMessage]> { messages.makeIterator() }
}
