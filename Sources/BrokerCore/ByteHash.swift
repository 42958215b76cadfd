import Bytes
import Clockwork

/// A keyed hash function for short names, eight bytes at a time: multiply to 128 bits and fold, as wyhash does.
///
/// Each multiplication mixes the input with a secret, so that a peer who does not know the seed can neither find a
/// factor of zero nor craft names that collide.
struct ByteHash: Sendable {
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64

    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        first = generator.next()
        second = generator.next()
        third = generator.next()
    }

    /// The hash of any bytes.
    @inline(__always)
    func hash(_ name: ByteView) -> UInt64 {
        name.count <= 16 ? hash(ShortBytes(name)) : hashLong(name)
    }

    /// The hash of up to 16 bytes.
    @inline(__always)
    func hash(_ name: ShortBytes) -> UInt64 {
        finish(name.low, name.high, name.count, third)
    }

    /// The hash of two small numbers.
    @inline(__always)
    func hash(_ left: UInt32, _ right: UInt32) -> UInt64 {
        let product = (UInt64(left) << 32 | UInt64(right) ^ first).multipliedFullWidth(by: second | 1)
        return product.high ^ product.low
    }

    private func hashLong(_ name: ByteView) -> UInt64 {
        let memory = name.memory
        var state = third
        var offset = 0
        repeat {
            let product = (word(memory, offset) ^ first).multipliedFullWidth(by: word(memory, offset + 8) ^ state)
            state = product.high ^ product.low
            offset += 16
        } while offset + 16 < memory.count
        let tail = memory.count - 16
        return finish(word(memory, tail), word(memory, tail + 8), memory.count, state)
    }

    @inline(__always)
    private func finish(_ low: UInt64, _ high: UInt64, _ count: Int, _ state: UInt64) -> UInt64 {
        let product = (low ^ first).multipliedFullWidth(by: high ^ state)
        let folded = (product.low ^ second ^ UInt64(count)).multipliedFullWidth(by: product.high ^ third)
        return folded.high ^ folded.low
    }
}

/// Up to 16 bytes as two words and a count: equal bytes make equal values and others do not.
struct ShortBytes: Equatable, Sendable {
    let low: UInt64
    let high: UInt64
    let count: Int

    /// Takes the bytes of `name`, of which there are 16 at most. From four bytes on the two words may overlap.
    @inline(__always)
    init(_ name: ByteView) {
        let memory = name.memory
        count = memory.count
        precondition(count <= 16)
        if count >= 8 {
            low = word(memory, 0)
            high = word(memory, count - 8)
        } else if count >= 4 {
            low = UInt64(memory.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
            high = UInt64(memory.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
        } else if count > 0 {
            low = UInt64(memory[0]) | UInt64(memory[count >> 1]) << 8
            high = UInt64(memory[count - 1])
        } else {
            low = 0
            high = 0
        }
    }

    init(low: UInt64, high: UInt64, count: Int) {
        self.low = low
        self.high = high
        self.count = count
    }
}

@inline(__always)
private func word(_ memory: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
    memory.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
}
