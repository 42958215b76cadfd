/// Deadlines of many things that are known by small numbers: the slots of connections, devices or sessions.
///
/// Scheduling, re-scheduling and cancelling take constant time whatever the number of keys, and a key costs 24 bytes.
/// Keys come due in the order of their exact deadlines, equal deadlines in the order of scheduling, and never early.
package struct TimerWheel: Sendable {
    package init() {}

    /// How many keys have a deadline.
    package var count: Int { 0 }

    /// Gives `key` a deadline, or another one. Keys are 0 to 2^32 - 2; memory grows to the largest one.
    package mutating func schedule(_ key: Int, at deadline: Deadline) {}

    /// Takes the deadline of `key` away; nothing happens if it has none.
    package mutating func cancel(_ key: Int) {}

    /// When `key` comes due; nil if it has no deadline.
    package func deadline(of key: Int) -> Deadline? { nil }

    /// When to call `expire` next; nil if no key has a deadline. Never later than the earliest deadline; it can be
    /// earlier after a cancellation, and an `expire` that finds nothing then moves it on.
    package var nextDeadline: Deadline? { nil }

    /// Takes the key with the earliest deadline out, if that is not after `now`. Call it until it answers nil.
    package mutating func expire(to now: Instant) -> Int? { nil }
}
