import Clockwork
import Testing

@testable import GatewayCore

@Suite struct SlotIndexTests {
    @Test(
        "Agrees with a dictionary through random insertions and removals, with many collisions",
        arguments: [
            4, 64, 1 << 20,
        ] as [UInt64])
    func againstDictionary(hashes: UInt64) {
        var random = SeededGenerator(seed: hashes)
        var index = SlotIndex()
        var naive: [Int: UInt32] = [:]
        for _ in 0..<20_000 {
            let slot = Int(random.below(300))
            if let hash = naive[slot] {
                index.remove(hash: hash, slot: slot)
                naive[slot] = nil
            } else {
                let hash = UInt32(random.below(hashes))
                index.insert(hash: hash, slot: slot)
                naive[slot] = hash
            }
            #expect(index.count == naive.count)
            let probe = Int(random.below(300))
            let found = index.slot(hash: naive[probe] ?? 0) { $0 == probe }
            #expect(found == (naive[probe] == nil ? nil : probe))
        }
    }

    @Test("Removing what is not there changes nothing")
    func removeUnknown() {
        var index = SlotIndex()
        index.insert(hash: 5, slot: 1)
        index.remove(hash: 5, slot: 2)
        index.remove(hash: 6, slot: 1)
        #expect(index.count == 1)
        #expect(index.slot(hash: 5) { $0 == 1 } == 1)
    }
}
