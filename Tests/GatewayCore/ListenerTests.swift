import Bytes
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct ListenerTests {
    /// Two listeners, each with settings of its own; a third is not listed.
    private func world() -> World {
        World { configuration in
            var first = Gateway.Configuration.Listener()
            first.gatewayID = 1
            first.predefinedTopics = [.init(id: 1, name: "first")]
            first.retryInterval = .seconds(2)
            first.retryCount = 1
            var second = Gateway.Configuration.Listener()
            second.gatewayID = 2
            second.predefinedTopics = [.init(id: 1, name: "second"), .init(id: 7, name: "seventh")]
            second.retryInterval = .seconds(20)
            configuration.listeners = [first, second]
            configuration.unlisted.gatewayID = 9
        }
    }

    @Test("Each listener has its own GwId (§5.3.6)", arguments: [(0, 1), (1, 2), (5, 9)])
    func gatewayID(listener: UInt16, gwID: Int) {
        var world = world()
        #expect(world.receive(.searchGW(radius: 1), listener: listener) == ["1 GWINFO \(gwID) 0"])
    }

    @Test("A predefined id means what its listener says [SN-6.7]", arguments: [(0, "first"), (1, "second")])
    func predefined(listener: UInt16, topic: String) {
        var world = world()
        _ = world.receive(.connect(SNConnect("dev")), listener: listener)
        _ = world.attach()
        let lines = world.receive(.publish(SNPublish(.zero, .predefined, 1)), listener: listener)
        #expect(lines == ["0? publish \(topic)=x q0 m0"])
    }

    @Test("Normal ids begin above the highest predefined one of any listener [D-29]")
    func base() {
        var world = world()
        _ = world.connect()
        #expect(world.register("a/b", topic: 5).last == "1 REGACK 8 m1 0")
    }

    @Test(
        "A device is asked again at its listener's pace, and as often as that says [SN-6.13]",
        arguments: [(0, 1), (1, 0)])
    func retries(listener: UInt16, count: Int) {
        var world = world()
        _ = world.receive(.connect(SNConnect("dev", will: true)), listener: listener)
        #expect(world.pass(.seconds(10)) == [String](repeating: "1 WILLTOPICREQ", count: count))
    }

    @Test("A listener that lets nobody in who has not said who he is refuses every device")
    func anonymous() {
        var world = World(listener: { $0.allowsAnonymous = false })
        #expect(world.receive(.connect(SNConnect("dev"))) == ["1 CONNACK 3"])
    }
}
