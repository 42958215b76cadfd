internal import Messaging

/// The topics of a device's normal ids, in order.
///
/// Most devices have a few: those stand in the record itself, four bytes each, and only more of them take memory of
/// their own.
struct TopicEntries: RandomAccessCollection {
    /// How many stand in the record.
    private static let fewMax = 3

    private var few: [3 of PackedEntry] = .init(repeating: PackedEntry())
    private var fewCount: UInt8 = 0
    /// Those behind the few.
    private var more: [PackedEntry] = []

    var startIndex: Int { 0 }
    @inline(__always)
    var endIndex: Int { Int(fewCount) + more.count }

    @inline(__always)
    subscript(place: Int) -> TopicRegistry.Entry {
        get {
            precondition(place < endIndex)
            return (place < Self.fewMax ? few[place] : more[place - Self.fewMax]).entry
        }
        set {
            precondition(place < endIndex)
            if place < Self.fewMax {
                few[place] = PackedEntry(newValue)
            } else {
                more[place - Self.fewMax] = PackedEntry(newValue)
            }
        }
    }

    mutating func append(_ entry: TopicRegistry.Entry) {
        if fewCount == Self.fewMax { return more.append(PackedEntry(entry)) }
        few[Int(fewCount)] = PackedEntry(entry)
        fewCount += 1
    }
}

/// The topic in the lower 29 bits, then the knowledge, then whether it is the server's.
private struct PackedEntry {
    private var bits: UInt32 = 0

    init() {}

    init(_ entry: TopicRegistry.Entry) {
        // So many topics would take 50 GB.
        precondition(entry.topic.index < 1 << 29)
        bits = entry.topic.index | UInt32(entry.knowledge.rawValue) << 29 | (entry.isServers ? 1 << 31 : 0)
    }

    @inline(__always)
    var entry: TopicRegistry.Entry {
        TopicRegistry.Entry(
            topic: TopicID(index: bits & (1 << 29 - 1)),
            knowledge: TopicRegistry.Knowledge(rawValue: UInt8(bits >> 29 & 0b11)) ?? .unknown,
            isServers: bits >> 31 == 1)
    }
}
