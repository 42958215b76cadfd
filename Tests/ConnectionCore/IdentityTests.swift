import Bytes
import MQTTWire
import Messaging
import Testing

@testable import ConnectionCore

/// Clients that have shown who they are before CONNECT, by a certificate or a pre-shared key.
@Suite struct IdentityTests {
    private final class Offers {
        var list: [SessionOffer] = []
    }

    private func world(
        demands: Bool = false, allowsAnonymous: Bool = false
    ) -> (world: ConnectionWorld, offers: Offers) {
        let world = ConnectionWorld { limits in
            var listener = ConnectionLimits.Listener()
            listener.allowsAnonymous = allowsAnonymous
            listener.demandsTransportIdentity = demands
            limits.listeners = [listener]
        }
        let offers = Offers()
        world.answersConnect = { offer in
            offers.list.append(offer)
            return .attached(Attached(sessionPresent: false, sessionExpiryInterval: 0))
        }
        return (world, offers)
    }

    @Test("Who has shown who it is comes without a password, and is the session's user [M-115]")
    func identified() throws {
        let (world, offers) = world(demands: true)
        let slot = try world.open()
        world.connections.identified(slot, userName: "pump-7")
        try world.feed(slot, connect(.v5))
        #expect(world.heard(slot).first?.hasPrefix("CONNACK success") == true)
        #expect(offers.list.map(\.userName) == ["pump-7"])
        #expect(world.logged().first == .authenticated("p", userName: "pump-7"))
    }

    @Test("The user name in CONNECT is not looked at [M-115]")
    func otherName() throws {
        let (world, offers) = world()
        let slot = try world.open()
        world.connections.identified(slot, userName: "pump-7")
        try world.feed(slot, connect(.v3_1_1, flags: "c2", rest: "0005 'admin' 0001 'x'"))
        #expect(world.heard(slot) == ["CONNACK success"])
        #expect(offers.list.map(\.userName) == ["pump-7"])
    }

    @Test("Who has not, where it is asked for, is refused, whatever allow_anonymous says")
    func demanded() throws {
        for allowsAnonymous in [false, true] {
            let (world, offers) = world(demands: true, allowsAnonymous: allowsAnonymous)
            let slot = try world.open()
            try world.feed(slot, connect(.v3_1_1))
            #expect(world.heard(slot) == ["CONNACK notAuthorized"])
            #expect(offers.list.isEmpty)
        }
    }

    @Test("A name that comes after CONNECT changes nothing, and the next connection of the slot has none")
    func late() throws {
        let (world, offers) = world(allowsAnonymous: true)
        let slot = try world.open()
        try world.feed(slot, connect(.v5))
        world.connections.identified(slot, userName: "pump-7")
        #expect(offers.list.map(\.userName) == [nil])
        world.end(slot)
        let next = try world.open()
        #expect(next == slot)
        try world.feed(next, connect(.v5))
        #expect(offers.list.map(\.userName) == [nil, nil])
    }
}
