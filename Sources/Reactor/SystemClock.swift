package import Clockwork
internal import Glibc

/// The system's clocks: the only place where time enters the program.
package enum SystemClock {
    /// Both clocks. Unix seconds come from the coarse clock, a few milliseconds late at most and five times cheaper.
    package static func now() -> Now {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return Now(instant: monotonic(), unixSeconds: Int64(time.tv_sec))
    }

    /// The monotonic clock, which never jumps.
    package static func monotonic() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}
