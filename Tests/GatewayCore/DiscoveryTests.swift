import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct DiscoveryTests {
    /// A gateway with id 7 that has two groups, and serves.
    private func world(_ edit: (inout Gateway.Configuration.Listener) -> Void = { _ in }) -> World {
        var world = World { configuration in
            var listener = Gateway.Configuration.Listener()
            listener.gatewayID = 7
            listener.groupLinks = 2
            listener.groupHops = 4
            edit(&listener)
            configuration.listeners = [listener]
        }
        _ = world.handle(.serving)
        return world
    }

    /// A world whose first ADVERTISE is said.
    private func quietWorld() -> World {
        var world = world()
        _ = world.pass(.seconds(1))
        return world
    }

    /// Says something in a group.
    private func say(
        _ packet: SNPacket, in world: inout World, group: UInt16 = 0, from port: Int = 9, isOwn: Bool = false
    ) -> [String] {
        let link = Gateway.GroupLink(listener: 0, number: group)
        return world.handle(.receivedInGroup(packet, from: World.path(port), link, isOwn: isOwn))
    }

    private let advertisements = ["group 0.0 hops 4 ADVERTISE 7 900", "group 0.1 hops 4 ADVERTISE 7 900"]

    // MARK: - ADVERTISE

    // [SN-5.4.1-2] [SN-6.1-1] [SN-6.1-6] [SN-6.1-9] [SN-7.2-3]
    @Test("ADVERTISE goes to every group soon after the start, then once each interval, its Duration [SN-5.4.1] [D-67]")
    func advertises() throws {
        var world = world()
        let first = try #require(world.gateway.nextDeadline)
        #expect(first.since(world.now.instant) < .seconds(1))
        #expect(world.pass(.seconds(1)) == advertisements)
        let second = try #require(world.gateway.nextDeadline)
        #expect(second.since(first) == .seconds(900))
        #expect(world.pass(second.since(world.now.instant) + .nanoseconds(-1)) == [])
        #expect(world.pass(.nanoseconds(1)) == advertisements)
        #expect(world.pass(.seconds(9_000)).count == 20)
    }

    @Test("The interval is the listener's, from 1 s to 65,535 s", arguments: [1, 65_535])
    func interval(seconds: UInt16) throws {
        var world = world { $0.advertiseInterval = seconds }
        #expect(world.pass(.seconds(1)).first == "group 0.0 hops 4 ADVERTISE 7 \(seconds)")
        let next = try #require(world.gateway.nextDeadline).since(world.now.instant)
        #expect(next <= .seconds(Int64(seconds)) && next > .seconds(Int64(seconds) - 1))
    }

    @Test("A gateway that was late says ADVERTISE once, not once for each interval it missed")
    func late() {
        var world = quietWorld()
        world.now.instant = world.now.instant + .seconds(5_000)
        var effects: [Gateway.Effect] = []
        world.gateway.advance(to: world.now, into: &effects)
        #expect(effects.map(text) == advertisements)
        #expect(world.pass(.seconds(899)) == [])
        #expect(world.pass(.seconds(1)) == advertisements)
    }

    @Test("Without a group nothing is ever advertised [D-42]")
    func noGroup() {
        var world = world { $0.groupLinks = 0 }
        #expect(world.gateway.nextDeadline == nil)
        #expect(world.pass(.seconds(10_000)) == [])
    }

    // [SN-6.1-2]
    @Test("Only a gateway that serves speaks: neither before it can nor after its end [SN-6.1]")
    func serving() {
        var world = World { configuration in
            var listener = Gateway.Configuration.Listener()
            listener.groupLinks = 1
            configuration.listeners = [listener]
        }
        #expect(say(.searchGW(radius: 0), in: &world) == [])
        #expect(world.pass(.seconds(10_000)) == [])
        _ = world.handle(.serving)
        _ = world.pass(.seconds(2))
        #expect(say(.searchGW(radius: 0), in: &world) == [])
        _ = world.handle(.shutDown)
        #expect(world.gateway.nextDeadline == nil)
        #expect(say(.searchGW(radius: 0), in: &world) == [])
        #expect(world.pass(.seconds(10_000)) == [])
    }

    @Test("Devices that are due and announcements share one deadline")
    func oneDeadline() throws {
        var world = quietWorld()
        _ = world.connect(duration: 60)
        let deadline = try #require(world.gateway.nextDeadline)
        #expect(deadline.since(world.now.instant) < .seconds(100))
        let all = world.pass(.seconds(900))
        #expect(all.contains("1 PINGREQ"))
        #expect(all.filter { $0.hasPrefix("group") } == advertisements)
    }

    // MARK: - SEARCHGW

    // [SN-6.1-12]
    @Test("A search in a group is answered there, once, after a moment of chance [SN-6.1] [D-41] [D-66]")
    func answersInGroup() throws {
        var world = quietWorld()
        #expect(say(.searchGW(radius: 0), in: &world, group: 1) == [])
        let due = try #require(world.gateway.nextDeadline)
        #expect(due > world.now.instant && due.since(world.now.instant) < .milliseconds(500))
        #expect(world.pass(.seconds(60)) == ["group 0.1 hops 4 GWINFO 7 0"])
        #expect(world.gateway.counters.groupSearches == 1)
    }

    @Test("The wait differs from gateway to gateway, so that they do not answer in chorus")
    func spread() {
        let waits = (UInt64(1)...20).map { seed -> UInt64 in
            var configuration = Gateway.Configuration()
            configuration.listeners = [Gateway.Configuration.Listener()]
            configuration.listeners[0].groupLinks = 1
            var gateway = Gateway(configuration: configuration, seed: seed)
            var effects: [Gateway.Effect] = []
            let now = Now(instant: Instant(nanoseconds: 0), unixSeconds: 0)
            gateway.handle(.serving, now: now, into: &effects)
            let link = Gateway.GroupLink(listener: 0, number: 0)
            gateway.handle(
                .receivedInGroup(.searchGW(radius: 0), from: World.path(1), link, isOwn: false), now: now,
                into: &effects)
            return gateway.nextDeadline?.nanoseconds ?? 0
        }
        #expect(Set(waits).count == 20)
    }

    @Test("One GWINFO answers all searches of its group that come before it [D-66]")
    func oneForMany() {
        var world = quietWorld()
        for port in 1...100 { #expect(say(.searchGW(radius: 1), in: &world, from: port) == []) }
        #expect(world.pass(.seconds(60)) == ["group 0.0 hops 1 GWINFO 7 0"])
    }

    @Test("However many search, a group hears no more than one GWINFO a second [D-66] [attack 117]")
    func storm() {
        var world = quietWorld()
        var answers = 0
        for _ in 0..<1_000 {
            answers += say(.searchGW(radius: 0), in: &world).count
            answers += world.pass(.milliseconds(10)).count
        }
        #expect((5...11).contains(answers))
    }

    // [SN-5.3.9-1] [SN-5.4.3-2] [SN-6.1-14] [SN-6.1-15]
    @Test(
        "The answer goes as far as the widest search, and never beyond the hops allowed [SN-5.3.9] [D-66]",
        arguments: [([1], 1), ([3], 3), ([1, 3, 2], 3), ([0], 4), ([255], 4), ([2, 0], 4)])
    func radius(radii: [UInt8], hops: Int) {
        var world = quietWorld()
        for radius in radii { _ = say(.searchGW(radius: radius), in: &world) }
        #expect(world.pass(.seconds(60)) == ["group 0.0 hops \(hops) GWINFO 7 0"])
    }

    @Test("Another gateway's GWINFO does not keep this one from answering: only clients give way [SN-6.1]")
    func noCancelling() {
        var world = quietWorld()
        _ = say(.searchGW(radius: 0), in: &world)
        _ = say(.gwInfo(gwID: 8, gwAdd: .empty), in: &world)
        #expect(world.pass(.seconds(60)) == ["group 0.0 hops 4 GWINFO 7 0"])
    }

    @Test("A search sent to the gateway itself is answered there and at once, also by a listener with groups [D-41]")
    func unicast() {
        var world = quietWorld()
        #expect(world.receive(.searchGW(radius: 0)) == ["1 GWINFO 7 0"])
        #expect(world.pass(.seconds(60)) == [])
    }

    @Test("A client of this machine that searches from the gateway's own port is answered too [D-66]")
    func searchFromOwnPort() {
        var world = quietWorld()
        #expect(say(.searchGW(radius: 0), in: &world, isOwn: true) == [])
        #expect(world.pass(.seconds(60)).count == 1)
    }

    @Test("A search in a group or listener that is not there changes nothing")
    func unknownGroup() {
        var world = quietWorld()
        for link in [Gateway.GroupLink(listener: 0, number: 2), Gateway.GroupLink(listener: 5, number: 0)] {
            let event = Gateway.Event.receivedInGroup(.searchGW(radius: 0), from: World.path(1), link, isOwn: false)
            #expect(world.handle(event) == [])
        }
        #expect(world.pass(.seconds(60)) == [])
    }

    // MARK: - Others

    @Test("What else comes by a group is passed over, so that nobody is answered through it [D-65]")
    func onlyDiscovery() {
        let foreign: [SNPacket] = [
            .connect(SNConnect("dev")), .publish(SNPublish(.minusOne, .predefined, 1)), .pingreq(clientID: view("dev")),
            .disconnect(duration: nil), .register(topicID: 0, msgID: 1, topicName: view("a")),
            .encapsulated(radius: 1, wirelessNodeID: view("n"), message: view([2, 0x16])),
        ]
        var world = quietWorld()
        for packet in foreign { #expect(say(packet, in: &world) == []) }
        #expect(world.gateway.counters.unexpected == foreign.count)
        #expect(world.gateway.deviceCount == 0)
    }

    @Test("Other gateways are counted, and one with our GwId is logged once an hour [D-68]")
    func otherGateways() {
        var world = quietWorld()
        _ = say(.advertise(gwID: 8, duration: 900), in: &world)
        _ = say(.gwInfo(gwID: 9, gwAdd: .empty), in: &world)
        #expect(world.logs == [])
        let taken = GatewayLog.gatewayIDTaken(7, by: World.path(9))
        for _ in 0..<10 { _ = say(.advertise(gwID: 7, duration: 900), in: &world) }
        _ = say(.gwInfo(gwID: 7, gwAdd: .empty), in: &world, group: 1)
        #expect(world.logs == [taken])
        _ = world.pass(.seconds(3_599))
        _ = say(.advertise(gwID: 7, duration: 900), in: &world)
        #expect(world.logs == [taken])
        _ = world.pass(.seconds(1))
        _ = say(.advertise(gwID: 7, duration: 900), in: &world)
        #expect(world.logs == [taken, taken])
        let counters = world.gateway.counters
        #expect(counters.advertisementsHeard == 13)
        #expect(counters.gatewayInfosHeard == 2)
        #expect(counters.gatewayIDConflicts == 13)
    }

    @Test("What the gateway has said itself, or a client says of it, is no other gateway [D-68]")
    func ownWords() {
        var world = quietWorld()
        _ = say(.advertise(gwID: 7, duration: 900), in: &world, isOwn: true)
        _ = say(.gwInfo(gwID: 7, gwAdd: .empty), in: &world, isOwn: true)
        #expect(world.gateway.counters.advertisementsHeard == 0)
        #expect(world.gateway.counters.gatewayInfosHeard == 0)
        _ = say(.gwInfo(gwID: 7, gwAdd: view([10, 0, 0, 1])), in: &world)
        #expect(world.gateway.counters.gatewayInfosHeard == 1)
        #expect(world.gateway.counters.gatewayIDConflicts == 0)
        #expect(world.logs == [])
    }
}
