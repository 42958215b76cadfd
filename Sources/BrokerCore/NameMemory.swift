internal import Bytes

/// The bytes of names, each in a block of its own that stays where it is until it is freed: views of a name remain
/// good while the table of names around it grows.
final class NameMemory {
    /// A block for each place of the table; nil where there is no name. The name's length stands before its bytes, so
    /// that the table need not keep it.
    private var blocks: [UnsafeMutableRawPointer?] = []
    private var nameBytes = 0

    /// Memory in bytes, without what the allocator adds.
    var bytes: Int { nameBytes + blocks.capacity * MemoryLayout<UnsafeMutableRawPointer?>.stride }

    /// Copies a name into the block of `place`, which has none.
    func store(_ name: ByteView, at place: UInt32) {
        let block = UnsafeMutableRawPointer.allocate(byteCount: lengthBytes + name.count, alignment: 8)
        block.storeBytes(of: UInt32(name.count), as: UInt32.self)
        if let start = name.memory.baseAddress {
            (block + lengthBytes).copyMemory(from: start, byteCount: name.count)
        }
        while blocks.count <= Int(place) { blocks.append(nil) }
        precondition(blocks[Int(place)] == nil)
        blocks[Int(place)] = block
        nameBytes += lengthBytes + name.count
    }

    /// The name at `place`; empty if there is none.
    @inline(__always)
    func name(at place: UInt32) -> ByteView {
        guard let block = blocks[Int(place)] else { return .empty }
        return ByteView(start: block + lengthBytes, count: Int(block.load(as: UInt32.self)))
    }

    /// Frees the block of `place`.
    func free(_ place: UInt32) {
        nameBytes -= lengthBytes + name(at: place).count
        blocks[Int(place)]?.deallocate()
        blocks[Int(place)] = nil
    }

    deinit {
        for block in blocks { block?.deallocate() }
    }
}

private let lengthBytes = MemoryLayout<UInt32>.size
