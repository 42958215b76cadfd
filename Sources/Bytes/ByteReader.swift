/// A cursor over bytes from the wire that never reads past the end.
///
/// Each read answers nil when the bytes are not there; the caller turns that into the error of its protocol.
/// Numbers are big-endian, as in MQTT 5.0 §1.5 and MQTT-SN 1.2 §5.
@frozen
public struct ByteReader {
    /// What is still to be read.
    @usableFromInline
    var rest: UnsafeRawBufferPointer

    @inlinable
    public init(_ view: ByteView) {
        rest = view.memory
    }

    /// How many bytes are still to be read.
    @inlinable
    public var remaining: Int { rest.count }

    /// The next byte.
    @inlinable
    public mutating func readUInt8() -> UInt8? {
        guard rest.count >= 1 else { return nil }
        let value = rest.load(fromByteOffset: 0, as: UInt8.self)
        skip(1)
        return value
    }

    /// The next two bytes as a number.
    @inlinable
    public mutating func readUInt16() -> UInt16? {
        guard rest.count >= 2 else { return nil }
        let value = UInt16(bigEndian: rest.loadUnaligned(fromByteOffset: 0, as: UInt16.self))
        skip(2)
        return value
    }

    /// The next four bytes as a number.
    @inlinable
    public mutating func readUInt32() -> UInt32? {
        guard rest.count >= 4 else { return nil }
        let value = UInt32(bigEndian: rest.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
        skip(4)
        return value
    }

    /// The next `count` bytes, as a view of the same memory.
    @inlinable
    public mutating func readBytes(_ count: Int) -> ByteView? {
        guard count >= 0, rest.count >= count else { return nil }
        let view = ByteView(UnsafeRawBufferPointer(rebasing: rest[..<count]))
        skip(count)
        return view
    }

    /// A two-byte length and that many bytes: MQTT 5.0 §1.5.4 and §1.5.6.
    @inlinable
    public mutating func readLengthPrefixed() -> ByteView? {
        guard let count = readUInt16() else { return nil }
        return readBytes(Int(count))
    }

    /// Everything that is left.
    @inlinable
    public mutating func readRest() -> ByteView {
        let view = ByteView(rest)
        rest = UnsafeRawBufferPointer(rebasing: rest[rest.count...])
        return view
    }

    /// Passes over `count` bytes, which must be there: the caller has checked.
    @inlinable
    public mutating func skip(_ count: Int) {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
}
