/// The name of a socket that an `EventLoop` owns.
///
/// The slot is small and dense, so that a caller may index its own tables with it; it is used again after the
/// socket is closed. The generation tells the uses apart: an event or a call for a socket that is gone is
/// recognised and does nothing, even if a new socket has its slot and its descriptor in the same turn.
@frozen
package struct Token: Hashable, Sendable {
    /// The place in the loop's table.
    package let slot: UInt32
    /// How often the slot was used before.
    package let generation: UInt32

    @inlinable
    package init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    /// Both parts in one word, as epoll carries it.
    @inlinable
    package var word: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

    @inlinable
    package init(word: UInt64) {
        self.init(slot: UInt32(truncatingIfNeeded: word), generation: UInt32(truncatingIfNeeded: word >> 32))
    }
}
