internal import Bytes
internal import Messaging

/// Hashes of the two keys that devices are found by. Seeded, so that nobody outside can aim at collisions.
struct KeyHasher {
    private let first: UInt64
    private let second: UInt64

    init(seeds first: UInt64, _ second: UInt64) {
        self.first = first | 1
        self.second = second | 1
    }

    /// Where a device is reached: remote address, listener and node. The local address is no part of it.
    @inline(__always)
    func hash(_ path: DatagramPath) -> UInt32 {
        let remote = path.remote
        // Nodes are numbered in sequence: multiplied, they do not run into the few scopes that there are.
        let place = remote.scopeID ^ (path.node &* 0x9E37_79B1)
        let tail = UInt64(place) << 32 | UInt64(remote.port) << 16 | UInt64(path.listener)
        let mixed = fold(remote.low ^ first, tail ^ second)
        return UInt32(truncatingIfNeeded: fold(mixed ^ remote.high, first))
    }

    /// A client id.
    func hash(_ name: ByteView) -> UInt32 {
        var mixed = first ^ UInt64(name.count)
        var offset = 0
        while offset + 8 <= name.count {
            mixed = fold(mixed ^ name.memory.loadUnaligned(fromByteOffset: offset, as: UInt64.self), second)
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < name.count {
            rest = rest << 8 | UInt64(name[offset])
            offset += 1
        }
        return UInt32(truncatingIfNeeded: fold(fold(mixed ^ rest, second), first))
    }

    @inline(__always)
    private func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
