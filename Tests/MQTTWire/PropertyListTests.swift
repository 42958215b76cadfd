import Bytes
import MQTTWire
import Testing

@Suite struct PropertyListTests {
    let arena = Arena()

    @Test("There are 27 properties, each in some packet, user properties in all of them [table 2-4]")
    func table() {
        #expect(PropertyID.allCases.count == 27)
        for id in PropertyID.allCases {
            #expect(!id.row.packets.isEmpty)
            #expect((id.row.type == .stringPair) == (id == .userProperty))
        }
        #expect(PropertyID.userProperty.row.packets == .all)
    }

    @Test("Every property in every packet: taken where table 2-4 has it, refused elsewhere [attack 22]")
    func placement() {
        let packets: [PropertyPackets] = [
            .will, .connect, .connack, .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .suback,
            .unsubscribe, .unsuback, .disconnect, .auth,
        ]
        for id in PropertyID.allCases {
            let section = arena.properties { $0.append(property: id, value: legalValue(of: id)) }
            for packet in packets {
                let error = failure { () throws(MQTTDecodeError) in
                    try PropertyList(validating: section.raw, in: packet)
                }
                #expect(error == (id.row.packets.contains(packet) ? nil : .misplacedProperty), "\(id) \(packet)")
            }
        }
    }

    @Test("A property is found by its name and type, and only by them")
    func getters() {
        let list = arena.properties {
            $0.append(property: .receiveMaximum, uint16: 20)
            $0.append(property: .sessionExpiryInterval, uint32: .max)
            $0.append(property: .requestProblemInformation, byte: 1)
            $0.append(property: .authenticationMethod, string: "SCRAM")
            $0.append(property: .subscriptionIdentifier, variableByteInteger: 268_435_455)
        }
        #expect(list.uint16(.receiveMaximum) == 20)
        #expect(list.uint32(.sessionExpiryInterval) == .max)
        #expect(list.byte(.requestProblemInformation) == 1)
        #expect(list.view(.authenticationMethod) == arena.keep("SCRAM"))
        #expect(list.uint32(.subscriptionIdentifier) == 268_435_455)
        #expect(list.uint16(.topicAliasMaximum) == nil)
        #expect(list.uint32(.receiveMaximum) == nil)
        #expect(list.byte(.receiveMaximum) == nil)
        #expect(list.view(.receiveMaximum) == nil)
        #expect(PropertyList()[.receiveMaximum] == nil)
    }

    @Test("User properties come in their order, the same name twice [MQTT-3.3.2-18]")
    func userProperties() {
        let list = arena.properties {
            $0.appendUserProperty(name: arena.keep("b"), value: arena.keep("1"))
            $0.append(property: .contentType, string: "text")
            $0.appendUserProperty(name: arena.keep("a"), value: arena.keep("2"))
            $0.appendUserProperty(name: arena.keep("b"), value: arena.keep(""))
        }
        var pairs: [String] = []
        list.forEachUserProperty { name, value in pairs.append(name.escaped + "=" + value.escaped) }
        #expect(pairs == ["b=1", "a=2", "b="])
        #expect(list.map(\.id) == [.userProperty, .contentType, .userProperty, .userProperty])
    }

    @Test("User properties stop at the limit of pairs: at it, one more, ten times [attack 24]")
    func pairLimit() {
        for (count, error) in [(3, nil), (4, MQTTDecodeError.tooManyUserProperties), (30, .tooManyUserProperties)] {
            let list = arena.properties {
                for _ in 0..<count { $0.appendUserProperty(name: arena.keep("k"), value: arena.keep("v")) }
            }
            let found = failure { () throws(MQTTDecodeError) in
                try PropertyList(
                    validating: list.raw, in: .auth, limits: DecodeLimits(userPropertiesMax: 3))
            }
            #expect(found == error)
        }
    }

    @Test("User properties stop at the limit of bytes: at it, one more, ten times [attack 24]")
    func byteLimit() {
        for (bytes, error) in [(95, nil), (96, MQTTDecodeError.tooManyUserProperties), (995, .tooManyUserProperties)] {
            let list = arena.properties {
                $0.appendUserProperty(name: .empty, value: arena.keep(String(repeating: "v", count: bytes)))
            }
            let found = failure { () throws(MQTTDecodeError) in
                try PropertyList(
                    validating: list.raw, in: .will, limits: DecodeLimits(userPropertyBytesMax: 100))
            }
            #expect(found == error)
        }
    }

    @Test("A list over bytes that are no properties ends; it does not trap")
    func garbage() {
        for byte in UInt8.min...UInt8.max {
            let list = PropertyList(raw: arena.keep([byte, 0xFF, 0x00]))
            #expect(Array(list).count <= 3)
        }
    }

    private func legalValue(of id: PropertyID) -> PropertyValue {
        switch id.row.type {
        case .byte: .byte(1)
        case .twoByteInteger: .uint16(1)
        case .fourByteInteger: .uint32(1)
        case .variableByteInteger: .variableByteInteger(1)
        case .string, .binary: .view(arena.keep("x"))
        case .stringPair: .pair(name: arena.keep("k"), value: arena.keep("v"))
        }
    }
}
