import Clockwork
import Messaging
import Testing

@testable import BrokerCore

@Suite struct SubscriberListsTests {
    private static func options(_ identifier: UInt32) -> SubscriptionOptions {
        SubscriptionOptions(maximumQoS: .atLeastOnce, identifier: identifier)
    }

    private static func sessions(_ lists: SubscriberLists, _ head: UInt32) -> [UInt32] {
        var matches: [Match] = []
        lists.append(head, to: &matches)
        return matches.map(\.session)
    }

    @Test("A list keeps the order of subscribing, and a second subscription replaces the first [MQTT-3.8.4-3]")
    func order() {
        var lists = SubscriberLists(seed: 1)
        var head = noSubscriber
        for session: UInt32 in [5, 3, 9] {
            #expect(lists.insert(session: session, options: Self.options(session), list: 0, head: &head) == nil)
        }
        #expect(lists.insert(session: 3, options: Self.options(7), list: 0, head: &head) == Self.options(3))
        #expect(Self.sessions(lists, head) == [5, 3, 9])
        #expect(lists.options(session: 3, list: 0, head: head) == Self.options(7))
        #expect(lists.remove(session: 5, list: 0, head: &head) == Self.options(5))
        #expect(lists.remove(session: 5, list: 0, head: &head) == nil)
        #expect(Self.sessions(lists, head) == [3, 9])
    }

    @Test("Lists agree with arrays through random changes", arguments: 1...5)
    func property(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var lists = SubscriberLists(seed: seed)
        var heads = [UInt32](repeating: noSubscriber, count: 5)
        var model = [[UInt32]](repeating: [], count: 5)
        for step in 0..<3_000 {
            let list = Int(random.below(5))
            let session = UInt32(random.below(12))
            if random.below(2) == 0 {
                let old = lists.insert(
                    session: session, options: Self.options(UInt32(step)), list: UInt32(list), head: &heads[list])
                #expect((old != nil) == model[list].contains(session))
                if old == nil { model[list].append(session) }
            } else {
                let old = lists.remove(session: session, list: UInt32(list), head: &heads[list])
                #expect((old != nil) == model[list].contains(session))
                model[list].removeAll { $0 == session }
            }
            #expect(Self.sessions(lists, heads[list]) == model[list])
        }
        #expect(lists.count == model.reduce(0) { $0 + $1.count })
    }

    @Test("Lists that have become empty give their memory back")
    func memory() {
        var lists = SubscriberLists(seed: 1)
        var head = noSubscriber
        for session: UInt32 in 0..<20_000 {
            _ = lists.insert(session: session, options: Self.options(1), list: 0, head: &head)
        }
        #expect(lists.bytes > 500_000)
        for session: UInt32 in 0..<20_000 { _ = lists.remove(session: session, list: 0, head: &head) }
        #expect(lists.bytes < 10_000)
        #expect(head == noSubscriber)
    }
}
