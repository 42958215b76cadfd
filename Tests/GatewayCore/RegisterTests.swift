import Bytes
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct RegisterTests {
    @Test("REGISTER gives a topic the next id, and the same topic the same id [SN-6.5]")
    func register() {
        var world = World()
        _ = world.connect()
        #expect(world.register("a", topic: 5, msgID: 9) == ["0? resolve 9 a", "1 REGACK 1 m9 0"])
        #expect(world.register("b", topic: 6, msgID: 10) == ["0? resolve 10 b", "1 REGACK 2 m10 0"])
        #expect(world.register("a", topic: 5, msgID: 11) == ["0? resolve 11 a", "0? forget 5", "1 REGACK 1 m11 0"])
    }

    @Test(
        "Wildcards, the empty name and what is no UTF-8 get REGACK 0x03 [D-28]",
        arguments: [Array("a/#".utf8), Array("+".utf8), [], [0xC3], [0x61, 0x00]])
    func badName(name: [UInt8]) {
        var world = World()
        _ = world.connect()
        #expect(world.receive(.register(topicID: 0, msgID: 3, topicName: view(name))) == ["1 REGACK 0 m3 3"])
    }

    @Test("A name of 1,024 bytes is taken, one more is not")
    func longName() {
        var world = World()
        _ = world.connect()
        let name = String(repeating: "x", count: 1024)
        #expect(world.register(name, topic: 1).last == "1 REGACK 1 m1 0")
        let longer = SNPacket.register(topicID: 0, msgID: 3, topicName: view(name + "x"))
        #expect(world.receive(longer) == ["1 REGACK 0 m3 3"])
    }

    @Test("A refusal of the broker is REGACK with its code")
    func refused() {
        var world = World()
        _ = world.connect()
        #expect(world.answer(.resolved(token: 4, nil, .notAuthorized)) == ["1 REGACK 0 m4 3"])
        #expect(world.answer(.resolved(token: 4, nil, .quotaExceeded)) == ["1 REGACK 0 m4 1"])
    }

    @Test("1,024 ids per device, one more is congestion and its topic is let go [attack 112]")
    func tableFull() {
        var world = World()
        _ = world.connect()
        for topic in 1...1024 as ClosedRange<UInt32> {
            #expect(world.register("t", topic: topic).last == "1 REGACK \(topic) m1 0")
        }
        for topic in 2000...2009 as ClosedRange<UInt32> {
            let answer = world.register("t", topic: topic)
            #expect(answer == ["0? resolve 1 t", "0? forget \(topic)", "1 REGACK 0 m1 1"])
        }
        #expect(world.gateway.counters.topicTableFull == 10)
        #expect(world.logs.filter { $0 == .topicTableFull("dev") }.count == 1)
        #expect(world.register("t", topic: 7).last == "1 REGACK 7 m1 0")
    }

    @Test("All tables together have a limit; what a session held is free when it ends")
    func allTables() {
        var world = World { $0.topicsMax = 3 }
        _ = world.connect("a", port: 1, slot: 0)
        _ = world.connect("b", port: 2, slot: 1)
        _ = world.register("t1", topic: 1)
        _ = world.register("t2", topic: 2)
        #expect(world.register("t1", topic: 1, port: 2, slot: 1).last == "2 REGACK 1 m1 0")
        #expect(world.register("t2", topic: 2, port: 2, slot: 1).last == "2 REGACK 0 m1 1")
        _ = world.receive(.disconnect(duration: nil), from: 1)
        #expect(world.register("t2", topic: 2, port: 2, slot: 1).last == "2 REGACK 2 m1 0")
    }

    @Test("Ids begin above the highest predefined one [D-29]")
    func abovePredefined() {
        var world = World { $0.unlisted.predefinedTopics = [.init(id: 40, name: "p")] }
        _ = world.connect()
        #expect(world.register("p", topic: 5).last == "1 REGACK 41 m1 0")
    }

    @Test("0x0000 and 0xFFFF are never given, wherever predefined ids lie [attack 112]")
    func neverReserved() {
        for highest in [0xFFFE, 0xFFFE - 3, 0xFFFE - 4] as [UInt16] {
            var world = World {
                $0.unlisted.predefinedTopics = [.init(id: highest, name: "p")]
                $0.topicsPerDeviceMax = 4
            }
            _ = world.connect()
            let first = highest == 0xFFFE - 4 ? Int(highest) + 1 : 1
            for topic in 0..<4 {
                #expect(world.register("t", topic: UInt32(topic)).last == "1 REGACK \(first + topic) m1 0")
            }
            #expect(world.register("t", topic: 9).last == "1 REGACK 0 m1 1")
        }
    }

    @Test("Ids live as long as the session: after DISCONNECT and CONNECT they are the same [D-03]")
    func survive() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.register("a", topic: 5)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.state() == .disconnected)
        #expect(world.connect(clean: false, sessionPresent: true).contains("1 CONNACK 0"))
        #expect(world.receive(.publish(SNPublish(.zero, 1))) == ["0? publish #5=x q0 m0"])
    }

    @Test("A new session begins without ids, and their topics are let go [D-03]")
    func newSession() {
        var world = World()
        _ = world.connect(clean: false)
        _ = world.register("a", topic: 5)
        _ = world.register("b", topic: 6)
        _ = world.receive(.disconnect(duration: nil))
        #expect(
            world.connect(clean: true) == [
                "0? attach dev clean", "0? forget 5", "0? forget 6", "1 CONNACK 0", "0? open",
            ])
        #expect(world.receive(.publish(SNPublish(.one, 1, msgID: 4))) == ["1 PUBACK 1 m4 2"])
    }

    @Test("A clean session ends with its connection, and its topics are let go")
    func cleanEnds() {
        var world = World()
        _ = world.connect()
        _ = world.register("a", topic: 5)
        #expect(world.receive(.disconnect(duration: nil)) == ["1 DISCONNECT", "0? forget 5", "0? detach"])
        #expect(world.state() == nil)
    }

    @Test("A topic that comes for a device that is gone is let go")
    func tooLate() {
        var world = World()
        #expect(world.answer(.resolved(token: 1, TopicID(index: 3), nil)) == ["0? forget 3"])
        _ = world.connect(clean: false)
        _ = world.receive(.disconnect(duration: nil))
        #expect(world.answer(.resolved(token: 1, TopicID(index: 3), nil)) == ["0? forget 3"])
    }

    @Test("An id of another device's table means nothing [attack 114]")
    func ownTable() {
        var world = World()
        _ = world.connect("a", port: 1, slot: 0)
        _ = world.connect("b", port: 2, slot: 1)
        _ = world.register("t", topic: 5, port: 1, slot: 0)
        #expect(world.receive(.publish(SNPublish(.one, 1, msgID: 4)), from: 2) == ["2 PUBACK 1 m4 2"])
    }
}
