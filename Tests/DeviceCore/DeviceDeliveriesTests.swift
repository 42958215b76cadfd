import Bytes
import Clockwork
import DeviceCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct DeviceDeliveriesTests {
    private func publish(_ qos: SNQoS, _ topicID: UInt16, msgID: UInt16, dup: Bool = false) -> SNPacket {
        .publish(SNPublish(dup: dup, qos: qos, topicIDType: .normal, topicID: topicID, msgID: msgID, data: .of("x")))
    }

    private func knowing(_ topicID: UInt16) -> DeviceScript {
        var world = DeviceScript.connected()
        world.receive(.register(topicID: topicID, msgID: 1, topicName: .of("a")))
        world.expect("REGACK topicID=0x000\(topicID) msgID=1 returnCode=accepted")
        return world
    }

    private func received(_ qos: QoS) -> String {
        "received(DeviceCore.Device.Received(topic: DeviceCore.Device.Topic.name(a), qos: Messaging.QoS.\(qos), "
            + "retain: false, payload: x))"
    }

    @Test("A topic id that the device was never told is refused [SN-6.10]", arguments: [SNQoS.zero, .one, .two])
    func refusesUnknownID(qos: SNQoS) {
        var world = DeviceScript.connected()
        world.receive(publish(qos, 3, msgID: qos == .zero ? 0 : 4))
        world.expect("PUBACK topicID=0x0003 msgID=\(qos == .zero ? 0 : 4) returnCode=invalidTopicID")
        world.expectNothing()
    }

    @Test("QoS 0 is received, QoS 1 acknowledged each time")
    func receives() {
        var world = knowing(3)
        world.receive(publish(.zero, 3, msgID: 0))
        world.expect(received(.atMostOnce))
        for dup in [false, true] {
            world.receive(publish(.one, 3, msgID: 9, dup: dup))
            world.expect(received(.atLeastOnce))
            world.expect("PUBACK topicID=0x0003 msgID=9 returnCode=accepted")
        }
    }

    @Test("QoS 2 is received once, whatever is repeated")
    func receivesOnce() {
        var world = knowing(3)
        world.receive(publish(.two, 3, msgID: 9))
        world.expect(received(.exactlyOnce))
        world.expect("PUBREC msgID=9")
        world.receive(publish(.two, 3, msgID: 9, dup: true))
        world.expect("PUBREC msgID=9")
        world.receive(.pubrel(msgID: 9))
        world.expect("PUBCOMP msgID=9")
        world.receive(.pubrel(msgID: 9))
        world.expect("PUBCOMP msgID=9")
        // A copy that was long under way.
        world.receive(publish(.two, 3, msgID: 9))
        world.expect("PUBREC msgID=9")
        world.receive(publish(.two, 3, msgID: 10))
        world.expect(received(.exactlyOnce))
    }

    @Test("A released MsgId is free again after T_retry")
    func identifierIsFreed() {
        var world = knowing(3)
        world.receive(publish(.two, 3, msgID: 9))
        world.receive(.pubrel(msgID: 9))
        world.drop(3)
        world.wait(.seconds(11))
        world.receive(publish(.two, 3, msgID: 9))
        world.expect(received(.exactlyOnce))
    }

    @Test("A restart forgets topic ids and keeps open handshakes")
    func restartKeepsHandshakes() {
        var world = knowing(3)
        world.receive(publish(.two, 3, msgID: 9))
        world.drop(2)
        world.perform(.restart)
        world.reconnect(cleanSession: false)
        #expect(world.device.name(of: 3) == nil)
        world.receive(.register(topicID: 3, msgID: 2, topicName: .of("a")))
        world.drop(1)
        world.receive(publish(.two, 3, msgID: 9, dup: true))
        world.expect("PUBREC msgID=9")
        world.expectNothing()
    }

    @Test("Before CONNACK and while asleep nothing is received")
    func isDeaf() {
        var world = DeviceScript()
        world.perform(.connect(.init(clientID: "d1")))
        world.drop(1)
        world.receive(.register(topicID: 3, msgID: 1, topicName: .of("a")))
        world.receive(.pubrel(msgID: 3))
        world.expectNothing()
        var sleeper = DeviceScript.asleep()
        sleeper.receive(publish(.one, 3, msgID: 4))
        sleeper.expectNothing()
    }
}
