internal import Clockwork
internal import Reactor

extension Server {
    /// A sign of life, given again and again as long as turns end: whoever started the process may start it anew when
    /// the signs stop.
    struct Heartbeat {
        let interval: Duration
        let beat: () -> Void
        var due: Deadline
    }

    /// Calls `beat` at the end of a turn, each `interval`, from now on.
    package func beat(each interval: Duration, _ beat: @escaping () -> Void) {
        heartbeat = Heartbeat(interval: interval, beat: beat, due: loop.now.instant)
    }

    func beat(_ now: Now) {
        guard let heartbeat, heartbeat.due <= now.instant else { return }
        heartbeat.beat()
        self.heartbeat?.due = now.instant + heartbeat.interval
    }
}
