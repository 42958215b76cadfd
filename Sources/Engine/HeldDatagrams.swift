internal import Bytes
internal import DequeModule
internal import Messaging

/// Datagrams that wait for the disk, in the order in which they will leave.
struct HeldDatagrams {
    /// Bytes that may wait; what finds no room is lost, as datagrams may be.
    static let bytesMax = 16 << 20
    /// How many paths are remembered before those are forgotten whose batch is safe; more while more wait.
    private var pathsMax = 4_096

    private struct Entry {
        var batch: UInt64
        var count: Int
        var path: DatagramPath
    }

    private var entries = Deque<Entry>()
    private var bytes = OutputBuffer()
    /// The batch that the last word to a device waits for. Whoever is told something is told everything behind it in
    /// order: a repeated answer must not overtake the first.
    private var batches: [DatagramPath: UInt64] = [:]
    /// The highest of them.
    private var newest: UInt64 = 0

    /// Whether something to this path still waits for the disk, or would, had it not been lost.
    func isHeld(_ path: DatagramPath, safe: UInt64) -> Bool {
        guard !batches.isEmpty, let batch = batches[path] else { return false }
        return batch > safe
    }

    /// What goes to this path waits for `batch`; batches rise from call to call.
    mutating func note(_ path: DatagramPath, until batch: UInt64, safe: UInt64) {
        if batches.count >= pathsMax {
            batches = batches.filter { $0.value > safe }
            pathsMax = max(4_096, 2 * batches.count)
        }
        batches[path] = batch
        newest = batch
    }

    /// What waits for an unknown batch, `.max`, waits for this one.
    mutating func settle(until batch: UInt64) {
        guard newest == .max else { return }
        newest = batch
        for (path, _) in batches.filter({ $0.value == .max }) { batches[path] = batch }
    }

    /// Keeps a datagram. False if there is no room for it.
    mutating func append(_ datagram: ByteView, to path: DatagramPath, until batch: UInt64) -> Bool {
        guard bytes.count + datagram.count <= Self.bytesMax else { return false }
        bytes.append(datagram)
        entries.append(Entry(batch: batch, count: datagram.count, path: path))
        return true
    }

    /// The oldest datagram that waits for nothing any more; `removeFirst` follows.
    func first(safe: UInt64) -> (bytes: ByteView, path: DatagramPath)? {
        guard let entry = entries.first, entry.batch <= safe else { return nil }
        return (bytes.pending[0..<entry.count], entry.path)
    }

    mutating func removeFirst(safe: UInt64) {
        guard let entry = entries.popFirst() else { return }
        bytes.consume(entry.count)
        if newest <= safe { batches.removeAll(keepingCapacity: true) }
    }

    /// Loses all datagrams; what follows them still waits. The paths that they would have taken.
    mutating func abandon() -> [DatagramPath] {
        defer {
            entries = []
            bytes.deallocate()
        }
        return entries.map(\.path)
    }

    mutating func tearDown() { bytes.deallocate() }
}
