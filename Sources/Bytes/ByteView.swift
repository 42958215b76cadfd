/// Bytes that somebody else owns: a read buffer, a datagram, a stored message.
///
/// A view is valid during the call that hands it over and never longer; whoever keeps the bytes makes a
/// `ByteString` of them. Views are compared by content, byte for byte [MQTT-4.7.3-4].
///
/// `public`, as all types of the lowest modules that hot paths use: the compiler (Swift 6.3) does not inline functions
/// of a `package` type into other modules, `@inlinable` or not (docs/adr/0002-build-settings.md).
@frozen
public struct ByteView: Equatable {
    /// The memory looked at.
    public let memory: UnsafeRawBufferPointer

    /// A view of `memory`, which must outlive it.
    @inlinable
    public init(_ memory: UnsafeRawBufferPointer) {
        self.memory = memory
    }

    /// A view of `count` bytes at `start`; the caller has checked that they are there.
    @inlinable
    public init(start: UnsafeRawPointer?, count: Int) {
        memory = UnsafeRawBufferPointer(start: start, count: count)
    }

    /// The view of nothing.
    @inlinable
    public static var empty: ByteView { ByteView(UnsafeRawBufferPointer(start: nil, count: 0)) }

    /// How many bytes there are.
    @inlinable
    public var count: Int { memory.count }

    /// Whether there are none.
    @inlinable
    public var isEmpty: Bool { memory.count == 0 }

    /// The byte at `index`, which must be inside: our own arithmetic, never a length from the wire.
    @inlinable
    public subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < memory.count)
        return memory.load(fromByteOffset: index, as: UInt8.self)
    }

    /// The bytes of `range`, which must be inside.
    @inlinable
    public subscript(range: Range<Int>) -> ByteView {
        ByteView(UnsafeRawBufferPointer(rebasing: memory[range]))
    }

    /// All bytes from `index` on; nothing if it lies behind the end.
    @inlinable
    public func dropFirst(_ count: Int) -> ByteView {
        self[min(count, self.count)..<self.count]
    }

    @inlinable
    public static func == (left: ByteView, right: ByteView) -> Bool {
        guard left.count == right.count else { return false }
        var index = 0
        while index + 8 <= left.count {
            let one = left.memory.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if one != right.memory.loadUnaligned(fromByteOffset: index, as: UInt64.self) { return false }
            index += 8
        }
        while index < left.count {
            if left.memory[index] != right.memory[index] { return false }
            index += 1
        }
        return true
    }
}
