import Clockwork
import Testing

@testable import BrokerCore

/// Packet identifiers on pages of 64, compared with a table of all of them.
@Suite struct IdentifierIndexTests {
    @Test("It finds what a plain table finds, however the identifiers lie", arguments: [64, 1_000, 65_535])
    func agrees(highest: UInt64) {
        var index = IdentifierIndex()
        var table = [Int?](repeating: nil, count: 65_536)
        var random = SeededGenerator(seed: highest)
        for step in 0..<20_000 {
            let identifier = UInt16(1 + random.below(highest))
            if random.below(3) == 0 {
                index.remove(identifier)
                table[Int(identifier)] = nil
            } else {
                index.set(identifier, step)
                table[Int(identifier)] = step
            }
            let other = Int(1 + random.below(highest))
            #expect(index[UInt16(other)] == table[other])
            guard step.isMultiple(of: 97) else { continue }
            let free = (other...Int(highest)).first { table[$0] == nil }
            #expect(index.firstFree(in: UInt16(other)...UInt16(highest)) == free.map { UInt16($0) })
        }
    }

    @Test("With one identifier free of all, it is found from each side; with none, there is none")
    func nearlyFull() {
        var index = IdentifierIndex()
        for identifier in 1...UInt16.max { index.set(identifier, Int(identifier) - 1) }
        #expect(index.firstFree(in: 1 ... .max) == nil)
        for free in [1, 63, 64, 4_095, 4_096, 32_767, 65_535] as [UInt16] {
            index.remove(free)
            #expect(index.firstFree(in: 1 ... .max) == free)
            #expect(index.firstFree(in: free...free) == free)
            if free > 1 { #expect(index.firstFree(in: 1...free - 1) == nil) }
            if free < .max { #expect(index.firstFree(in: free + 1 ... .max) == nil) }
            index.set(free, 7)
            #expect(index[free] == 7)
        }
    }
}
