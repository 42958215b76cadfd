import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct AddressTests {
    @Test(
        "Messages from unknown addresses get DISCONNECT [D-14] [D-16] [attack 104]",
        arguments: samples(
            SNPacket.publish(SNPublish(.one, 1, msgID: 1)), .publish(SNPublish(.zero, 1)),
            .register(topicID: 0, msgID: 1, topicName: view("t")),
            .subscribe(SNSubscribe(msgID: 1, topic: .name(view("t")))),
            .unsubscribe(SNSubscribe(msgID: 1, topic: .name(view("t")))), .pingreq(clientID: .empty),
            .pingreq(clientID: view("nobody")), .pingresp, .disconnect(duration: nil),
            .puback(topicID: 1, msgID: 1, .accepted),
            .pubrec(msgID: 1), .pubrel(msgID: 1), .pubcomp(msgID: 1), .willTopic(nil), .willMsg(view("m")),
            .willTopicUpd(nil), .willMsgUpd(view("m"))
        ))
    func unknown(sample: Sample) {
        let packet = sample.packet
        var world = World()
        #expect(world.receive(packet) == ["1 DISCONNECT"])
        #expect(world.gateway.counters.unknownAddress == 1)
        #expect(world.gateway.deviceCount == 0)
    }

    @Test(
        "What only gateways say is never answered [attack 103]",
        arguments: samples(
            SNPacket.advertise(gwID: 1, duration: 900), .gwInfo(gwID: 1, gwAdd: .empty), .connack(.accepted),
            .willTopicReq,
            .willMsgReq, .regack(topicID: 1, msgID: 1, .accepted),
            .suback(qos: .atMostOnce, topicID: 1, msgID: 1, .accepted), .unsuback(msgID: 1), .willTopicResp(.accepted),
            .willMsgResp(.accepted), .encapsulated(radius: 0, wirelessNodeID: view("n"), message: view("m")),
            .publish(SNPublish(.minusOne, .predefined, 1))
        ))
    func silent(sample: Sample) {
        let packet = sample.packet
        var world = World()
        #expect(world.receive(packet) == [])
    }

    @Test("Ten answers a second to strangers, all together, then silence [D-16]")
    func rateLimit() {
        var world = World()
        var answered = 0
        for port in 1...100 {
            answered += world.receive(.pubrel(msgID: 1), from: port).count
        }
        #expect(answered == 10)
        #expect(world.gateway.counters.rateLimited == 90)
        _ = world.pass(.milliseconds(100))
        #expect(world.receive(.pubrel(msgID: 1)) == ["1 DISCONNECT"])
        #expect(world.receive(.pubrel(msgID: 1)) == [])
    }

    @Test("SEARCHGW is answered with GWINFO without an address, at the strangers' rate [D-41] [attack 117]")
    func searchGW() {
        var world = World { $0.unlisted.gatewayID = 7 }
        #expect(world.receive(.searchGW(radius: 1)) == ["1 GWINFO 7 0"])
        var answered = 0
        for _ in 0..<50 { answered += world.receive(.searchGW(radius: 1)).count }
        #expect(answered == 9)
    }

    @Test("Strays that are told to CONNECT do not hide the gateway from who searches for it [D-16] [D-41]")
    func searchAmongStrays() {
        var world = World()
        for port in 1...100 { _ = world.receive(.pubrel(msgID: 1), from: port) }
        #expect(world.receive(.searchGW(radius: 1)) == ["1 GWINFO 1 0"])
    }

    @Test("Undecodable bytes are counted and not answered [D-36]")
    func undecodable() {
        var world = World()
        #expect(world.handle(.undecodable(from: World.path(1))) == [])
        #expect(world.gateway.counters.malformed == 1)
    }

    @Test("The same port on another host, and the same address on another listener, are others")
    func keys() {
        var world = World()
        _ = world.connect()
        #expect(world.receive(.pingreq(clientID: .empty), host: 2) == ["2:1 DISCONNECT"])
        #expect(world.receive(.pingreq(clientID: .empty), listener: 1) == ["1 DISCONNECT"])
        #expect(world.receive(.pingreq(clientID: .empty)) == ["1 PINGRESP"])
    }

    // MARK: - CONNECT from elsewhere

    @Test("CONNECT from another port of the same address moves the session at once [D-15] [D-13]")
    func moveByPort() {
        var world = World()
        _ = world.connect(clean: false)
        #expect(
            world.receive(.connect(SNConnect("dev", clean: false)), from: 2) == [
                "0? detach", "0? attach dev keep",
            ])
        #expect(world.attach(sessionPresent: true, expiry: .max) == ["2 CONNACK 0", "0? open"])
        #expect(world.receive(.pingreq(clientID: .empty)) == ["1 DISCONNECT"])
        #expect(world.receive(.pingreq(clientID: .empty), from: 2) == ["2 PINGRESP"])
        #expect(world.logs.contains(.moved("dev", to: DeviceAddress(World.path(2).remote))))
    }

    @Test("CONNECT from another address: the owner is asked, and answers: the newcomer hears congestion [D-15]")
    func challengeAnswered() {
        var world = World()
        _ = world.connect()
        #expect(world.receive(.connect(SNConnect("dev")), host: 2) == ["1 PINGREQ"])
        #expect(world.pass(.seconds(2)) == ["1 PINGREQ", "1 PINGREQ"])
        #expect(world.receive(.pingresp) == ["2:1 CONNACK 1"])
        #expect(world.logs.contains(.claimRejected("dev", at: DeviceAddress(World.path(1, host: 2).remote))))
        #expect(world.state() == .active)
        #expect(world.pass(.seconds(10)) == [])
        #expect(world.receive(.pingreq(clientID: .empty)) == ["1 PINGRESP"])
    }

    @Test("CONNECT from another address: silence for 3 s, and the session moves [D-15]")
    func challengeSilent() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.receive(.connect(SNConnect("dev", clean: false)), host: 2)
        #expect(world.pass(.milliseconds(2_999)) == ["1 PINGREQ", "1 PINGREQ"])
        #expect(world.pass(.milliseconds(1)) == ["0? detach", "0? attach dev keep"])
        #expect(world.attach(sessionPresent: true, expiry: .max) == ["2:1 CONNACK 0", "0? open"])
    }

    @Test("CleanSession=1 from elsewhere deletes nothing before the owner was asked [attack 107]")
    func spoofedClean() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.register("a", topic: 5)
        #expect(world.receive(.connect(SNConnect("dev")), host: 2) == ["1 PINGREQ"])
        #expect(world.receive(.publish(SNPublish(.zero, 1))) == ["2:1 CONNACK 1", "0? publish #5=x q0 m0"])
    }

    @Test("While one claim is examined, another hears congestion, and the same one waits [D-15]")
    func twoClaims() {
        var world = World()
        _ = world.connect()
        _ = world.receive(.connect(SNConnect("dev")), host: 2)
        #expect(world.receive(.connect(SNConnect("dev")), host: 2) == [])
        #expect(world.receive(.connect(SNConnect("dev")), host: 3) == ["3:1 CONNACK 1"])
    }

    @Test("Who sleeps at the claimant's address by then is not told of the owner's answer [D-15]")
    func sleeperAtTheClaimantsAddress() {
        var world = World()
        _ = world.connect()
        #expect(world.receive(.connect(SNConnect("dev")), from: 1, host: 2) == ["1 PINGREQ"])
        #expect(world.receive(.connect(SNConnect("other")), from: 1, host: 2) == ["1? attach other clean"])
        _ = world.attach(slot: 1)
        _ = world.receive(.disconnect(duration: 60), from: 1, host: 2)
        #expect(world.receive(.pingresp) == [])
        #expect(world.pass(.seconds(3)) == [])
        #expect(world.state() == .active && world.state(1) == .asleep)
    }

    @Test("So many claims are examined at a time; one more hears congestion")
    func claimsFull() {
        var world = World { $0.challengesMax = 1 }
        _ = world.connect("a", port: 1, slot: 0)
        _ = world.connect("b", port: 2, slot: 1)
        #expect(world.receive(.connect(SNConnect("a")), from: 3, host: 2) == ["1 PINGREQ"])
        #expect(world.receive(.connect(SNConnect("b")), from: 3, host: 2) == ["2:3 CONNACK 1"])
    }

    @Test("If the owner goes while a claim is examined, the newcomer is let in")
    func ownerGoes() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.receive(.connect(SNConnect("dev", clean: false)), host: 2)
        #expect(world.answer(.close(.administrativeAction)) == ["1 DISCONNECT", "0? attach dev keep"])
        #expect(world.attach(sessionPresent: true, expiry: .max) == ["2:1 CONNACK 0", "0? open"])
    }

    @Test("If somebody sleeps at the newcomer's address then, it is let in when it asks again [D-15]")
    func ownerGoesSleeperStays() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.connect("sleeper", port: 1, host: 2, slot: 1)
        _ = world.receive(.disconnect(duration: 60), from: 1, host: 2)
        #expect(world.receive(.connect(SNConnect("dev", clean: false)), host: 2) == ["1 PINGREQ"])
        #expect(world.answer(.close(.administrativeAction)) == ["1 DISCONNECT"])
        #expect(world.receive(.connect(SNConnect("dev", clean: false)), host: 2) == ["0? attach dev keep"])
        #expect(world.state(1) == .asleep)
    }

    @Test("A device that is challenged and moves has answered")
    func ownerMoves() {
        var world = World()
        _ = world.connect()
        _ = world.receive(.connect(SNConnect("dev")), host: 2)
        #expect(
            world.receive(.connect(SNConnect("dev")), from: 2) == [
                "2:1 CONNACK 1", "0? detach", "0? attach dev clean",
            ])
    }

    @Test("Two devices that claim each other's ids and addresses end in order")
    func crossedClaims() {
        var world = World()
        _ = world.connect("s", port: 1, host: 1, slot: 0)
        _ = world.connect("o", port: 1, host: 2, slot: 1)
        #expect(world.receive(.connect(SNConnect("s")), host: 2) == ["1 PINGREQ"])
        // A third address claims "o", and "s" then moves there.
        #expect(world.receive(.connect(SNConnect("o")), from: 9) == ["2:1 PINGREQ"])
        _ = world.receive(.connect(SNConnect("s")), from: 9)
        _ = world.attach()
        _ = world.pass(.seconds(10))
        // "o" was silent, so the claim to it goes through, and "s" has lost its address to it.
        #expect(world.gateway.clientID(of: 0) == nil)
        #expect(world.gateway.clientID(of: 1) == "o")
        #expect(world.gateway.path(of: 1) == World.path(9))
    }

    @Test("Policy never: another port is questioned too; policy address: nobody is [D-13]")
    func policies() {
        var never = World(listener: { $0.rebind = .never })
        _ = never.connect()
        #expect(never.receive(.connect(SNConnect("dev")), from: 2) == ["1 PINGREQ"])
        var address = World(listener: { $0.rebind = .address })
        _ = address.connect()
        #expect(address.receive(.connect(SNConnect("dev")), host: 2) == ["0? detach", "0? attach dev clean"])
    }

    @Test("A device that is away may come from anywhere")
    func away() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.receive(.connect(SNConnect("dev", clean: false)), host: 2) == ["0? attach dev keep"])
    }

    @Test("A will handshake elsewhere gives way to whoever comes last [D-35]")
    func handshakeElsewhere() {
        var world = World()
        _ = world.receive(.connect(SNConnect("dev", will: true)))
        #expect(world.receive(.connect(SNConnect("dev")), host: 2) == ["0? attach dev clean"])
        #expect(world.receive(.willTopic(nil)) == ["1 DISCONNECT"])
    }

    // MARK: - PINGREQ from elsewhere

    @Test("PINGREQ with the id of a sleeping device from another port moves it and wakes it [D-13]")
    func wakeByPort() {
        var world = World()
        _ = world.connect()
        _ = world.receive(.disconnect(duration: 60))
        #expect(world.receive(.pingreq(clientID: view("dev")), from: 2) == ["0? open"])
        #expect(world.answer(.drained) == ["0? close", "2 PINGRESP"])
        #expect(world.receive(.pingreq(clientID: .empty)) == ["1 DISCONNECT"])
    }

    @Test("PINGREQ with the id of a sleeping device from another address gets nothing of it [attack 108] [D-13]")
    func wakeByAddress() {
        var world = World()
        _ = world.connect()
        _ = world.receive(.disconnect(duration: 60))
        #expect(world.receive(.pingreq(clientID: view("dev")), host: 2) == ["2:1 DISCONNECT"])
        #expect(world.state() == .asleep)
        #expect(world.gateway.path(of: 0) == World.path(1))
    }

    @Test("PINGREQ with the id of an active device never moves it [D-13]")
    func pingForActive() {
        var world = World(listener: { $0.rebind = .address })
        _ = world.connect()
        #expect(world.receive(.pingreq(clientID: view("dev")), from: 2) == ["2 DISCONNECT"])
        #expect(world.gateway.path(of: 0) == World.path(1))
    }

    @Test(
        "PINGREQ with another id from an active device's address: the address was used again [D-11] [attack 111]")
    func reusedAddress() {
        var world = World()
        _ = world.connect("sleeper", port: 1, slot: 0)
        _ = world.receive(.disconnect(duration: 60))
        _ = world.connect("active", port: 2, slot: 1)
        #expect(world.receive(.pingreq(clientID: view("unknown")), from: 2) == ["2 DISCONNECT"])
        #expect(world.receive(.pingreq(clientID: view("sleeper")), from: 2) == ["1? detach will", "0? open"])
        #expect(world.logs.contains(.lost("active")))
        #expect(world.gateway.path(of: 0) == World.path(2))
    }

    @Test("A sleeper whose address is used by another stays asleep and wakes from a third [attack 111]")
    func displacedSleeper() {
        var world = World()
        _ = world.connect("sleeper", port: 1, slot: 0)
        _ = world.receive(.disconnect(duration: 60))
        _ = world.connect("new", port: 1, slot: 1)
        #expect(world.state(0) == .asleep)
        #expect(world.receive(.pingreq(clientID: .empty)) == ["1 PINGRESP"])
        #expect(world.state(0) == .asleep)
        #expect(world.receive(.pingreq(clientID: view("sleeper")), from: 3) == ["0? open"])
        #expect(world.state(1) == .active)
    }
}
