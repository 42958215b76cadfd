internal import Clockwork
internal import Messaging

/// To whom DISCONNECT was said lately in answer to the DISCONNECT of a stranger.
///
/// A device whose acknowledgement was lost says it again a few times [D-25]. Another gateway answers ours as we answer
/// its, and a datagram with our own address as its source is answered to ourselves: neither would find an end [D-70].
struct Goodbyes {
    private struct Entry {
        var path: DatagramPath
        var since: Instant
        var count: Int
    }

    /// As many as a device sends with N_retry of 3 to 5 (§7.2).
    static let answersMax = 6
    static let interval: Duration = .seconds(60)
    /// Addresses that are remembered; the oldest is forgotten for a new one.
    static let addressesMax = 16

    private var entries: [Entry] = []
    private var next = 0

    /// Whether the stranger at `path` is answered once more.
    mutating func allows(_ path: DatagramPath, at now: Instant) -> Bool {
        guard let place = entries.firstIndex(where: { $0.path == path }) else {
            remember(Entry(path: path, since: now, count: 1))
            return true
        }
        if now.since(entries[place].since) >= Self.interval {
            entries[place] = Entry(path: path, since: now, count: 0)
        }
        guard entries[place].count < Self.answersMax else { return false }
        entries[place].count += 1
        return true
    }

    private mutating func remember(_ entry: Entry) {
        if entries.count < Self.addressesMax { return entries.append(entry) }
        entries[next] = entry
        next = (next + 1) % Self.addressesMax
    }
}
