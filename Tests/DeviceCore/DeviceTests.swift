import Bytes
import Clockwork
import DeviceCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct DeviceTests {
    // MARK: - Connection

    @Test("CONNECT is answered by CONNACK [SN-6.2]")
    func connects() {
        var world = DeviceScript()
        world.perform(.connect(.init(clientID: "d1", keepAlive: 30, cleanSession: true)))
        world.expect("CONNECT protocolID=1 duration=30s cleanSession clientID='d1'")
        world.receive(.connack(.accepted))
        world.expect("connected")
        #expect(world.device.state == .active)
    }

    @Test("The will is given when it is asked for [SN-6.3]")
    func givesWill() {
        var world = DeviceScript()
        let will = Will(topic: "gone", payload: "bye", qos: .atLeastOnce, retain: true)
        world.perform(.connect(.init(clientID: "d1", keepAlive: 0, cleanSession: false, will: will)))
        world.expect("CONNECT protocolID=1 duration=0s will clientID='d1'")
        world.receive(.willTopicReq)
        world.expect("WILLTOPIC qos=1 retain topic='gone'")
        world.receive(.willMsgReq)
        world.expect("WILLMSG message=3 bytes")
        world.receive(.connack(.accepted))
        world.expect("connected")
    }

    @Test("A refusal leaves the device disconnected")
    func isRefused() {
        var world = DeviceScript()
        world.perform(.connect(.init(clientID: "d1")))
        world.receive(.connack(.congestion))
        world.drop(1)
        world.expect("refused(congestion)")
        #expect(world.device.state == .disconnected)
        #expect(world.device.nextDeadline == nil)
    }

    @Test("CONNECT is repeated N_retry times, then the gateway is given up [SN-6.13]")
    func givesUp() {
        var world = DeviceScript()
        world.perform(.connect(.init(clientID: "d1")))
        for _ in 0...4 {
            world.expect("CONNECT protocolID=1 duration=60s cleanSession clientID='d1'")
            world.wait(.seconds(10))
        }
        world.expect("lost")
        world.wait(.seconds(600))
        world.expectNothing()
        #expect(world.device.state == .disconnected)
    }

    @Test("Silence for the keep-alive brings PINGREQ, silence of the gateway the end [SN-6.11]")
    func keepsAlive() {
        var world = DeviceScript.connected(keepAlive: 30)
        world.wait(.seconds(29))
        world.expectNothing()
        world.wait(.seconds(1))
        world.expect("PINGREQ")
        world.receive(.pingresp)
        world.expect("ponged")
        world.wait(.seconds(30))
        for _ in 0...4 {
            world.expect("PINGREQ")
            world.wait(.seconds(10))
        }
        world.expect("lost")
    }

    @Test("The gateway's PINGREQ is answered while connected only [SN-6.11]")
    func answersPing() {
        var world = DeviceScript.connected()
        world.receive(.pingreq(clientID: .empty))
        world.expect("PINGRESP")
        world.perform(.restart)
        world.receive(.pingreq(clientID: .empty))
        world.expectNothing()
    }

    @Test("DISCONNECT is answered by DISCONNECT [SN-6.12]")
    func disconnects() {
        var world = DeviceScript.connected()
        world.perform(.disconnect)
        world.expect("DISCONNECT")
        world.wait(.seconds(10))
        world.expect("DISCONNECT")
        world.receive(.disconnect(duration: nil))
        world.expect("disconnected")
        world.receive(.disconnect(duration: nil))
        world.expectNothing()
    }

    @Test("The gateway's own DISCONNECT ends the connection [SN-6.12]")
    func isDisconnected() {
        var world = DeviceScript.connected()
        world.receive(.disconnect(duration: nil))
        world.expect("disconnected")
        #expect(world.device.state == .disconnected)
    }

    @Test("What is no message of a gateway is passed over", arguments: ["", "0207", "ff0c", "0500", "02ff"])
    func ignoresJunk(hex: String) {
        var world = DeviceScript.connected()
        world.receive(
            bytes: stride(from: 0, to: hex.count, by: 2).map { offset in
                let start = hex.index(hex.startIndex, offsetBy: offset)
                return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16) ?? 0
            })
        world.expectNothing()
    }

    // MARK: - Sleep

    @Test("Asleep, awake, asleep again [SN-6.14]")
    func sleeps() {
        var world = DeviceScript.connected()
        world.perform(.sleep(seconds: 300))
        world.expect("DISCONNECT duration=300s")
        world.receive(.disconnect(duration: nil))
        world.expect("fellAsleep")
        world.receive(.pingreq(clientID: .empty))
        world.expectNothing()
        world.perform(.wake)
        world.expect("PINGREQ clientID='d1'")
        world.wait(.seconds(9))
        world.receive(.register(topicID: 7, msgID: 1, topicName: .of("a")))
        world.expect("REGACK topicID=0x0007 msgID=1 returnCode=accepted")
        // Another message restarts T_retry.
        world.wait(.seconds(9))
        world.expectNothing()
        world.receive(.pingresp)
        world.expect("fellAsleep")
        #expect(world.device.state == .asleep)
    }

    @Test("A wake without an answer ends in sleep [SN-6.14]")
    func wakesInVain() {
        var world = DeviceScript.asleep()
        world.perform(.wake)
        for _ in 0...4 {
            world.expect("PINGREQ clientID='d1'")
            world.wait(.seconds(10))
        }
        world.expect("wakeUnanswered")
        #expect(world.device.state == .asleep)
    }

    @Test("CONNECT leads back from sleep [SN-6.14]")
    func returnsFromSleep() {
        var world = DeviceScript.asleep()
        world.perform(.connect(.init(clientID: "d1", cleanSession: false)))
        world.expect("CONNECT protocolID=1 duration=60s clientID='d1'")
        world.receive(.connack(.accepted))
        world.expect("connected")
    }
}
