import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct DisconnectTests {
    @Test("DISCONNECT is answered with DISCONNECT, and no will is published [SN-6.12]")
    func plain() {
        var world = World()
        _ = world.connect(clean: false)
        #expect(world.receive(.disconnect(duration: nil)) == ["1 DISCONNECT", "0? detach"])
        #expect(world.state() == .disconnected)
        #expect(world.logs.last == .disconnected("dev", nil))
    }

    @Test("DISCONNECT with duration 0 is a plain one [D-23]")
    func durationZero() {
        var world = World()
        _ = world.connect(clean: false)
        #expect(world.receive(.disconnect(duration: 0)) == ["1 DISCONNECT", "0? detach"])
        #expect(world.state() == .disconnected)
    }

    @Test("DISCONNECT repeated is answered again, also for a device that has just gone [D-25]")
    func repeated() {
        var world = World()
        _ = world.connect()
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.receive(.disconnect(duration: nil)) == ["1 DISCONNECT"])
        #expect(world.receive(.disconnect(duration: 60)) == ["1 DISCONNECT"])
        #expect(world.gateway.deviceCount == 0)
    }

    @Test("DISCONNECT during the will handshake ends it")
    func duringHandshake() {
        var world = World()
        _ = world.receive(.connect(SNConnect("dev", will: true)))
        #expect(world.receive(.disconnect(duration: nil)) == ["1 DISCONNECT"])
        #expect(world.state() == nil)
    }

    @Test("DISCONNECT while the broker is being asked takes the request back; its consent comes too late")
    func duringAttach() {
        var world = World()
        _ = world.receive(.connect(SNConnect("dev")))
        #expect(world.receive(.disconnect(duration: nil)) == ["0? detach", "1 DISCONNECT"])
        #expect(world.attach() == ["0? detach"])
        #expect(world.gateway.deviceCount == 0)
    }

    @Test("A record goes when its session ends")
    func sessionEnds() {
        var world = World { $0.sessionExpiryInterval = 100 }
        _ = world.connect(clean: false, expiry: 100)
        _ = world.register("a", topic: 5)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.pass(.seconds(99)) == [])
        #expect(world.state() == .disconnected)
        #expect(world.pass(.seconds(1)) == ["0? forget 5"])
        #expect(world.state() == nil)
        #expect(world.gateway.nextDeadline == nil)
    }

    @Test("A record whose session never ends stays, and costs no timer")
    func sessionStays() {
        var world = World()
        _ = world.connect(clean: false, duration: 0)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.pass(.seconds(100_000_000)) == [])
        #expect(world.state() == .disconnected)
    }

    @Test("A slot is used again, with nothing of its former device")
    func slotReuse() {
        var world = World()
        _ = world.connect("a")
        _ = world.register("t", topic: 5)
        _ = world.receive(.publish(SNPublish(.one, 1, msgID: 7)))
        _ = world.receive(.disconnect(duration: nil))
        _ = world.connect("b", port: 2)
        #expect(world.gateway.clientID(of: 0) == "b")
        #expect(world.receive(.publish(SNPublish(.one, 1, msgID: 8)), from: 2) == ["2 PUBACK 1 m8 2"])
        #expect(world.receive(.publish(SNPublish(.one, 1, msgID: 8)), from: 1) == ["1 DISCONNECT"])
    }
}
