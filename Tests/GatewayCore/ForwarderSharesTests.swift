import Bytes
import Clockwork
import MQTTSNWire
import Messaging
import Testing

@testable import GatewayCore

/// What one forwarder may take of what all share [D-90].
@Suite struct ForwarderSharesTests {
    private func world(_ edit: (inout Gateway.Configuration) -> Void = { _ in }) -> World {
        World { configuration in
            var listener = Gateway.Configuration.Listener()
            listener.forwarders = [.init(address: World.path(0).remote, prefixBits: 8)]
            listener.allowsAnonymousPublish = true
            listener.predefinedTopics = [.init(id: 3, name: "a/b")]
            configuration.listeners = [listener]
            edit(&configuration)
        }
    }

    @Test("A forwarder has as many devices as it may: at the limit, one more, whatever its ports [attack 118]")
    func devices() {
        var world = world { $0.devicesPerForwarderMax = 3 }
        for slot in 0..<3 { #expect(world.connect("dev\(slot)", node: "n\(slot)", slot: slot).count == 3) }
        for number in 0..<30 {
            let connect = SNPacket.connect(SNConnect("more\(number)"))
            #expect(world.forward(connect, "m\(number)", from: 1 + number % 5).last?.hasSuffix("CONNACK 1") == true)
        }
        #expect(world.gateway.deviceCount == 3)
        #expect(world.gateway.counters.forwardersFull == 30)
        #expect(world.logs.contains(.forwarderFull(DeviceAddress(World.path(1).remote), devices: 3)))
        #expect(world.logs.count { if case .forwarderFull = $0 { true } else { false } } == 1)
        // Others are not concerned: another forwarder, and a device at the forwarder's own address.
        #expect(world.forward(.connect(SNConnect("far")), "n", host: 2).first == "3? attach far clean")
        _ = world.attach(slot: 3)
        #expect(world.receive(.connect(SNConnect("direct"))).first == "4? attach direct clean")
    }

    @Test("A record that goes, or moves away, makes place; one that moves in does not need one")
    func moves() {
        var world = world {
            $0.devicesPerForwarderMax = 1
            $0.listeners[0].rebind = .address
        }
        let full = ["CONNACK 1"]
        func refused(_ id: String, _ node: String) -> Bool {
            world.forward(.connect(SNConnect(id)), node).compactMap { $0.split(separator: " ", maxSplits: 1).last }
                .map(String.init) == full
        }
        _ = world.connect("one", node: "n1", slot: 0)
        #expect(refused("two", "n2"))
        // It goes on without a forwarder.
        _ = world.receive(.connect(SNConnect("one", clean: false)), from: 9)
        _ = world.attach(slot: 0)
        _ = world.connect("two", node: "n2", slot: 1)
        #expect(refused("three", "n3"))
        _ = world.forward(.disconnect(duration: nil), "n2")
        _ = world.connect("three", node: "n3", slot: 1)
        #expect(world.gateway.table.nodes.recordCount(behind: World.path(1)) == 1)
        // There are two behind it now, as one came that was known already.
        _ = world.forward(.connect(SNConnect("one", clean: false)), "n1")
        #expect(world.gateway.table.nodes.recordCount(behind: World.path(7)) == 2)
        #expect(refused("four", "n4"))
    }

    @Test("Half of the answers to strangers are left for others, and of one answer all [D-16] [attack 118]")
    func replies() {
        for (perSecond, share) in [(10, 5), (3, 1), (2, 1), (1, 1), (0, 0)] {
            var world = world { $0.strangerRepliesPerSecond = perSecond }
            var (answered, found) = (0, 0)
            for number in 0..<100 {
                let port = 1 + number % 9
                answered += world.forward(.pingreq(clientID: .empty), "n\(number)", from: port).count
                found += world.forward(.searchGW(radius: 0), "n\(number)", from: port).count
            }
            #expect(answered == share && found == share)
            var (others, othersFound) = (0, 0)
            for _ in 0..<100 {
                others += world.receive(.pubrel(msgID: 1)).count
                othersFound += world.receive(.searchGW(radius: 0)).count
            }
            #expect(others == perSecond - share && othersFound == perSecond - share)
        }
    }

    @Test("So is half of what strangers publish; without a limit for all there is none for one [attack 115]")
    func publishes() {
        for (perSecond, share) in [(10, 5), (1, 1), (0, 100)] {
            var world = world { $0.anonymousPublishesPerSecond = perSecond }
            let publish = SNPacket.publish(SNPublish(.minusOne, .predefined, 3))
            var taken = 0
            for number in 0..<100 { taken += world.forward(publish, "n\(number)").count }
            #expect(taken == share)
        }
    }

    @Test("The share is there again after a second, and as many forwarders are told apart as are remembered")
    func remembered() {
        var configuration = Gateway.Configuration()
        configuration.strangerRepliesPerSecond = 4
        var shares = ForwarderShares(configuration)
        func path(_ host: Int, _ port: Int) -> DatagramPath { World.path(port, host: host) }
        let start = Instant(nanoseconds: 5_000_000_000)
        for host in 0..<ForwarderShares.forwardersMax {
            var allowed: [Bool] = []
            for port in 1...5 { allowed.append(shares.allowReply(path(host, port), at: start)) }
            #expect(allowed == [true, true, false, false, false])
        }
        var isAnswered = shares.allowReply(path(1, 1), at: start)
        #expect(!isAnswered)
        // One more takes the place of one, and has a share of its own.
        isAnswered = shares.allowReply(path(1_000, 1), at: start)
        #expect(isAnswered)
        isAnswered = shares.allowReply(path(1, 1), at: start + .seconds(1))
        #expect(isAnswered)
    }
}
