import Bytes
import Messaging
import Testing

@Suite struct AccessRuleSetsTests {
    private func only(_ filter: ByteString) -> AccessRules {
        AccessRules(anonymous: [AccessRules.Rule(.readwrite, filter)].compactMap { $0 })
    }

    private func mayPublish(_ sets: AccessRuleSets, _ topic: ByteString, _ listener: UInt16) -> Bool {
        topic.withView { sets.mayPublish($0, ClientIdentity(clientID: "c", userName: nil, listener: listener)) }
    }

    @Test("Each listener has its own rules; of somebody whose listener is not known, one must allow it [M-130]")
    func listeners() {
        let sets = AccessRuleSets(ofListeners: [only("a"), only("b"), .allowAll])
        #expect(!sets.allowsAll)
        #expect([0, 1, 2].map { mayPublish(sets, "a", $0) } == [true, false, true])
        #expect([0, 1, 2].map { mayPublish(sets, "c", $0) } == [false, false, true])
        let closed = AccessRuleSets(ofListeners: [only("a"), only("b")])
        let nobody = ClientIdentity.unknownListener
        #expect(mayPublish(closed, "a", nobody) && mayPublish(closed, "b", nobody))
        #expect(!mayPublish(closed, "c", nobody))
        let filter: ByteString = "b/#"
        filter.withView { filter in
            #expect(!closed.maySubscribe(filter, ClientIdentity(clientID: "c", userName: nil, listener: 0)))
            #expect(closed.maySubscribe(filter, ClientIdentity(clientID: "c", userName: nil, listener: 1)))
        }
    }

    @Test("Rules that are the same for all hold for every listener")
    func shared() {
        for sets in [AccessRuleSets(only("a")), AccessRuleSets(ofListeners: [only("a"), only("a")])] {
            #expect(mayPublish(sets, "a", 7) && !mayPublish(sets, "b", 7))
        }
        #expect(AccessRuleSets(ofListeners: []).allowsAll)
        #expect(AccessRuleSets(ofListeners: [.allowAll, .allowAll]) == .allowAll)
    }
}
