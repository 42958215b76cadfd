import Bytes
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

@Suite struct OutgoingAliasTests {
    // MARK: The table

    private func place(_ aliases: inout OutgoingAliases, _ topic: UInt32, _ name: ByteString) -> OutgoingAliases.Place {
        name.withView { view in
            let place = aliases.place(of: TopicID(index: topic), view)
            if case .free(let alias) = place { aliases.assign(alias, TopicID(index: topic), view) }
            return place
        }
    }

    @Test("Topics get aliases from 1 to the maximum, and none above it [MQTT-3.1.2-26]")
    func maximum() {
        var aliases = OutgoingAliases(countMax: 2)
        #expect(place(&aliases, 1, "one/topic") == .free(1))
        #expect(place(&aliases, 2, "two/topic") == .free(2))
        #expect(place(&aliases, 3, "three") == .none)
        #expect(place(&aliases, 1, "one/topic") == .known(1))
        #expect(place(&aliases, 2, "two/topic") == .known(2))
    }

    @Test("A maximum of 0 gives none [MQTT-3.1.2-27], and a name that is no longer than an alias needs none")
    func none() {
        var nothing = OutgoingAliases()
        #expect(place(&nothing, 1, "one/topic") == .none)
        var aliases = OutgoingAliases(countMax: 5)
        #expect(place(&aliases, 1, "abc") == .none)
        #expect(place(&aliases, 2, "abcd") == .free(1))
    }

    @Test("A topic's number that is given to another name does not bring the old alias back")
    func reusedTopicID() {
        var aliases = OutgoingAliases(countMax: 4)
        #expect(place(&aliases, 7, "first/name") == .free(1))
        #expect(place(&aliases, 7, "other/name") == .free(2))
        #expect(place(&aliases, 7, "first/name") == .known(1))
        #expect(place(&aliases, 7, "other/name") == .known(2))
    }

    @Test("One topic more than there are aliases, over and over, loses one message in so many and no more")
    func cyclic() {
        var aliases = OutgoingAliases(countMax: 16)
        for topic in 0..<16 { _ = place(&aliases, UInt32(topic), ByteString("name/\(topic)")) }
        var known = 0
        for _ in 0..<100 {
            for topic in 0..<17 {
                if case .known = place(&aliases, UInt32(topic), ByteString("name/\(topic)")) { known += 1 }
            }
        }
        #expect(known == 1_600)
    }

    @Test("Topics that have gone quiet give their aliases to those that are heard")
    func replacement() {
        var aliases = OutgoingAliases(countMax: 4)
        for _ in 0..<10 { for topic in 0..<4 { _ = place(&aliases, UInt32(topic), ByteString("old/\(topic)")) } }
        var known = 0
        for _ in 0..<20 {
            for topic in 4..<8 {
                if case .known = place(&aliases, UInt32(topic), ByteString("new/\(topic)")) { known += 1 }
            }
        }
        #expect(known >= 4 * 14)
    }

    // MARK: On the wire

    private func client(_ maximum: String, _ more: String = "", brokerMax: UInt16 = 16) throws -> (ConnectionWorld, Int)
    {
        let world = ConnectionWorld { limits in
            var listener = ConnectionLimits.Listener()
            listener.outgoingAliasMax = brokerMax
            limits.listeners = [listener]
        }
        return (world, try world.client(.v5, properties: maximum + more))
    }

    @Test("The first PUBLISH to a topic has its name and its alias, the next ones the alias alone")
    func introduced() throws {
        let (world, slot) = try client("22 0002")
        let topics: [ByteString] = ["long/name", "long/name", "other/name", "third/name", "long/name"]
        for (serial, topic) in topics.enumerated() {
            world.deliver(slot, TestDelivery(topic: topic, serial: UInt64(serial)))
        }
        #expect(
            world.heard(slot) == [
                "PUBLISH long/name x qos=0 topicAlias=1", "PUBLISH '' x qos=0 topicAlias=1",
                "PUBLISH other/name x qos=0 topicAlias=2", "PUBLISH third/name x qos=0",
                "PUBLISH '' x qos=0 topicAlias=1",
            ])
    }

    @Test("No client without Topic Alias Maximum, or with 0, gets an alias [MQTT-3.1.2-27]")
    func withoutMaximum() throws {
        for (properties, brokerMax) in [("", 16), ("22 0000", 16), ("22 ffff", 0)] {
            let (world, slot) = try client(properties, brokerMax: UInt16(brokerMax))
            for _ in 0..<3 { world.deliver(slot, TestDelivery(topic: "long/name")) }
            #expect(world.heard(slot) == Array(repeating: "PUBLISH long/name x qos=0", count: 3))
        }
    }

    @Test("The operator's maximum holds below the client's, and a new connection begins anew [MQTT-3.3.2-7]")
    func operatorMaximum() throws {
        let (world, slot) = try client("22 ffff", brokerMax: 1)
        world.deliver(slot, TestDelivery(topic: "long/name"))
        world.deliver(slot, TestDelivery(topic: "other/name", serial: 2))
        #expect(
            world.heard(slot) == ["PUBLISH long/name x qos=0 topicAlias=1", "PUBLISH other/name x qos=0"])
        world.end(slot)
        let again = try world.client(.v5, properties: "22 0001")
        world.deliver(again, TestDelivery(topic: "long/name"))
        #expect(world.heard(again) == ["PUBLISH long/name x qos=0 topicAlias=1"])
    }

    @Test("A message for many, some with aliases, is the same bytes as one encoded for each alone")
    func fanOut() throws {
        let world = ConnectionWorld { $0.outputBytesMax = 16 << 20 }
        let plain = try world.client(.v5)
        let few = try world.client(.v5, properties: "22 0001")
        let many = try world.client(.v5, properties: "22 0010")
        var identifier: UInt16 = 100
        for size in [0, 1, 110, 121, 122, 123, 124, 16_370, 16_377, 16_379] {
            for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
                for topic in ["first/name", "second/name"] as [ByteString] {
                    identifier += 1
                    let delivery = TestDelivery(
                        topic: topic, payload: ByteString(Array(repeating: 0x78, count: size)),
                        properties: ByteString([1, 1]), serial: UInt64(identifier), expiry: 60, qos: qos,
                        packetIdentifier: qos == .atMostOnce ? 0 : identifier, identifiers: [268_435_455])
                    for slot in [plain, few, many, many] { world.deliver(slot, delivery) }
                    let words = try #require(world.heard(plain).first)
                    // But for topic and alias, all of them heard the same.
                    let essence = words.replacing("PUBLISH \(topic) ", with: "")
                    for slot in [few, many] {
                        for heard in world.heard(slot) {
                            let parts = heard.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
                            let rest = parts[2].replacing(#/ topicAlias=[12]/#, with: "")
                            #expect(rest == essence)
                        }
                    }
                }
            }
        }
    }

    @Test("Maximum Packet Size bounds what is really sent: with an alias where it fits, without it where not")
    func packetSize() throws {
        // [MQTT-3.1.2-24] The packet is 2 + 2 + 9 + 1 + payload bytes, 3 more with an alias, 6 fewer with it alone.
        let (world, slot) = try client("22 0001 27 00000032")
        func delivery(_ bytes: Int) -> TestDelivery {
            TestDelivery(
                topic: "long/name", payload: ByteString(Array(repeating: 0x78, count: bytes)), serial: UInt64(bytes))
        }
        world.deliver(slot, delivery(36))
        #expect(world.pending(slot).count == 50)
        #expect(world.heard(slot).first?.contains("topicAlias") == false)
        world.deliver(slot, delivery(33))
        #expect(world.pending(slot).count == 50)
        #expect(world.heard(slot).first?.hasSuffix("topicAlias=1") == true)
        world.deliver(slot, delivery(42))
        #expect(world.pending(slot).count == 50)
        #expect(world.heard(slot).first?.hasSuffix("topicAlias=1") == true)
        #expect(world.asked(slot).isEmpty)
        world.deliver(slot, delivery(43))
        #expect(world.pending(slot).isEmpty)
        #expect(world.asked(slot) == ["abandon 0"])
        #expect(world.connections.counters.deliveriesTooLong == 1)
    }
}
