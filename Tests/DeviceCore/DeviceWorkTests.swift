import Bytes
import Clockwork
import DeviceCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct DeviceWorkTests {
    private func publication(_ qos: SNQoS, _ topic: Device.Topic = .name("a/b")) -> Device.Publication {
        Device.Publication(topic: topic, qos: qos, payload: "x")
    }

    @Test("A name is registered before the first PUBLISH and never again [SN-6.5]")
    func registersOnce() {
        var world = DeviceScript.connected()
        world.perform(.publish(token: 1, publication(.zero)))
        world.perform(.publish(token: 2, publication(.zero)))
        world.expect("REGISTER topicID=0x0000 msgID=1 topicName='a/b'")
        world.expectNothing()
        world.receive(.regack(topicID: 5, msgID: 1, .accepted))
        world.expect("PUBLISH qos=0 type=normal topicID=0x0005 msgID=0 data=1 bytes")
        world.expect("published(token: 1)")
        world.expect("PUBLISH qos=0 type=normal topicID=0x0005 msgID=0 data=1 bytes")
        world.expect("published(token: 2)")
    }

    @Test("QoS 1 is repeated with DUP until PUBACK; the next message waits [SN-6.6]")
    func publishesAtQoS1() {
        var world = DeviceScript.connected()
        world.perform(.publish(token: 1, publication(.one, .predefined(9))))
        world.perform(.publish(token: 2, publication(.one, .short(0x6162))))
        world.expect("PUBLISH qos=1 type=predefined topicID=0x0009 msgID=1 data=1 bytes")
        world.wait(.seconds(10))
        world.expect("PUBLISH qos=1 dup type=predefined topicID=0x0009 msgID=1 data=1 bytes")
        world.receive(.puback(topicID: 9, msgID: 7, .accepted))
        world.expectNothing()
        world.receive(.puback(topicID: 9, msgID: 1, .accepted))
        world.expect("published(token: 1)")
        world.expect("PUBLISH qos=1 type=short topicID='ab' msgID=2 data=1 bytes")
        world.receive(.puback(topicID: 0x6162, msgID: 2, .accepted))
        world.expect("published(token: 2)")
        #expect(world.device.isIdle)
    }

    @Test("QoS 2 takes four steps, each repeated [SN-5.4.14]")
    func publishesAtQoS2() {
        var world = DeviceScript.connected()
        world.perform(.publish(token: 1, publication(.two, .predefined(9))))
        world.drop(1)
        world.receive(.pubrec(msgID: 1))
        world.expect("PUBREL msgID=1")
        world.wait(.seconds(10))
        world.expect("PUBREL msgID=1")
        world.receive(.pubrec(msgID: 1))
        world.expect("PUBREL msgID=1")
        world.receive(.pubcomp(msgID: 1))
        world.expect("published(token: 1)")
        world.receive(.pubcomp(msgID: 1))
        world.expectNothing()
    }

    @Test("MsgIds begin where the device is told to, never with 0 [SN-5.3.8]", arguments: [0, 1, 0xFFFF] as [UInt16])
    func firstMsgID(first: UInt16) {
        var settings = Device.Settings()
        settings.firstMsgID = first
        var world = DeviceScript.connected(settings)
        for msgID in [max(first, 1), first == 0xFFFF ? 1 : max(first, 1) + 1] {
            world.perform(.publish(token: 1, publication(.one, .predefined(9))))
            world.expect("PUBLISH qos=1 type=predefined topicID=0x0009 msgID=\(msgID) data=1 bytes")
            world.receive(.puback(topicID: 9, msgID: msgID, .accepted))
            world.drop(1)
        }
    }

    @Test("Congestion rests for T_WAIT [SN-6.6]", arguments: [SNQoS.one, .two])
    func restsWhenCongested(qos: SNQoS) {
        var world = DeviceScript.connected()
        world.perform(.publish(token: 1, publication(qos, .predefined(9))))
        world.drop(1)
        world.receive(.puback(topicID: 9, msgID: 1, .congestion))
        world.wait(.seconds(299))
        world.expectNothing()
        world.wait(.seconds(1))
        world.expect("PUBLISH qos=\(qos) dup type=predefined topicID=0x0009 msgID=1 data=1 bytes")
    }

    @Test("Keep-alive goes on while the work rests")
    func pingsWhileResting() {
        var world = DeviceScript.connected(keepAlive: 60)
        world.perform(.publish(token: 1, publication(.one, .predefined(9))))
        world.receive(.puback(topicID: 9, msgID: 1, .congestion))
        world.drop(1)
        for _ in 0..<4 {
            world.wait(.seconds(60))
            world.expect("PINGREQ")
            world.receive(.pingresp)
            world.expect("ponged")
        }
        world.wait(.seconds(60))
        world.expect("PUBLISH qos=1 dup type=predefined topicID=0x0009 msgID=1 data=1 bytes")
    }

    @Test("An invalid topic id is cured by REGISTER, once [D-07]")
    func registersAgain() {
        var world = DeviceScript.connected()
        world.perform(.publish(token: 1, publication(.one)))
        world.receive(.regack(topicID: 5, msgID: 1, .accepted))
        world.drop(2)
        world.receive(.puback(topicID: 5, msgID: 2, .invalidTopicID))
        world.expect("REGISTER topicID=0x0000 msgID=3 topicName='a/b'")
        world.receive(.regack(topicID: 6, msgID: 3, .accepted))
        world.expect("PUBLISH qos=1 dup type=normal topicID=0x0006 msgID=2 data=1 bytes")
        world.receive(.puback(topicID: 6, msgID: 2, .invalidTopicID))
        world.expect("failed(token: 1, DeviceCore.Device.Failure.refused(invalidTopicID))")
    }

    @Test("An error for QoS 0 makes the device register again [D-08]")
    func forgetsInvalidID() {
        var world = DeviceScript.connected()
        world.perform(.publish(token: 1, publication(.zero)))
        world.receive(.regack(topicID: 5, msgID: 1, .accepted))
        world.drop(3)
        world.receive(.puback(topicID: 5, msgID: 0, .invalidTopicID))
        world.perform(.publish(token: 2, publication(.zero)))
        world.expect("REGISTER topicID=0x0000 msgID=2 topicName='a/b'")
    }

    @Test("An open handshake goes on after a restart, under the same MsgId")
    func resumesAfterRestart() {
        var world = DeviceScript.connected(cleanSession: false)
        world.perform(.publish(token: 1, publication(.two)))
        world.receive(.regack(topicID: 5, msgID: 1, .accepted))
        world.drop(2)
        world.perform(.restart)
        world.reconnect(cleanSession: false)
        world.expect("REGISTER topicID=0x0000 msgID=1 topicName='a/b'")
        world.receive(.regack(topicID: 5, msgID: 1, .accepted))
        world.expect("PUBLISH qos=2 dup type=normal topicID=0x0005 msgID=2 data=1 bytes")
        world.receive(.pubrec(msgID: 2))
        world.expect("PUBREL msgID=2")
        world.perform(.restart)
        world.reconnect(cleanSession: false)
        world.expect("PUBREL msgID=2")
    }

    @Test("A new session begins QoS 1 anew and gives QoS 2 up")
    func cleanSessionEndsHandshakes() {
        var world = DeviceScript.connected()
        world.perform(.publish(token: 1, publication(.two, .predefined(9))))
        world.perform(.publish(token: 2, publication(.one, .predefined(9))))
        world.drop(1)
        world.perform(.connect(.init(clientID: "d1", keepAlive: 0, cleanSession: true)))
        world.expect("failed(token: 1, DeviceCore.Device.Failure.sessionEnded)")
        world.drop(1)
        world.receive(.connack(.accepted))
        world.expect("connected")
        world.expect("PUBLISH qos=1 type=predefined topicID=0x0009 msgID=2 data=1 bytes")
    }

    @Test("SUBSCRIBE and UNSUBSCRIBE, repeated and answered [SN-6.9]")
    func subscribes() {
        var world = DeviceScript.connected()
        world.perform(.subscribe(token: 1, .name("a/b"), .exactlyOnce))
        world.expect("SUBSCRIBE qos=2 msgID=1 topicName='a/b'")
        world.wait(.seconds(10))
        world.expect("SUBSCRIBE qos=2 dup msgID=1 topicName='a/b'")
        world.receive(.suback(qos: .atLeastOnce, topicID: 8, msgID: 1, .accepted))
        world.drop(1)
        #expect(world.device.name(of: 8) == "a/b")
        world.perform(.unsubscribe(token: 2, .short(0x6162)))
        world.expect("UNSUBSCRIBE msgID=2 type=short topicID='ab'")
        world.receive(.unsuback(msgID: 2))
        world.expect("unsubscribed(token: 2)")
    }

    @Test("QoS -1 needs no connection, but a topic id [SN-6.8]")
    func publishesWithoutConnection() {
        var world = DeviceScript()
        world.perform(.publish(token: 1, publication(.minusOne, .predefined(9))))
        world.expect("PUBLISH qos=-1 type=predefined topicID=0x0009 msgID=0 data=1 bytes")
        world.expect("published(token: 1)")
        world.perform(.publish(token: 2, publication(.minusOne)))
        world.expect("failed(token: 2, DeviceCore.Device.Failure.needsTopicID)")
    }

    @Test("The list of work is bounded")
    func workIsBounded() {
        var settings = Device.Settings()
        settings.workMax = 2
        var world = DeviceScript(settings)
        for token in 1...3 { world.perform(.publish(token: token, publication(.zero))) }
        world.expect("failed(token: 3, DeviceCore.Device.Failure.workFull)")
    }

    @Test("A topic id beyond the device's memory is no endless REGISTER")
    func topicsAreBounded() {
        var settings = Device.Settings()
        settings.topicsMax = 1
        var world = DeviceScript.connected(settings)
        world.perform(.register(token: 1, "a"))
        world.receive(.regack(topicID: 1, msgID: 1, .accepted))
        world.perform(.publish(token: 2, publication(.zero)))
        world.drop(3)
        world.receive(.regack(topicID: 2, msgID: 2, .accepted))
        world.expect("failed(token: 2, DeviceCore.Device.Failure.topicsFull)")
        world.receive(.register(topicID: 3, msgID: 1, topicName: .of("c")))
        world.expect("REGACK topicID=0x0003 msgID=1 returnCode=notSupported")
    }

    @Test("A message too long for MQTT-SN fails")
    func tooLong() {
        var world = DeviceScript.connected()
        let payload = ByteString([UInt8](repeating: 0, count: 65_527))
        world.perform(
            .publish(token: 1, Device.Publication(topic: .predefined(1), qos: .one, payload: payload)))
        world.expect("failed(token: 1, DeviceCore.Device.Failure.tooLong)")
    }
}
