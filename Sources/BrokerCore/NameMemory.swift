import Bytes

/// The bytes of names, each in a block of its own that stays where it is until it is freed: views of a name remain
/// good while the table of names around it grows.
final class NameMemory {
    /// A block for each place of the table; nil where there is no name.
    private var blocks: [UnsafeMutableRawPointer?] = []
    private var nameBytes = 0

    /// Memory in bytes, without what the allocator adds.
    var bytes: Int { nameBytes + blocks.capacity * MemoryLayout<UnsafeMutableRawPointer?>.stride }

    /// Copies a name into the block of `place`, which has none, and returns where it is.
    func store(_ name: ByteView, at place: UInt32) -> UnsafeRawPointer {
        // An empty name has a block too, so that each place in use has an address.
        let block = UnsafeMutableRawPointer.allocate(byteCount: max(name.count, 1), alignment: 8)
        if let start = name.memory.baseAddress { block.copyMemory(from: start, byteCount: name.count) }
        while blocks.count <= Int(place) { blocks.append(nil) }
        precondition(blocks[Int(place)] == nil)
        blocks[Int(place)] = block
        nameBytes += name.count
        return UnsafeRawPointer(block)
    }

    /// Frees the block of `place`, whose name has `count` bytes.
    func free(_ place: UInt32, count: Int) {
        blocks[Int(place)]?.deallocate()
        blocks[Int(place)] = nil
        nameBytes -= count
    }

    deinit {
        for block in blocks { block?.deallocate() }
    }
}
