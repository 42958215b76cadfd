import MQTTSNWire
import Testing

@Suite struct SNMessageTypeTests {
    @Test("Table 3 assigns 28 values and reserves the others [SN-5.2.2]")
    func values() {
        let reserved: Set<UInt8> = Set([0x03, 0x11, 0x19, 0xFF] + Array(0x1E...0xFD))
        for value in 0...UInt8.max {
            #expect((SNMessageType(rawValue: value) == nil) == reserved.contains(value), "\(value)")
        }
        #expect(SNMessageType.allCases.count == 28)
    }

    @Test("A reserved MsgType is an error whatever follows [SN-5.2.2] [attack 103]", arguments: 0...UInt8.max)
    func reserved(value: UInt8) {
        guard SNMessageType(rawValue: value) == nil else { return }
        #expect(decodeError([0x02, value]) == .reservedMessageType)
        #expect(decodeError([0x05, value, 0x00, 0x00, 0x00]) == .reservedMessageType)
        #expect(decodeError([0x01, 0x00, 0x04, value]) == .reservedMessageType)
    }

    @Test("Each type goes the ways that §5.4 names", arguments: SNMessageType.allCases)
    func direction(type: SNMessageType) {
        let fromClientOnly: Set<SNMessageType> = [
            .searchGW, .connect, .willTopic, .willMsg, .subscribe, .unsubscribe, .willTopicUpd, .willMsgUpd,
        ]
        let fromGatewayOnly: Set<SNMessageType> = [
            .advertise, .connack, .willTopicReq, .willMsgReq, .suback, .unsuback, .willTopicResp, .willMsgResp,
        ]
        #expect(type.isFromGateway == !fromClientOnly.contains(type))
        #expect(type.isFromClient == !fromGatewayOnly.contains(type))
        let packet = SNPacketGenerator(seed: 1).packet(type)
        #expect(packet.isFromClient == type.isFromClient)
        #expect(packet.isFromGateway == type.isFromGateway)
    }
}
