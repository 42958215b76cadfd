import Bytes

/// The levels of a topic name or filter, cut at the slashes (MQTT 5.0 §4.7.1.1): one more than there are slashes, and
/// an empty level is a level.
struct TopicLevels {
    private let memory: UnsafeRawBufferPointer
    /// Where the next level begins; behind the end when there is none left.
    private var start = 0

    init(_ name: ByteView) {
        memory = name.memory
    }

    /// Whether all levels have been taken.
    var isAtEnd: Bool { start > memory.count }

    /// The next level.
    @inline(__always)
    mutating func next() -> ByteView? {
        guard start <= memory.count else { return nil }
        let end = slash(from: start)
        let level = ByteView(UnsafeRawBufferPointer(rebasing: memory[start..<end]))
        start = end + 1
        return level
    }

    /// Where the next slash is, or the end.
    @inline(__always)
    private func slash(from start: Int) -> Int {
        var index = start
        while index + 8 <= memory.count {
            let word = UInt64(littleEndian: memory.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            // A slash becomes a zero byte; the lowest bit of the test is set in the first one.
            let zeroed = word ^ 0x2F2F_2F2F_2F2F_2F2F
            let hit = (zeroed &- 0x0101_0101_0101_0101) & ~zeroed & 0x8080_8080_8080_8080
            if hit != 0 { return index + hit.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < memory.count, memory[index] != UInt8(ascii: "/") { index += 1 }
        return index
    }
}

extension ByteView {
    /// Whether this level is the single byte `byte`: how wildcards are told from names.
    @inline(__always)
    func isOnly(_ byte: UInt8) -> Bool { count == 1 && memory[0] == byte }
}
