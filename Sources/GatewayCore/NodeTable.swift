internal import Bytes
internal import Messaging

/// The Wireless Node Ids in use, as small numbers that a `DatagramPath` has room for [D-48].
///
/// A number is good as long as somebody holds it: a device record or the claim to a client id. What nobody holds is
/// forgotten when the next event begins, so that the answers to the last one, to strangers too, still find their node.
/// There are never more nodes than devices and claims, and one.
struct NodeTable {
    private struct Entry {
        /// nil for a free entry.
        var id: WirelessNodeID?
        /// Device records and claims.
        var holders: UInt32
    }

    private var entries: [Entry] = []
    private var freeNumbers: [UInt32] = []
    /// Numbers that nobody held when they came in here, perhaps more than once.
    private var idle: [UInt32] = []
    private var byID = SlotIndex()
    private let hasher: KeyHasher
    /// Device records behind each forwarder, by its address without the port. Looked up, never walked through.
    private var records: [PeerAddress: Int] = [:]

    init(hasher: KeyHasher) {
        self.hasher = hasher
    }

    /// How many nodes there are.
    var count: Int { byID.count }

    /// The id behind a number; nil for 0 and for numbers that are not in use.
    subscript(number: UInt32) -> WirelessNodeID? {
        let place = Int(number) - 1
        return entries.indices.contains(place) ? entries[place].id : nil
    }

    /// The number of a node, new if nobody has it yet; nil if the id is none (`WirelessNodeID.init`).
    mutating func number(of view: ByteView) -> UInt32? {
        let hash = hasher.hash(view)
        let known = byID.slot(hash: hash) { place in
            entries[place].id?.withView { $0 == view } ?? false
        }
        if let known { return UInt32(known + 1) }
        guard let id = WirelessNodeID(view) else { return nil }
        let number: UInt32
        if let free = freeNumbers.popLast() {
            number = free
            entries[Int(free) - 1] = Entry(id: id, holders: 0)
        } else {
            entries.append(Entry(id: id, holders: 0))
            number = UInt32(entries.count)
        }
        byID.insert(hash: hash, slot: Int(number) - 1)
        idle.append(number)
        return number
    }

    /// Somebody keeps the number, which is 0 or in use.
    @inline(__always)
    mutating func hold(_ number: UInt32) {
        if number != 0 { entries[Int(number) - 1].holders += 1 }
    }

    /// Whoever held the number has no use for it any more.
    @inline(__always)
    mutating func release(_ number: UInt32) {
        if number != 0 { drop(number) }
    }

    private mutating func drop(_ number: UInt32) {
        entries[Int(number) - 1].holders -= 1
        if entries[Int(number) - 1].holders == 0 { idle.append(number) }
    }

    /// A device record has this path from now on.
    @inline(__always)
    mutating func moveIn(_ path: DatagramPath) {
        if path.node != 0 { holdRecord(path) }
    }

    /// The device record that had this path has another one, or is gone.
    @inline(__always)
    mutating func moveOut(_ path: DatagramPath) {
        if path.node != 0 { releaseRecord(path) }
    }

    private mutating func holdRecord(_ path: DatagramPath) {
        hold(path.node)
        records[path.remote.with(port: 0), default: 0] += 1
    }

    private mutating func releaseRecord(_ path: DatagramPath) {
        release(path.node)
        let forwarder = path.remote.with(port: 0)
        let left = records[forwarder, default: 0] - 1
        records[forwarder] = left > 0 ? left : nil
    }

    /// How many device records lie behind the forwarder of this path, whatever ports it speaks from.
    func recordCount(behind path: DatagramPath) -> Int { records[path.remote.with(port: 0)] ?? 0 }

    /// How many forwarders have device records behind them.
    var forwarderCount: Int { records.count }

    /// Whether `forgetIdle` has something to look at.
    var hasIdle: Bool { !idle.isEmpty }

    /// Forgets the nodes that nobody holds: nothing may show their numbers any more.
    mutating func forgetIdle() {
        for number in idle {
            let place = Int(number) - 1
            guard entries[place].holders == 0, let id = entries[place].id else { continue }
            byID.remove(hash: id.withView(hasher.hash), slot: place)
            entries[place].id = nil
            freeNumbers.append(number)
        }
        idle.removeAll(keepingCapacity: true)
    }
}
