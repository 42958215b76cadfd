internal import Clockwork
internal import Reactor

/// Datagrams that nobody will ever see: the system drops what finds a socket's buffer full, and says how many they were
/// with the next that has room (SO_RXQ_OVFL).
extension Server {
    /// The owner hears of losses once in so long a time at most, since they come in floods [D-91].
    package static let overflowPause: Duration = .seconds(10)

    /// Tells engine and owner what was lost.
    func noteLostDatagrams(_ now: Now) {
        let lost = loop.counters.datagramsOverflowed
        guard lost > lostReported, lostReportDue <= now.instant else { return }
        report(.datagramsLost(lost - lostReported))
        lostReported = lost
        lostReportDue = now.instant + Self.overflowPause
    }
}
