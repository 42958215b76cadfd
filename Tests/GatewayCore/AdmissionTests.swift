import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

/// Which devices may come, from where, and who they are.
@Suite struct AdmissionTests {
    private static let hall = Gateway.Network(address: PeerAddress(ipv4: 0x0A00_0000, port: 0), prefixBits: 24)

    private func users(_ text: String) -> DeviceUsers { DeviceUsers.read(Array(text.utf8)).list }

    /// Which user the broker is told, of each session that it is asked for.
    private func offers(_ world: inout World, _ packet: SNPacket, port: Int = 1) -> [ByteString?] {
        var effects: [Gateway.Effect] = []
        world.gateway.handle(.received(packet, from: World.path(port)), now: world.now, into: &effects)
        return effects.compactMap { effect in
            if case .request(_, .attach(let offer)) = effect { .some(offer.userName) } else { nil }
        }
    }

    @Test(
        "A network has the addresses that begin with its bits",
        arguments: [
            ("10.0.0.0", 24, "10.0.0.255", true), ("10.0.0.0", 24, "10.0.1.0", false), ("10.0.0.0", 0, "9.9.9.9", true),
            ("10.0.0.7", 32, "10.0.0.7", true), ("10.0.0.7", 32, "10.0.0.6", false), ("fd00::", 64, "fd00::1:2", true),
            ("fd00::", 64, "fd00:0:0:1::", false), ("fd00::1", 128, "fd00::1", true), ("::", 0, "10.0.0.1", false),
        ] as [(String, Int, String, Bool)])
    func networks(network: String, bits: Int, remote: String, isInside: Bool) throws {
        let address = try #require(PeerAddress(host: network, port: 0))
        let peer = try #require(PeerAddress(host: remote, port: 7))
        #expect(Gateway.Network(address: address, prefixBits: bits).contains(peer) == isInside)
    }

    @Test("Outside of the networks nothing is answered and nothing is remembered, and it is told once a second [D-120]")
    func outside() {
        var world = World(listener: {
            $0.admission.networks = [Self.hall]
            $0.allowsAnonymousPublish = true
        })
        let packets: [SNPacket] = [
            .connect(SNConnect("dev")), .pingreq(clientID: view("dev")), .searchGW(radius: 0),
            .disconnect(duration: nil), .publish(SNPublish(.minusOne, .short, short("ab"))),
            .encapsulated(radius: 0, wirelessNodeID: view("n"), message: view("m")),
        ]
        for packet in packets { #expect(world.receive(packet, host: 0x100) == []) }
        #expect(world.gateway.deviceCount == 0)
        #expect(world.gateway.counters.outsidersIgnored == packets.count)
        #expect(world.logs == [.outsiderIgnored(DeviceAddress(World.path(1, host: 0x100).remote))])
        #expect(!world.receive(.connect(SNConnect("dev")), host: 0xFF).isEmpty)
    }

    @Test("Client ids that fit none of the patterns get CONNACK 0x03, before anything is remembered [D-120]")
    func clients() {
        var world = World(listener: { $0.admission.clients = [GlobPattern("pump-*"), GlobPattern("v?")] })
        for id in ["pump", "valve", "v", "xpump-1"] {
            #expect(world.receive(.connect(SNConnect(id))) == ["1 CONNACK 3"])
        }
        #expect(world.gateway.deviceCount == 0)
        #expect(world.gateway.counters.clientsRefused == 4)
        #expect(world.logs.count == 1)
        _ = world.connect("pump-1")
        #expect(world.state() == .active)
    }

    @Test("A device is the user of the list, else the listener's, else nobody [D-121]")
    func whoIsWho() {
        var world = World(listener: {
            $0.admission.users = users("pump-* pumps\n")
            $0.admission.user = "devices"
        })
        #expect(offers(&world, .connect(SNConnect("pump-1")), port: 1) == ["pumps"])
        #expect(offers(&world, .connect(SNConnect("other")), port: 2) == ["devices"])
        var plain = World()
        #expect(offers(&plain, .connect(SNConnect("pump-1"))) == [nil])
    }

    @Test("Where nobody may come without a name, the list says who does [D-120]")
    func listed() {
        var world = World(listener: {
            $0.allowsAnonymous = false
            $0.admission.users = users("pump-* pumps\n")
            $0.admission.user = "devices"
        })
        #expect(offers(&world, .connect(SNConnect("pump-1")), port: 1) == ["pumps"])
        #expect(world.receive(.connect(SNConnect("other")), from: 2) == ["2 CONNACK 3"])
    }

    @Test("Another user's device is not to be had, on CONNECT or PINGREQ, whatever rebind says [D-15] [attack 39]")
    func otherUser() {
        var world = World { configuration in
            var mine = Gateway.Configuration.Listener()
            mine.admission.user = "mine"
            mine.rebind = .address
            var open = Gateway.Configuration.Listener()
            open.rebind = .address
            configuration.listeners = [mine, open]
        }
        _ = world.connect("dev", clean: false)
        _ = world.receive(.disconnect(duration: 60))
        #expect(world.state() == .asleep)
        #expect(world.receive(.connect(SNConnect("dev")), from: 2, listener: 1) == ["2 CONNACK 3"])
        #expect(world.receive(.pingreq(clientID: view("dev")), from: 3, listener: 1) == ["3 DISCONNECT"])
        #expect(world.state() == .asleep)
        #expect(world.gateway.path(of: 0) == World.path(1))
        // By its own listener it may come from anywhere.
        #expect(!world.receive(.pingreq(clientID: view("dev")), from: 4).contains("4 DISCONNECT"))
    }

    @Test("Other rules hold from the next message on")
    func reload() {
        var world = World(listener: { $0.allowsAnonymous = true })
        _ = world.connect("dev")
        var rules = Gateway.Configuration.Listener()
        rules.admission.clients = [GlobPattern("pump-*")]
        rules.admission.anonymousPublishUser = "wind"
        world.gateway.setAdmission([rules])
        #expect(world.receive(.pingreq(clientID: .empty)) == ["1 PINGRESP"])
        #expect(world.receive(.connect(SNConnect("new")), from: 2) == ["2 CONNACK 3"])
        #expect(world.gateway.stranger(at: 0).userName == "wind")
        rules.admission.networks = [Gateway.Network(address: PeerAddress(ipv4: 0x0B00_0000, port: 0), prefixBits: 8)]
        world.gateway.setAdmission([rules])
        #expect(world.receive(.pingreq(clientID: .empty)) == [])
    }
}
