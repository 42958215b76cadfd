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
        var model: [ByteString: SubscriptionOptions] = [:]
        for step in 0..<4_000 {
            let filter = ByteString("a/\(random.below(filters))")
            let options = Self.options(UInt32(step))
            if random.below(3) > 0 {
                #expect(set.updateValue(options, forKey: filter) == model.updateValue(options, forKey: filter))
            } else {
                #expect(set.removeValue(forKey: filter) == model.removeValue(forKey: filter))
            }
            #expect(set.count == model.count)
            #expect(set[filter] == model[filter])
        }
        for entry in set.entries { #expect(model.removeValue(forKey: entry.filter) == entry.options) }
        #expect(model.isEmpty)
    }

    @Test("The order follows from the changes alone: the last one takes the place of one that was removed")
    func order() {
        var set = SubscriptionSet()
        for number: UInt32 in 0..<20 { _ = set.updateValue(Self.options(number), forKey: ByteString("\(number)")) }
        _ = set.removeValue(forKey: "3")
        #expect(set.keys == (["0", "1", "2", "19"] + (4..<19).map { "\($0)" }).map { ByteString($0) })
    }
}
