internal import Clockwork

/// How packets are sent again on one listener (§6.13, §7.2).
struct RetryRules {
    /// T_retry, an hour at most.
    let nanoseconds: UInt64
    /// What chance adds to it, up to this.
    let spread: UInt64
    /// N_retry, 254 at most: what is counted against it in a byte can be one more.
    let count: Int

    init(_ listener: Gateway.Configuration.Listener, jitterPercent: Int) {
        nanoseconds = min(listener.retryInterval, .seconds(3600)).wholeNanoseconds
        spread = nanoseconds / 100 * UInt64(max(0, min(jitterPercent, 100)))
        count = max(0, min(listener.retryCount, Int(UInt8.max) - 1))
    }
}
