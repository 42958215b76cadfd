import Bytes
import Messaging
import Testing

@Suite struct TopicRulesTests {
    private let rules = TopicRules()

    @Test(
        "A name is not empty and has no wildcard [MQTT-4.7.3-1] [MQTT-3.3.2-2]",
        arguments: [
            ("", false), ("a", true), ("/", true), ("//", true), ("a/b/c", true), (" ", true), ("$SYS/x", true),
            ("#", false), ("+", false), ("a/#", false), ("a+b", false), ("a#", false), ("caf\u{E9}", true),
        ])
    func names(name: String, isAllowed: Bool) {
        #expect(ByteString(name).withView { rules.allowsName($0) } == isAllowed)
    }

    @Test(
        "Wildcards stand alone in their level, and # is last [MQTT-4.7.1-1] [MQTT-4.7.1-2]",
        arguments: [
            ("", false), ("a", true), ("/", true), ("#", true), ("+", true), ("a/#", true), ("a/+", true), ("/#", true),
            ("/+", true), ("+/", true), ("+/+", true), ("+/#", true), ("a/+/b", true), ("+/a/#", true), ("//+//", true),
            ("a#", false), ("#a", false), ("#/", false), ("#/a", false), ("a/#/b", false), ("a+", false), ("+a", false),
            ("a/b+", false), ("a/+b", false), ("++", false), ("##", false), ("+#", false), ("a/+#", false),
        ])
    func filters(filter: String, isAllowed: Bool) {
        #expect(ByteString(filter).withView { rules.allowsFilter($0) } == isAllowed)
    }

    @Test("Bytes and levels are allowed up to their limits", arguments: [1, 2, 64])
    func limits(levelsMax: Int) {
        let rules = TopicRules(bytesMax: 100, levelsMax: levelsMax)
        for (count, isAllowed) in [(99, true), (100, true), (101, false), (1_000, false)] {
            let name = ByteString([UInt8](repeating: 0x61, count: count))
            #expect(name.withView { rules.allowsName($0) } == isAllowed)
            #expect(name.withView { rules.allowsFilter($0) } == isAllowed)
        }
        for (levels, isAllowed) in [(levelsMax, true), (levelsMax + 1, false), (levelsMax * 10, false)] {
            let name = ByteString("a" + String(repeating: "/", count: levels - 1))
            #expect(name.withView { rules.allowsName($0) } == isAllowed)
            #expect(name.withView { rules.allowsFilter($0) } == isAllowed)
        }
    }

    @Test("Wildcards and the server's own topics are recognised (§4.7.2)")
    func kinds() {
        for (filter, hasWildcard, beginsWithDollar) in [
            ("", false, false), ("a/b", false, false), ("a/+", true, false), ("#", true, false), ("$SYS", false, true),
            ("$SYS/#", true, true), ("a/$b", false, false),
        ] {
            ByteString(filter).withView {
                #expect($0.hasWildcard == hasWildcard)
                #expect($0.beginsWithDollar == beginsWithDollar)
            }
        }
    }
}

@Suite struct IdentifiersTests {
    @Test("A link tells connections from devices and keeps the slot", arguments: [0, 1, 0x7FFF_FFFF])
    func links(slot: Int) {
        #expect(!LinkID.connection(slot).isDevice && LinkID.connection(slot).slot == slot)
        #expect(LinkID.device(slot).isDevice && LinkID.device(slot).slot == slot)
        #expect(LinkID.connection(slot) != LinkID.device(slot))
    }

    @Test("Subscription identifiers are none, one or a list")
    func subscriptionIdentifiers() {
        #expect(SubscriptionIdentifiers.none.raw == 0 && SubscriptionIdentifiers.none.listIndex == nil)
        #expect(SubscriptionIdentifiers.one(268_435_455).raw == 268_435_455)
        #expect(SubscriptionIdentifiers.one(5).listIndex == nil)
        #expect(SubscriptionIdentifiers.list(0).listIndex == 0)
        #expect(SubscriptionIdentifiers.list(70_000).listIndex == 70_000)
    }
}
