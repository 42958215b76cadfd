internal import Messaging

/// Who published the retained messages, each client once: the access rules are asked about them again before a
/// message is sent (attack case 75).
struct PublisherTable {
    private struct Entry {
        var client: ClientIdentity
        var holders: UInt32
    }

    /// Place 0 is the broker itself, which may do everything.
    private var entries = [Entry(client: .anonymous, holders: 1)]
    private var free: [UInt32] = []
    private var places: [ClientIdentity: UInt32] = [:]

    /// How many clients are held.
    var count: Int { places.count }

    /// A client's number, held once more.
    mutating func hold(_ client: ClientIdentity) -> UInt32 {
        if let place = places[client] {
            hold(place)
            return place
        }
        let place = free.popLast() ?? UInt32(entries.count)
        let entry = Entry(client: client, holders: 1)
        if Int(place) == entries.count { entries.append(entry) } else { entries[Int(place)] = entry }
        places[client] = place
        return place
    }

    mutating func hold(_ place: UInt32) {
        entries[Int(place)].holders += 1
    }

    /// Counts one holder less; nobody holds the broker itself.
    mutating func release(_ place: UInt32) {
        guard place != 0 else { return }
        precondition(entries[Int(place)].holders > 0, "a publisher was released more often than held")
        entries[Int(place)].holders -= 1
        guard entries[Int(place)].holders == 0 else { return }
        places[entries[Int(place)].client] = nil
        entries[Int(place)].client = .anonymous
        free.append(place)
    }

    subscript(place: UInt32) -> ClientIdentity { entries[Int(place)].client }
}
