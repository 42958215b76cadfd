import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct SupervisionTests {
    @Test(
        "Silence: PINGREQ half-way into the tolerance, then lost with its will [D-47] [D-20]",
        arguments: [
            // Keep-alive, PINGREQ and loss, in milliseconds: +50 % up to 60 s, +10 % above.
            (10, 12_500, 15_000), (60, 75_000, 90_000), (61, 64_050, 67_100), (600, 630_000, 660_000),
        ])
    func silence(keepAlive: Int, ping: Int, loss: Int) {
        // One PINGREQ only: the repetition has its own test.
        var world = World { $0.unlisted.retryInterval = .seconds(3600) }
        _ = world.connect(clean: false, duration: UInt16(keepAlive))
        #expect(world.pass(.milliseconds(ping - 1)) == [])
        #expect(world.pass(.milliseconds(1)) == ["1 PINGREQ"])
        #expect(world.pass(.milliseconds(loss - ping - 1)) == [])
        #expect(world.state() == .active)
        #expect(world.pass(.milliseconds(1)) == ["0? detach will"])
        #expect(world.state() == .lost)
        #expect(world.logs.last == .lost("dev"))
    }

    @Test("PINGREQ is sent again each T_retry until the device is lost, N_retry times at most [D-47]")
    func pingAgain() {
        var world = World { $0.unlisted.retryCount = 2 }
        _ = world.connect(duration: 600)
        #expect(world.pass(.seconds(629)) == [])
        #expect(world.pass(.seconds(30)) == ["1 PINGREQ", "1 PINGREQ", "1 PINGREQ"])
        #expect(world.gateway.counters.retransmitted == 2)
        #expect(world.pass(.seconds(1)) == ["0? detach will"])
    }

    @Test(
        "Any message counts as a sign of life",
        arguments: samples(
            SNPacket.pingreq(clientID: .empty), .pingresp, .publish(SNPublish(.zero, 1)), .pubrel(msgID: 1),
            .puback(topicID: 0, msgID: 0, .accepted), .searchGW(radius: 0)
        ))
    func alive(sample: Sample) {
        let packet = sample.packet
        var world = World()
        _ = world.connect(duration: 60)
        for _ in 0..<5 {
            #expect(world.pass(.seconds(74)) == [])
            _ = world.receive(packet)
        }
        #expect(world.pass(.seconds(75)) == ["1 PINGREQ"])
        #expect(world.state() == .active)
        // An answer ends the questions.
        _ = world.receive(.pingresp)
        #expect(world.pass(.seconds(74)) == [])
    }

    @Test("Between their deadlines silent devices cost nothing: nothing asks to be called, and a call does nothing")
    func silentDevices() {
        var world = World()
        let devices = 1_000
        let begin = world.now.instant
        for slot in 0..<devices {
            _ = world.connect("dev\(slot)", clean: false, duration: 60, port: slot + 1, slot: slot)
            _ = world.receive(.disconnect(duration: 1_000), from: slot + 1)
        }
        // The deadlines of their keep-alive are looked at once, for nothing.
        #expect(world.pass(.seconds(75)) == [])
        let loss = begin + .seconds(1_100)
        for _ in 0..<100 {
            #expect(world.gateway.nextDeadline == loss)
            let now = world.now.instant + .seconds(10)
            world.now = Now(instant: now, unixSeconds: world.now.unixSeconds + 10)
            var effects: [Gateway.Effect] = []
            world.gateway.advance(to: world.now, into: &effects)
            #expect(effects.isEmpty)
        }
        #expect(world.pass(.seconds(25)).count == devices)
    }

    @Test("Keep-alive 0 means no supervision")
    func none() {
        var world = World()
        _ = world.connect(duration: 0)
        #expect(world.pass(.seconds(1_000_000)) == [])
        #expect(world.state() == .active)
        #expect(world.gateway.nextDeadline == nil)
    }

    @Test("PINGREQ is answered with PINGRESP, with the own client id as well [SN-6.11] [D-11]")
    func pingreq() {
        var world = World()
        _ = world.connect()
        #expect(world.receive(.pingreq(clientID: .empty)) == ["1 PINGRESP"])
        #expect(world.receive(.pingreq(clientID: view("dev"))) == ["1 PINGRESP"])
    }

    @Test("Packets cost no timer: the deadline is looked at when it comes, not moved with each packet")
    func lazy() {
        var world = World()
        _ = world.connect(duration: 60)
        let deadline = world.gateway.nextDeadline
        _ = world.pass(.seconds(30))
        _ = world.receive(.pingreq(clientID: .empty))
        #expect(world.gateway.nextDeadline == deadline)
        #expect(world.pass(.seconds(74)) == [])
        #expect(world.pass(.seconds(1)) == ["1 PINGREQ"])
    }

    @Test("The tolerance is the operator's [D-20]")
    func tolerance() {
        var world = World { $0.unlisted.tolerance.shortPercent = 100 }
        _ = world.connect(duration: 10)
        #expect(world.pass(.seconds(19)) == ["1 PINGREQ"])
        #expect(world.pass(.seconds(1)) == ["0? detach will"])
    }

    @Test("A clock that jumps ahead finds every device once")
    func jump() {
        var world = World()
        for slot in 0..<50 { _ = world.connect("d\(slot)", duration: 10, port: slot + 1, slot: slot) }
        world.now.instant = world.now.instant + .seconds(86_400)
        var effects: [Gateway.Effect] = []
        world.gateway.advance(to: world.now, into: &effects)
        let detached = effects.filter {
            guard case .request(_, .detach(let farewell)) = $0 else { return false }
            return farewell.publishesWill
        }
        #expect(detached.count == 50)
        #expect(world.gateway.deviceCount == 0)
    }
}
