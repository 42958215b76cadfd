/// A point on a monotonic clock, in nanoseconds from an origin that only the adapter knows.
@frozen
public struct Instant: Comparable, Hashable, Sendable {
    public var nanoseconds: UInt64

    @inlinable
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    @inlinable
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The instant `duration` later; the end of the clock if that lies behind it. A negative duration adds nothing.
    @inlinable
    public static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    /// How long after `earlier` this is; zero if it is not.
    @inlinable
    public func since(_ earlier: Instant) -> Duration {
        nanoseconds > earlier.nanoseconds
            ? .nanoseconds(Int64(clamping: nanoseconds - earlier.nanoseconds)) : .zero
    }
}

extension Duration {
    /// This duration in nanoseconds; 0 for a negative one, the maximum for one of more than 584 years.
    @inlinable
    public var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = product.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return overflow || carry ? .max : sum
    }
}

/// The time as a core sees it: sampled once for each turn of the loop by the adapter, made up by a simulation.
@frozen
public struct Now: Equatable, Sendable {
    /// For deadlines and intervals.
    public var instant: Instant
    /// For message expiry and for people: seconds since 1970.
    public var unixSeconds: Int64

    @inlinable
    public init(instant: Instant, unixSeconds: Int64) {
        self.instant = instant
        self.unixSeconds = unixSeconds
    }
}

/// The instant at which something must happen.
public typealias Deadline = Instant
