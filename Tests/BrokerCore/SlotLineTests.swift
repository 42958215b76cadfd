import Clockwork
import Testing

@testable import BrokerCore

@Suite struct SlotLineTests {
    @Test("First come, first served, each once, and anybody may leave")
    func order() {
        var line = SlotLine()
        for slot in [7, 2, 5, 2, 9] { line.append(slot) }
        #expect(line.count == 4)
        line.remove(5)
        line.remove(5)
        line.remove(100)
        #expect([line.popFirst(), line.popFirst(), line.popFirst(), line.popFirst()] == [7, 2, 9, nil])
        #expect(line.isEmpty)
        line.append(2)
        #expect(line.contains(2) && !line.contains(7) && line.popFirst() == 2)
    }

    @Test("A line agrees with an array through random changes")
    func property() {
        var random = SeededGenerator(seed: 1)
        var line = SlotLine()
        var model: [Int] = []
        for _ in 0..<5_000 {
            let slot = Int(random.below(20))
            switch random.below(3) {
            case 0:
                line.append(slot)
                if !model.contains(slot) { model.append(slot) }
            case 1:
                line.remove(slot)
                model.removeAll { $0 == slot }
            default:
                #expect(line.popFirst() == model.first)
                model = Array(model.dropFirst())
            }
            #expect(line.count == model.count)
        }
    }
}
