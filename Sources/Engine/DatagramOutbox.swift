package import Bytes
internal import GatewayCore
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

    /// Encodes a message in the encapsulation for a node behind a forwarder, both as one datagram. Its length, or nil
    /// if it is too long. It goes to one node, so that the broadcast radius is 0 [D-61]. [SN-5.5]
    mutating func append(_ packet: SNPacket, to path: DatagramPath, behind node: WirelessNodeID) -> Int? {
        let offset = bytes.count
        let count = node.withView { SNEncapsulation.encode(packet, radius: 0, wirelessNodeID: $0, into: &bytes) }
        guard let count else { return nil }
        entries.append(Entry(offset: offset, count: count, path: path))
        return count
    }

    /// Appends a datagram as it is.
    mutating func append(_ datagram: ByteView, to path: DatagramPath) {
        entries.append(Entry(offset: bytes.count, count: datagram.count, path: path))
        bytes.append(datagram)
    }

    /// Takes the newest datagram away again, after `body` has seen it.
    mutating func takeLast(_ body: (ByteView) -> Void) {
        guard let last = entries.popLast() else { return }
        body(bytes(of: last))
        bytes.truncate(to: last.offset)
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
