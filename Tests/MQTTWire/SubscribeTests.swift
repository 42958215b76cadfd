import Bytes
import MQTTWire
import Messaging
import Testing

@Suite struct SubscribeTests {
    let arena = Arena()

    @Test("Every options byte: what it means in MQTT 5, or why it is refused [§3.8.3.1] [MQTT-3.8.3-5]")
    func optionsOfFive() throws {
        for byte in UInt8.min...UInt8.max {
            let error = failure { () throws(MQTTDecodeError) in try SubscriptionOptions(byte: byte, version: .v5) }
            if byte & 0xC0 != 0 {
                #expect(error == .reservedBits)
            } else if byte & 0b11 == 3 || byte >> 4 == 3 {
                #expect(error == .invalidSubscriptionOptions)
            } else {
                let options = try SubscriptionOptions(byte: byte, version: .v5)
                #expect(options.byte(version: .v5) == byte)
                #expect(options.maximumQoS.rawValue == byte & 0b11)
                #expect(options.noLocal == (byte & 0b100 != 0))
                #expect(options.retainAsPublished == (byte & 0b1000 != 0))
                #expect(options.retainHandling.rawValue == byte >> 4)
            }
        }
    }

    @Test("Before MQTT 5 the byte holds the QoS alone", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func optionsOfThree(version: ProtocolVersion) throws {
        for byte in UInt8.min...UInt8.max {
            let error = failure { () throws(MQTTDecodeError) in try SubscriptionOptions(byte: byte, version: version) }
            #expect(error == (byte > 3 ? .reservedBits : byte == 3 ? .invalidSubscriptionOptions : nil))
        }
        let rich = SubscriptionOptions(maximumQoS: .exactlyOnce, noLocal: true, retainHandling: .doNotSend)
        #expect(rich.byte(version: version) == 2)
    }

    @Test("A list of filters may have a limit: what comes behind the last one that may be is not looked at [attack 60]")
    func filtersMax() {
        // Behind two filters stands what is none.
        let subscribe = arena.keep([0, 1, 0x61, 0, 0, 1, 0x62, 0, 0xFF])
        let unsubscribe = arena.keep([0, 1, 0x61, 0, 1, 0x62, 0xFF])
        for (countMax, error) in [(1, MQTTDecodeError.tooManyFilters), (2, .tooManyFilters), (3, .truncated)] {
            #expect(
                failure { () throws(MQTTDecodeError) in
                    try SubscriptionFilters(validating: subscribe, version: .v5, countMax: countMax)
                } == error)
            #expect(
                failure { () throws(MQTTDecodeError) in
                    try UnsubscriptionFilters(validating: unsubscribe, countMax: countMax)
                } == error)
        }
    }

    @Test("Filters are counted and come in their order with their options")
    func filters() throws {
        let raw = arena.keep(
            written {
                $0.append(
                    filter: arena.keep("a/+"), options: SubscriptionOptions(maximumQoS: .atLeastOnce), version: .v5)
                $0.append(
                    filter: arena.keep("b"), options: SubscriptionOptions(maximumQoS: .atMostOnce, noLocal: true),
                    version: .v5)
            })
        let filters = try SubscriptionFilters(validating: raw, version: .v5)
        #expect(filters.count == 2)
        #expect(filters == SubscriptionFilters(raw: raw, count: 2))
        #expect(filters.map { $0.filter.escaped } == ["a/+", "b"])
        #expect(filters.map(\.options.noLocal) == [false, true])
    }

    @Test("5,000 filters in one packet are read in one pass [attack 60]")
    func many() throws {
        let filter = arena.keep("t")
        let options = SubscriptionOptions(maximumQoS: .atMostOnce)
        let raw = arena.keep(
            written {
                for _ in 0..<5000 { $0.append(filter: filter, options: options, version: .v5) }
            })
        let filters = try SubscriptionFilters(validating: raw, version: .v5)
        #expect(filters.count == 5000)
        #expect(filters.reduce(0) { sum, _ in sum + 1 } == 5000)
    }

    @Test("Before MQTT 5 each failure is written 0x80", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func subackOfThree(version: ProtocolVersion) {
        let codes = ReasonCodes(raw: arena.keep([0x00, 0x01, 0x02, 0x87, 0x97, 0x80]))
        let packet = MQTTPacket.suback(SubackPacket(packetIdentifier: 1, reasonCodes: codes))
        #expect(encoded(packet, version) == [0x90, 0x08, 0x00, 0x01, 0x00, 0x01, 0x02, 0x80, 0x80, 0x80])
    }
}
