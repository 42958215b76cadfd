import Bytes
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct WillTests {
    private func topic(_ name: String, _ qos: QoS = .atLeastOnce, retain: Bool = false) -> SNWillTopic {
        SNWillTopic(qos: qos, retain: retain, topic: view(name))
    }

    @Test("WILLTOPICUPD without a will makes one with an empty message, WILLMSGUPD fills it [SN-6.4] [D-34]")
    func create() {
        var world = World()
        _ = world.connect()
        #expect(world.receive(.willTopicUpd(topic("gone"))) == ["0? setWill will gone= q1", "1 WILLTOPICRESP 0"])
        #expect(world.receive(.willMsgUpd(view("bye"))) == ["0? setWill will gone=bye q1", "1 WILLMSGRESP 0"])
        #expect(
            world.receive(.willTopicUpd(topic("left", .exactlyOnce, retain: true))) == [
                "0? setWill will left=bye q2 retain", "1 WILLTOPICRESP 0",
            ])
    }

    @Test("The empty WILLTOPICUPD deletes the will; a message without a topic gets 0x03 [D-34]")
    func delete() {
        var world = World()
        _ = world.connect()
        _ = world.receive(.willTopicUpd(topic("gone")))
        #expect(world.receive(.willTopicUpd(nil)) == ["0? setWill none", "1 WILLTOPICRESP 0"])
        #expect(world.receive(.willMsgUpd(view("bye"))) == ["1 WILLMSGRESP 3"])
    }

    @Test("An updated will is the stored one of the next connection [SN-6.3]")
    func stored() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.receive(.willTopicUpd(topic("gone")))
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.receive(.connect(SNConnect("dev", clean: false))) == ["0? attach dev keep will gone= q1"])
    }

    @Test("Topics that no message can have get 0x03", arguments: ["", "a/#", "+"])
    func badTopic(name: String) {
        var world = World()
        _ = world.connect()
        #expect(world.receive(.willTopicUpd(topic(name))) == ["1 WILLTOPICRESP 3"])
    }

    @Test("A will message of 4,096 bytes is kept, one byte more is refused")
    func longMessage() {
        var world = World()
        _ = world.connect()
        _ = world.receive(.willTopicUpd(topic("gone")))
        let most = String(repeating: "x", count: 4096)
        #expect(world.receive(.willMsgUpd(view(most))).last == "1 WILLMSGRESP 0")
        #expect(world.receive(.willMsgUpd(view(most + "x"))) == ["1 WILLMSGRESP 3"])
        _ = world.receive(.connect(SNConnect("other", will: true)), from: 2)
        _ = world.receive(.willTopic(topic("t")), from: 2)
        #expect(world.receive(.willMsg(view(most + "x")), from: 2) == ["2 CONNACK 3"])
    }

    @Test("All wills together have a limit; one more byte is congestion")
    func allWills() {
        var world = World { $0.willBytesMax = 20 }
        _ = world.connect("a", port: 1, slot: 0)
        _ = world.connect("b", port: 2, slot: 1)
        #expect(world.receive(.willTopicUpd(topic("tenletters"))).last == "1 WILLTOPICRESP 0")
        #expect(world.receive(.willTopicUpd(topic("tenletters")), from: 2).last == "2 WILLTOPICRESP 0")
        #expect(world.receive(.willMsgUpd(view("x")), from: 2) == ["2 WILLMSGRESP 1"])
        #expect(world.receive(.willTopicUpd(nil)).last == "1 WILLTOPICRESP 0")
        #expect(world.receive(.willMsgUpd(view("tenletters")), from: 2).last == "2 WILLMSGRESP 0")
        #expect(world.receive(.willTopicUpd(topic("t"))) == ["1 WILLTOPICRESP 1"])
        _ = world.receive(.disconnect(duration: nil), from: 2)
        #expect(world.receive(.willTopicUpd(topic("t"))).last == "1 WILLTOPICRESP 0")
        #expect(world.receive(.willMsgUpd(view("nineteen letters!!!"))).last == "1 WILLMSGRESP 0")
        _ = world.receive(.connect(SNConnect("c", will: true)), from: 3)
        _ = world.receive(.willTopic(topic("t")), from: 3)
        #expect(world.receive(.willMsg(view("m")), from: 3) == ["3 CONNACK 1"])
    }

    @Test("Updates without a connection get DISCONNECT [attack 125]")
    func unconnected() {
        var world = World()
        #expect(world.receive(.willTopicUpd(topic("t"))) == ["1 DISCONNECT"])
        #expect(world.receive(.willMsgUpd(view("m"))) == ["1 DISCONNECT"])
    }
}
