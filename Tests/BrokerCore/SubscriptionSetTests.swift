import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

@Suite struct SubscriptionSetTests {
    private static func options(_ identifier: UInt32) -> SubscriptionOptions {
        SubscriptionOptions(maximumQoS: .atLeastOnce, identifier: identifier)
    }

    @Test("A set agrees with a dictionary through random changes, small and large", arguments: [4, 9, 10, 500])
    func property(filters: UInt64) {
        var random = SeededGenerator(seed: filters)
        var set = SubscriptionSet()
        var model: [SubscriptionSet.Key: SubscriptionOptions] = [:]
        for step in 0..<4_000 {
            let number = random.below(filters)
            let filter: SubscriptionSet.Key =
                number % 2 == 0 ? .topic(TopicID(index: UInt32(number))) : .filter(ByteString("a/\(number)"))
            let options = Self.options(UInt32(step))
            if random.below(3) > 0 {
                #expect(set.updateValue(options, forKey: filter) == model.updateValue(options, forKey: filter))
            } else {
                #expect(set.removeValue(forKey: filter) == model.removeValue(forKey: filter))
            }
            #expect(set.count == model.count)
            #expect(set[filter] == model[filter])
        }
        for entry in set.entries { #expect(model.removeValue(forKey: entry.key) == entry.options) }
        #expect(model.isEmpty)
    }

    @Test("The order follows from the changes alone: the last one takes the place of one that was removed")
    func order() {
        var set = SubscriptionSet()
        func key(_ number: Int) -> SubscriptionSet.Key { .filter(ByteString("\(number)")) }
        for number in 0..<20 { _ = set.updateValue(Self.options(UInt32(number)), forKey: key(number)) }
        _ = set.removeValue(forKey: key(3))
        #expect(set.entries.map(\.key) == ([0, 1, 2, 19] + Array(4..<19)).map(key))
        _ = set.removeValue(forKey: key(0))
        #expect(set.entries.map(\.key) == ([18, 1, 2, 19] + Array(4..<18)).map(key))
    }

    @Test("A session stays small: who has little takes little")
    func size() {
        #expect(MemoryLayout<SubscriptionSet>.stride == 32)
        #expect(MemoryLayout<Session>.stride <= 232)
    }
}
