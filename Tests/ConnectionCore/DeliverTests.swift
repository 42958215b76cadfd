import Bytes
import Clockwork
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

@Suite struct DeliverTests {
    @Test("A delivery with everything it may carry, in MQTT 5 and before")
    func everything() throws {
        let delivery = TestDelivery(
            topic: "a/b", payload: "x", properties: ByteString([1, 1]), expiry: 60, qos: .exactlyOnce,
            packetIdentifier: 9, isDuplicate: true, retain: true, identifiers: [7])
        for version in versions {
            let world = ConnectionWorld()
            let slot = try world.client(version)
            world.deliver(slot, delivery)
            let properties = "messageExpiryInterval=60 subscriptionIdentifier=7 payloadFormatIndicator=1"
            let plain = "PUBLISH a/b x qos=2 id=9 dup retain"
            #expect(world.heard(slot) == [version == .v5 ? plain + " " + properties : plain])
        }
    }

    /// Deliveries in an order that puts each kind behind each other kind.
    static var deliveries: [TestDelivery] {
        var list: [TestDelivery] = []
        for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
            for retain in [false, true] {
                for expiry in [nil, 60, 59] as [UInt32?] {
                    for identifiers in [[], [1], [2], [1, 2], [3, 4], [268_435_455]] as [[UInt32]] {
                        for serial in [1, 2] as [UInt64] {
                            list.append(
                                TestDelivery(
                                    payload: serial == 1 ? "one" : "other", properties: ByteString([1, 1]),
                                    serial: serial, expiry: expiry, qos: qos,
                                    packetIdentifier: qos == .atMostOnce ? 0 : 7, isDuplicate: qos == .exactlyOnce,
                                    retain: retain, identifiers: identifiers))
                        }
                    }
                }
            }
        }
        return list
    }

    @Test("A message for many is the same bytes as one encoded for each alone")
    func fanOut() throws {
        let world = ConnectionWorld { $0.outputBytesMax = 16 << 20 }
        let slots = try versions.map { try world.client($0) }
        var expected: [[UInt8]] = [[], [], []]
        var identifier: UInt16 = 100
        for round in 0..<3 {
            for index in Self.deliveries.indices {
                var delivery = Self.deliveries[(index * (round == 1 ? 37 : 1)) % Self.deliveries.count]
                for (place, version) in versions.enumerated() {
                    identifier += 1
                    if delivery.qos != .atMostOnce { delivery.packetIdentifier = identifier }
                    world.deliver(slots[place], delivery)
                    expected[place] += delivery.encoded(version)
                }
            }
        }
        for (place, slot) in slots.enumerated() { #expect(world.pending(slot) == expected[place]) }
    }

    @Test("Deliveries of one message to many clients, of every length of header, get each its own identifier")
    func identifiers() throws {
        for size in [0, 1, 121, 122, 123, 124, 16_376, 16_377, 16_378, 16_379, 200_000] {
            let world = ConnectionWorld { $0.outputBytesMax = 16 << 20 }
            let payload = ByteString(Array(repeating: 0x78, count: size))
            for version in versions {
                let slot = try world.client(version)
                for identifier in [1, 0x1234, 0xFFFF] as [UInt16] {
                    let delivery = TestDelivery(payload: payload, qos: .atLeastOnce, packetIdentifier: identifier)
                    world.deliver(slot, delivery)
                    #expect(world.pending(slot) == delivery.encoded(version))
                    world.wrote(world.pending(slot).count, of: slot)
                }
            }
        }
    }

    @Test("A list of identifiers is encoded anew each time, since its place is used again")
    func listsAreNotConfused() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v5)
        world.deliver(slot, TestDelivery(identifiers: [1, 2]))
        world.deliver(slot, TestDelivery(identifiers: [8, 9, 10]))
        #expect(
            world.heard(slot) == [
                "PUBLISH a x qos=0 subscriptionIdentifier=1 subscriptionIdentifier=2",
                "PUBLISH a x qos=0 subscriptionIdentifier=8 subscriptionIdentifier=9 subscriptionIdentifier=10",
            ])
    }

    @Test("A packet longer than the client's Maximum Packet Size is given up: at it, one more, ten times")
    func packetSize() throws {
        // [MQTT-3.1.2-24] [MQTT-3.1.2-25] [attack 7]
        for qos in [QoS.atMostOnce, .atLeastOnce] {
            for (size, isSent) in [(100, true), (101, false), (1_000, false)] {
                let world = ConnectionWorld()
                let slot = try world.client(.v5, properties: "27 00000064")
                let header = (size < 130 ? 2 : 3) + 3 + (qos == .atMostOnce ? 0 : 2) + 1
                let delivery = TestDelivery(
                    payload: ByteString(Array(repeating: 0x78, count: size - header)), qos: qos,
                    packetIdentifier: qos == .atMostOnce ? 0 : 3)
                #expect(delivery.encoded(.v5).count == size)
                world.deliver(slot, delivery)
                #expect(world.pending(slot).count == (isSent ? size : 0))
                #expect(world.asked(slot) == (isSent ? [] : ["abandon \(delivery.packetIdentifier)"]))
                #expect(world.connections.counters.deliveriesTooLong == (isSent ? 0 : 1))
                #expect(!world.isClosing(slot))
            }
        }
    }

    @Test("An answer longer than the client's Maximum Packet Size is not sent either, and the connection ends")
    func answerSize() throws {
        // [MQTT-3.1.2-24] [MQTT-3.14.0-1] [attack 7]
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try connect(.v5, properties: "27 0000000f"))
        #expect(world.asked(slot).count == 2)
        #expect(world.pending(slot).isEmpty)
        #expect(world.isClosing(slot))
        let other = try world.client(.v5, properties: "27 00000020")
        let outcomes = Array(repeating: SubscriptionOutcome.granted(.atMostOnce, nil), count: 28)
        world.answer(other, .subscribed(packetIdentifier: 1, Array(outcomes.dropFirst())))
        #expect(world.heard(other).count == 1)
        world.answer(other, .subscribed(packetIdentifier: 2, outcomes))
        #expect(world.heard(other) == ["DISCONNECT packetTooLarge"])
        #expect(world.asked(other) == ["detach will"])
        let deaf = try world.open()
        world.feed(deaf, try connect(.v5, properties: "27 00000001"))
        #expect(world.pending(deaf).isEmpty)
        #expect(world.isClosing(deaf))
    }

    // MARK: Slow readers

    @Test("Deliveries rest when the output is full, and come again when half of it is read")
    func window() throws {
        let world = ConnectionWorld { $0.outputBytesMax = 100 }
        let slot = try world.client(.v3_1_1)
        let delivery = TestDelivery(payload: "0123456789")
        for _ in 0..<3 { world.deliver(slot, delivery) }
        #expect(!world.takesMuchOutput())
        for _ in 0..<3 { world.deliver(slot, delivery) }
        #expect(world.takesMuchOutput())
        #expect(world.pending(slot).count == 90)
        world.deliver(slot, TestDelivery(payload: "01234", serial: 2))
        #expect(world.pending(slot).count == 100)
        #expect(world.asked(slot).isEmpty)
        world.deliver(slot, delivery)
        #expect(world.asked(slot) == ["window closed"])
        world.deliver(slot, delivery)
        #expect(world.asked(slot).isEmpty)
        #expect(world.pending(slot).count == 130)
        world.wrote(79, of: slot)
        #expect(world.asked(slot).isEmpty)
        world.wrote(1, of: slot)
        #expect(world.asked(slot) == ["window open"])
        world.wrote(50, of: slot)
        #expect(world.asked(slot).isEmpty)
    }

    @Test("A connection on its way to the end opens no window")
    func windowOfClosing() throws {
        let world = ConnectionWorld { $0.outputBytesMax = 10 }
        let slot = try world.client(.v3_1_1)
        world.deliver(slot, TestDelivery(payload: "0123456789"))
        try world.feed(slot, "e0 00")
        #expect(world.asked(slot) == ["window closed", "detach"])
        world.wrote(world.pending(slot).count, of: slot)
        #expect(world.asked(slot).isEmpty)
    }

    @Test("A client that asks and does not read is ended: PINGREQ", arguments: versions)
    func pingsWithoutReading(version: ProtocolVersion) throws {
        let world = ConnectionWorld { limits in
            limits.outputBytesMax = 100
            limits.packetBytesMax = 200
        }
        let slot = try world.client(version)
        try world.feed(slot, "(c0 00)*300")
        #expect(world.pending(slot).count == 600)
        #expect(!world.isClosing(slot))
        try world.feed(slot, "(c0 00)*3000")
        #expect(world.pending(slot).count == 602)
        #expect(world.isClosing(slot))
        #expect(world.asked(slot) == ["detach will"])
        #expect(world.logged() == [.ended("p", .readsTooSlowly)])
        #expect(world.connections.counters.readsTooSlowly == 1)
    }

    @Test("A client that asks and does not read is ended: SUBSCRIBE and PUBLISH")
    func asksWithoutReading() throws {
        let world = ConnectionWorld { limits in
            limits.outputBytesMax = 100
            limits.packetBytesMax = 200
        }
        let slot = try world.client(.v5)
        for _ in 0..<1_000 { world.answer(slot, .acknowledge(Acknowledgement(.puback, 5))) }
        #expect(world.pending(slot).count == 604)
        #expect(world.isClosing(slot))
        #expect(world.logged() == [.ended("p", .readsTooSlowly)])
        #expect(world.connections.counters.readsTooSlowly == 1)
        #expect(world.connections.takeClosing() == [slot])
    }

    @Test("Connections with output are listed once, and again when there is more")
    func dirty() throws {
        let world = ConnectionWorld()
        let slots = try (0..<3).map { _ in try world.client(.v3_1_1) }
        var list: [Int] = []
        world.connections.takeDirty(into: &list)
        #expect(list == slots)
        for _ in 0..<3 { world.deliver(slots[1], TestDelivery()) }
        world.deliver(slots[0], TestDelivery())
        world.connections.takeDirty(into: &list)
        #expect(list == [slots[1], slots[0]])
        world.connections.takeDirty(into: &list)
        #expect(list.isEmpty)
    }
}
