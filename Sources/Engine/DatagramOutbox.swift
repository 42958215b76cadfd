package import Bytes
internal import MQTTSNWire
package import Messaging

/// Datagrams on their way out: their bytes one behind the other, and where each goes.
package struct DatagramOutbox {
    /// One datagram of the outbox.
    package struct Entry {
        var offset: Int
        var count: Int
        /// Where to, and from which of our addresses.
        package var path: DatagramPath
    }

    /// The datagrams, in order.
    package private(set) var entries: [Entry] = []
    private var bytes = OutputBuffer()

    /// The bytes of a datagram; valid until the outbox is changed.
    package func bytes(of entry: Entry) -> ByteView {
        bytes.view(from: entry.offset)[0..<entry.count]
    }

    /// Encodes a message. Its length, or nil if it is too long for its length field.
    mutating func append(_ packet: SNPacket, to path: DatagramPath) -> Int? {
        let offset = bytes.count
        guard packet.encode(into: &bytes) else { return nil }
        let count = bytes.count - offset
        entries.append(Entry(offset: offset, count: count, path: path))
        return count
    }

    /// Forgets everything; the memory stays for the next turn.
    package mutating func clear() {
        entries.removeAll(keepingCapacity: true)
        bytes.truncate(to: 0)
    }

    mutating func tearDown() {
        bytes.deallocate()
    }
}
