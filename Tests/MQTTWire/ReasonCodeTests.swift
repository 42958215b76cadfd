import MQTTWire
import Testing

@Suite struct ReasonCodeTests {
    /// MQTT 5.0 §2.4, table 2-6, transposed: the codes of each packet.
    static let table: [(PacketType, [UInt8])] = [
        (
            .connack,
            [
                0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
                0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
            ]
        ),
        (.puback, [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
        (.pubrec, [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
        (.pubrel, [0x00, 0x92]), (.pubcomp, [0x00, 0x92]),
        (.suback, [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]),
        (.unsuback, [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
        (
            .disconnect,
            [
                0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
                0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
            ]
        ),
        (.auth, [0x00, 0x18, 0x19]),
        (.connect, []), (.publish, []), (.subscribe, []), (.unsubscribe, []), (.pingreq, []), (.pingresp, []),
    ]

    @Test("Each packet has the codes of table 2-6 and no others", arguments: table)
    func codes(type: PacketType, codes: [UInt8]) {
        let found = (UInt8.min...UInt8.max).filter { ReasonCode(rawValue: $0)?.isValid(in: type) ?? false }
        #expect(found == codes)
    }

    @Test("A code of 0x80 or more is an error [§2.4]")
    func errors() {
        for code in (UInt8.min...UInt8.max).compactMap(ReasonCode.init(rawValue:)) {
            #expect(code.isError == (code.rawValue >= 0x80))
        }
    }

    @Test("MQTT 3 codes survive the way to MQTT 5 and back", arguments: UInt8(0)...5)
    func returnCodes(raw: UInt8) throws {
        let code = try #require(ConnectReturnCode(rawValue: raw))
        #expect(ConnectReturnCode(code.reasonCode) == code)
        #expect(code.reasonCode.isValid(in: .connack))
    }

    @Test("Every refusal of MQTT 5 is a refusal in MQTT 3")
    func refusals() {
        for code in (UInt8.min...UInt8.max).compactMap(ReasonCode.init(rawValue:)) where code.isError {
            #expect(ConnectReturnCode(code) != .accepted)
        }
        #expect(ConnectReturnCode(.banned) == .notAuthorized)
        #expect(ConnectReturnCode(.serverBusy) == .serverUnavailable)
    }

    @Test("Decoding errors tell the peer what the standard and the attack cases ask for [§4.13]")
    func errorCodes() {
        let expected: [(MQTTDecodeError, UInt8)] = [
            (.malformedVarint, 0x81), (.packetTooLarge, 0x95), (.reservedPacketType, 0x82), (.reservedFlags, 0x81),
            (.truncated, 0x81), (.trailingBytes, 0x81), (.invalidUTF8, 0x81), (.unsupportedProtocolVersion, 0x84),
            (.unknownProtocolName, 0x84), (.duplicateProperty, 0x82), (.misplacedProperty, 0x81),
            (.invalidPropertyValue, 0x82), (.zeroTopicAlias, 0x94), (.tooManyUserProperties, 0x97),
            (.emptyTopicName, 0x82), (.wildcardInResponseTopic, 0x82), (.emptyFilterList, 0x82),
            (.tooManyFilters, 0x97),
        ]
        for (error, code) in expected { #expect(ReasonCode(error).rawValue == code) }
    }

    @Test("The names of 0x00 are one value")
    func aliases() {
        #expect(ReasonCode.normalDisconnection == .success)
        #expect(ReasonCode.grantedQoS0 == .success)
    }
}
