package import Bytes
package import Messaging

/// Datagrams on their way out through one UDP socket: gathered during a turn, sent with few system calls at its end.
///
/// Memory grows to what one turn needs and is kept. UDP may lose datagrams, so what exceeds the limits is dropped and
/// counted, never queued without bound; retransmission is the protocol's business.
package final class DatagramBatch {
    private struct Entry {
        var path: DatagramPath
        /// Where the bytes begin, counted from the first byte that this batch ever held, modulo 2^32.
        var offset: UInt32
        var count: UInt32
    }

    /// How many datagrams may wait.
    package let datagramsMax: Int
    /// How many bytes may wait, at most 2^31.
    package let bytesMax: Int
    /// Datagrams dropped because the batch was full or the datagram too long for UDP.
    package private(set) var dropped: UInt64 = 0

    private var bytes = OutputBuffer()
    /// The entries that wait begin at `head`.
    private var entries: [Entry] = []
    private var head = 0
    /// How many bytes were ever sent, modulo 2^32.
    private var sentBytes: UInt32 = 0

    package init(datagramsMax: Int = 4096, bytesMax: Int = 1 << 20) {
        precondition(datagramsMax > 0 && bytesMax > 0 && bytesMax <= 1 << 31)
        self.datagramsMax = datagramsMax
        self.bytesMax = bytesMax
    }

    deinit {
        bytes.deallocate()
    }

    /// How many datagrams wait.
    package var count: Int { entries.count - head }
    /// Whether it may have no room for one more.
    package var isFull: Bool { count >= datagramsMax || bytes.count + Int(UInt16.max) > bytesMax }
    /// Whether none waits.
    package var isEmpty: Bool { entries.count == head }

    /// Adds a datagram with these bytes. False if it was dropped.
    @discardableResult
    package func append(_ content: ByteView, to path: DatagramPath) -> Bool {
        append(to: path) { $0.append(content) }
    }

    /// Adds the datagram that `encode` appends to the buffer. False if it was dropped.
    @discardableResult
    package func append(to path: DatagramPath, _ encode: (inout OutputBuffer) -> Void) -> Bool {
        let start = bytes.count
        encode(&bytes)
        let length = bytes.count - start
        guard count < datagramsMax, bytes.count <= bytesMax, length <= Int(UInt16.max) else {
            bytes.truncate(to: start)
            dropped += 1
            return false
        }
        entries.append(Entry(path: path, offset: sentBytes &+ UInt32(start), count: UInt32(length)))
        return true
    }

    /// The path of the waiting datagram `index`, 0 being the oldest.
    package func path(_ index: Int) -> DatagramPath { entries[head + index].path }

    /// Its bytes, valid until the batch is next changed.
    package func bytes(_ index: Int) -> ByteView {
        let entry = entries[head + index]
        let start = Int(entry.offset &- sentBytes)
        return bytes.pending[start..<start + Int(entry.count)]
    }

    /// Forgets the oldest `done` datagrams.
    package func removeFirst(_ done: Int) {
        for entry in entries[head..<head + done] {
            bytes.consume(Int(entry.count), keptBytesMax: bytesMax)
            sentBytes &+= entry.count
        }
        head += done
        // Emptied, which is the rule, this costs nothing; stuck, each entry moves once on average.
        if head * 2 >= entries.count {
            entries.removeSubrange(..<head)
            head = 0
        }
    }
}
