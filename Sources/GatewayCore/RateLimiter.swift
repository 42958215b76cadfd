internal import Clockwork

/// A bucket that holds as many tokens as it gains in a second, full at the start.
struct RateLimiter {
    private let perSecond: UInt64
    /// In billionths of a token, so that a nanosecond adds `perSecond` of them.
    private var level: UInt64
    private var filled = Instant(nanoseconds: 0)

    /// 0 lets nothing through.
    init(perSecond: Int) {
        self.perSecond = UInt64(max(0, min(perSecond, 1_000_000_000)))
        level = self.perSecond * 1_000_000_000
    }

    /// Takes a token, if there is one.
    mutating func allows(at now: Instant) -> Bool {
        let elapsed = min(now.since(filled).wholeNanoseconds, 1_000_000_000)
        filled = now
        level = min(level + elapsed * perSecond, perSecond * 1_000_000_000)
        guard level >= 1_000_000_000 else { return false }
        level -= 1_000_000_000
        return true
    }
}
