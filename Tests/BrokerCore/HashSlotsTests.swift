@testable import BrokerCore
import Bytes
import Clockwork
import Testing

@Suite struct HashSlotsTests {
    @Test("Places are found and removed whatever their hashes, colliding ones included", arguments: 1...20)
    func property(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        // From a single hash for all places, over hashes that wrap around the end, to hashes that hardly collide.
        let spread = [1, 3, 16, 1_000, 1 << 32][Int(random.below(5))] as UInt64
        let base = random.below(2) == 0 ? 0 : UInt64(UInt32.max) - spread / 2
        var slots = HashSlots()
        var hashes = [UInt64?](repeating: nil, count: 300)
        for _ in 0..<3_000 {
            let place = Int(random.below(300))
            if let hash = hashes[place] {
                slots.remove(hash, UInt32(place))
                hashes[place] = nil
            } else {
                let hash = base &+ random.below(spread)
                slots.insert(hash, UInt32(place))
                hashes[place] = hash
            }
            let probe = Int(random.below(300))
            if let hash = hashes[probe] {
                #expect(slots.find(hash) { $0 == UInt32(probe) } == UInt32(probe))
            } else {
                #expect(slots.find(base) { $0 == UInt32(probe) } == nil)
            }
        }
        #expect(slots.count == hashes.count { $0 != nil })
        for (place, hash) in hashes.enumerated() {
            guard let hash else { continue }
            #expect(slots.find(hash) { $0 == UInt32(place) } == UInt32(place))
            slots.remove(hash, UInt32(place))
        }
        #expect(slots.count == 0)
    }

    @Test("The table grows with its entries and shrinks with them")
    func size() {
        var slots = HashSlots()
        let small = slots.bytes
        for place in 0..<10_000 { slots.insert(UInt64(place) &* 0x9E37_79B9, UInt32(place)) }
        #expect(slots.bytes >= 10_000 * 8)
        #expect(slots.bytes <= 10_000 * 8 * 4)
        for place in 0..<10_000 { slots.remove(UInt64(place) &* 0x9E37_79B9, UInt32(place)) }
        #expect(slots.bytes <= small * 2)
    }
}

@Suite struct ByteHashTests {
    @Test("Different bytes of up to 16 make different short forms")
    func shortBytes() {
        for length in 0...16 {
            let plain = ByteString([UInt8](repeating: 0, count: length)).withView { ShortBytes($0) }
            for changed in 0..<length {
                for bit in 0..<8 {
                    var name = [UInt8](repeating: 0, count: length)
                    name[changed] = 1 << UInt8(bit)
                    #expect(ByteString(name).withView { ShortBytes($0) } != plain)
                }
            }
            let longer = ByteString([UInt8](repeating: 0, count: length + 1))
            if length < 16 { #expect(longer.withView { ShortBytes($0) } != plain) }
        }
    }

    @Test("Names that differ little spread evenly over the slots, under any seed", arguments: [0, 1, 42, UInt64.max])
    func spread(seed: UInt64) {
        let hashing = ByteHash(seed: seed)
        for form in ["%", "device/%/temperature", "a-very-long-prefix-of-a-topic-name/and-then/%"] {
            var buckets = [Int](repeating: 0, count: 256)
            for number in 0..<25_600 {
                let name = form.replacing("%", with: String(number))
                buckets[Int(bytes(name) { hashing.hash($0) } & 255)] += 1
            }
            #expect((buckets.max() ?? 0) < 170 && (buckets.min() ?? 0) > 40)
        }
        var buckets = [Int](repeating: 0, count: 256)
        for left in 0..<160 as Range<UInt32> {
            for right in 0..<160 as Range<UInt32> { buckets[Int(hashing.hash(left, right) & 255)] += 1 }
        }
        #expect((buckets.max() ?? 0) < 170 && (buckets.min() ?? 0) > 40)
    }

    @Test("The hash follows from the seed")
    func seeds() {
        let name = ByteString("plant/hall-1/temperature")
        let one = name.withView { ByteHash(seed: 1).hash($0) }
        #expect(name.withView { ByteHash(seed: 1).hash($0) } == one)
        #expect(name.withView { ByteHash(seed: 2).hash($0) } != one)
    }

    @Test("A table that grows and shrinks finds everything meanwhile")
    func growth() {
        var slots = HashSlots()
        let hashing = ByteHash(seed: 1)
        func isThere(_ place: UInt32) -> Bool { slots.find(hashing.hash(place, 0)) { $0 == place } == place }
        for place: UInt32 in 0..<30_000 {
            slots.insert(hashing.hash(place, 0), place)
            if !isThere(place / 2) || !isThere(place) || isThere(place + 1) { Issue.record("\(place)") }
        }
        #expect((0..<30_000).allSatisfy { isThere($0) })
        // Every other one first, so that the table shrinks around those that stay.
        for place: UInt32 in stride(from: 0, to: 30_000, by: 2) {
            slots.remove(hashing.hash(place, 0), place)
            if isThere(place) || !isThere(place + 1) { Issue.record("\(place)") }
        }
        for place: UInt32 in stride(from: 1, to: 30_000, by: 2) { slots.remove(hashing.hash(place, 0), place) }
        #expect(slots.count == 0)
        #expect(slots.bytes < 1_000)
    }
}
