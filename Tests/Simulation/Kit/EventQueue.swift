package import Bytes
internal import Clockwork
internal import HeapModule
package import Messaging

/// What is going to happen in a world, besides what the engine and the devices wake up for.
package enum WorldEvent {
    case datagramUp(ByteString, from: PeerAddress)
    case datagramDown(ByteString, to: PeerAddress)
    /// Bytes of a client reach the engine.
    case uplink(link: Int)
    /// Bytes of the engine reach a client.
    case downlink(link: Int)
    /// A socket takes more of the engine's output.
    case writable(link: Int)
    /// The engine learns that a client is gone.
    case cutNoticed(link: Int)
    /// A commit is over, for the gateway's process of this number.
    case diskDone(life: Int)
    /// An agent may do something.
    case turn(agent: Int)
    /// The trouble is over.
    case heal
}

/// Events by time, equal times in the order of their making.
struct EventQueue {
    private struct Entry: Comparable {
        var at: Instant
        var number: UInt64
        var event: WorldEvent

        static func < (left: Entry, right: Entry) -> Bool { (left.at, left.number) < (right.at, right.number) }
        static func == (left: Entry, right: Entry) -> Bool { left.number == right.number }
    }

    private var heap = Heap<Entry>()
    private var made: UInt64 = 0
    /// Datagrams and bytes under way.
    private(set) var underWay = 0

    mutating func add(_ event: WorldEvent, at instant: Instant) {
        made += 1
        if event.isTraffic { underWay += 1 }
        heap.insert(Entry(at: instant, number: made, event: event))
    }

    var nextInstant: Instant? { heap.min?.at }

    mutating func next() -> WorldEvent? {
        guard let event = heap.popMin()?.event else { return nil }
        if event.isTraffic { underWay -= 1 }
        return event
    }
}

extension WorldEvent {
    fileprivate var isTraffic: Bool {
        switch self {
        case .datagramUp, .datagramDown, .uplink, .downlink, .writable, .cutNoticed, .diskDone: true
        case .turn, .heal: false
        }
    }
}
