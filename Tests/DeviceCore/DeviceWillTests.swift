import Bytes
import DeviceCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct DeviceWillTests {
    private let topic = Device.WillTopic(topic: "gone", qos: .atLeastOnce, retain: true)

    @Test("WILLTOPICUPD is repeated until WILLTOPICRESP; what follows waits [SN-6.4]")
    func changesTopic() {
        var world = DeviceScript.connected()
        world.perform(.updateWillTopic(token: 1, topic))
        world.perform(.updateWillMessage(token: 2, "bye"))
        world.expect("WILLTOPICUPD qos=1 retain topic='gone'")
        world.wait(.seconds(10))
        world.expect("WILLTOPICUPD qos=1 retain topic='gone'")
        world.receive(.willMsgResp(.accepted))
        world.expectNothing()
        world.receive(.willTopicResp(.accepted))
        world.expect("willUpdated(token: 1)")
        world.expect("WILLMSGUPD message=3 bytes")
        world.receive(.willTopicResp(.accepted))
        world.expectNothing()
        world.receive(.willMsgResp(.accepted))
        world.expect("willUpdated(token: 2)")
        #expect(world.device.isIdle)
        world.receive(.willMsgResp(.accepted))
        world.expectNothing()
    }

    @Test("An empty WILLTOPICUPD takes the will back [SN-6.4]")
    func removes() {
        var world = DeviceScript.connected()
        world.perform(.updateWillTopic(token: 1, nil))
        world.expect("WILLTOPICUPD empty")
        world.receive(.willTopicResp(.accepted))
        world.expect("willUpdated(token: 1)")
    }

    @Test("Another return code is a failure [SN-5.4.24]")
    func isRefused() {
        var world = DeviceScript.connected()
        world.perform(.updateWillTopic(token: 1, topic))
        world.drop(1)
        world.receive(.willTopicResp(.notSupported))
        world.expect("failed(token: 1, DeviceCore.Device.Failure.refused(notSupported))")
        world.perform(.updateWillMessage(token: 2, "bye"))
        world.drop(1)
        world.receive(.willMsgResp(.notSupported))
        world.expect("failed(token: 2, DeviceCore.Device.Failure.refused(notSupported))")
    }

    @Test("Congestion rests for T_WAIT, and an answer that comes meanwhile is an old one [SN-5.4.25]")
    func rests() {
        var world = DeviceScript.connected()
        world.perform(.updateWillMessage(token: 1, "bye"))
        world.drop(1)
        world.receive(.willMsgResp(.congestion))
        world.receive(.willMsgResp(.accepted))
        world.wait(.seconds(299))
        world.expectNothing()
        world.wait(.seconds(1))
        world.expect("WILLMSGUPD message=3 bytes")
        world.receive(.willMsgResp(.accepted))
        world.expect("willUpdated(token: 1)")
    }

    @Test("Silence of the gateway loses it, and the next connection says the change again [SN-6.13]")
    func goesOnAfterLoss() {
        var world = DeviceScript.connected()
        world.perform(.updateWillTopic(token: 1, nil))
        for _ in 0...4 {
            world.expect("WILLTOPICUPD empty")
            world.wait(.seconds(10))
        }
        world.expect("lost")
        world.reconnect()
        world.expect("WILLTOPICUPD empty")
        world.receive(.willTopicResp(.accepted))
        world.expect("willUpdated(token: 1)")
    }

    @Test("A will too long for MQTT-SN fails")
    func tooLong() {
        var world = DeviceScript.connected()
        world.perform(.updateWillMessage(token: 1, ByteString([UInt8](repeating: 0, count: 65_535))))
        world.expect("failed(token: 1, DeviceCore.Device.Failure.tooLong)")
    }
}
