/// The mask of a client's frame, turned to where the next byte of its payload stands (RFC 6455 §5.3).
struct Mask {
    /// The four bytes, the next one lowest.
    private var key: UInt32 = 0

    init() {}

    /// From the four bytes as they were sent.
    init(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) {
        key = UInt32(first) | UInt32(second) << 8 | UInt32(third) << 16 | UInt32(fourth) << 24
    }

    /// Unmasks `count` bytes. The destination may be the source, or lie before it and overlap it: bytes only move
    /// toward the front.
    mutating func apply(from source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer, count: Int) {
        let word = (UInt64(key) << 32 | UInt64(key)).littleEndian
        var index = 0
        while index + 8 <= count {
            let masked = source.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            destination.storeBytes(of: masked ^ word, toByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < count {
            let masked = source.load(fromByteOffset: index, as: UInt8.self)
            destination.storeBytes(of: masked ^ next(), toByteOffset: index, as: UInt8.self)
            index += 1
        }
    }

    /// The mask of one byte, and on to the next.
    mutating func next() -> UInt8 {
        defer { key = key >> 8 | key << 24 }
        return UInt8(truncatingIfNeeded: key)
    }
}
