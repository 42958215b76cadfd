/// Bytes on their way out: written at the tail, flushed from the head.
///
/// A plain value over memory that its owner frees with `deallocate()`, so that tables of connections stay arrays
/// of structs: appending to one costs 4 to 5 ns, half of what a class costs (FEASIBILITY Q6). Copying the value
/// does not copy the bytes; whoever owns the table owns the memory.
@frozen
public struct OutputBuffer {
    @usableFromInline var base: UnsafeMutableRawPointer?
    @usableFromInline var capacity: Int
    @usableFromInline var head: Int
    @usableFromInline var tail: Int

    /// A buffer without memory; the first append allocates.
    @inlinable
    public init() {
        base = nil
        capacity = 0
        head = 0
        tail = 0
    }

    /// How many bytes wait.
    @inlinable
    public var count: Int { tail - head }

    /// Whether nothing waits.
    @inlinable
    public var isEmpty: Bool { tail == head }

    /// What waits, valid until the buffer is next changed.
    @inlinable
    public var pending: ByteView { ByteView(start: base.map { UnsafeRawPointer($0 + head) }, count: tail - head) }

    /// The bytes from `offset` (counted from the oldest waiting byte) on, for patching what was just written.
    @inlinable
    public func view(from offset: Int) -> ByteView {
        precondition(offset >= 0 && offset <= tail - head)
        return ByteView(start: base.map { UnsafeRawPointer($0 + head + offset) }, count: tail - head - offset)
    }

    /// Makes room for `extra` more bytes and returns where they go; `advance(by:)` then counts them.
    @inlinable
    public mutating func reserve(_ extra: Int) -> UnsafeMutableRawPointer {
        if let base, capacity - tail >= extra { return base + tail }
        return grow(by: extra)
    }

    /// Counts `written` bytes that were put where `reserve` said.
    @inlinable
    public mutating func advance(by written: Int) {
        precondition(written >= 0 && written <= capacity - tail)
        tail += written
    }

    /// `reserve`, where the room at the tail is not enough: moves the bytes to the front, or to larger memory.
    public mutating func grow(by extra: Int) -> UnsafeMutableRawPointer {
        let waiting = tail - head
        if let base, head > 0, capacity - waiting >= extra, head >= waiting {
            base.copyMemory(from: base + head, byteCount: waiting)
            head = 0
            tail = waiting
            return base + tail
        }
        // A third stays free at least, so that a buffer that is drained and filled in small pieces moves its bytes
        // only after as many new ones as half of them.
        var larger = max(capacity, 512)
        while larger < waiting + waiting / 2 + extra { larger *= 2 }
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        if let base {
            fresh.copyMemory(from: base + head, byteCount: waiting)
            base.deallocate()
        }
        base = fresh
        capacity = larger
        head = 0
        tail = waiting
        return fresh + tail
    }

    @inlinable
    public mutating func append(_ byte: UInt8) {
        reserve(1).storeBytes(of: byte, as: UInt8.self)
        tail += 1
    }

    @inlinable
    public mutating func append(_ number: UInt16) {
        reserve(2).storeBytes(of: number.bigEndian, as: UInt16.self)
        tail += 2
    }

    @inlinable
    public mutating func append(_ number: UInt32) {
        reserve(4).storeBytes(of: number.bigEndian, as: UInt32.self)
        tail += 4
    }

    @inlinable
    public mutating func append(_ view: ByteView) {
        guard let start = view.memory.baseAddress, view.count > 0 else { return }
        reserve(view.count).copyMemory(from: start, byteCount: view.count)
        tail += view.count
    }

    public mutating func append(_ string: ByteString) {
        string.withView { append($0) }
    }

    /// A two-byte length and the bytes; they must be 65,535 at most.
    @inlinable
    public mutating func appendLengthPrefixed(_ view: ByteView) {
        precondition(view.count <= Int(UInt16.max))
        append(UInt16(view.count))
        append(view)
    }

    /// Overwrites the two bytes at `offset` from the oldest waiting byte.
    @inlinable
    public mutating func patch(_ number: UInt16, at offset: Int) {
        precondition(offset >= 0 && offset + 2 <= tail - head)
        base?.storeBytes(of: number.bigEndian, toByteOffset: head + offset, as: UInt16.self)
    }

    /// Forgets the `flushed` oldest bytes. An empty buffer that had grown past `keptBytesMax` gives its memory back.
    @inlinable
    public mutating func consume(_ flushed: Int, keptBytesMax: Int = 16 * 1024) {
        precondition(flushed >= 0 && flushed <= tail - head)
        head += flushed
        if head == tail {
            head = 0
            tail = 0
            if capacity > keptBytesMax { deallocate() }
        }
    }

    /// Forgets the newest bytes down to `count`: undoes an append that turned out too long.
    @inlinable
    public mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= tail - head)
        tail = head + count
    }

    /// Gives the memory back; the buffer is empty and usable again.
    public mutating func deallocate() {
        base?.deallocate()
        base = nil
        capacity = 0
        head = 0
        tail = 0
    }
}
