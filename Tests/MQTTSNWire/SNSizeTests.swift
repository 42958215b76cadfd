import MQTTSNWire
import Testing

/// How long each message may be: Tables 6 to 28 of the standard, once more and by themselves.
@Suite struct SNSizeTests {
    @Test(
        "A message has the octets of its table: no fewer, no more unless its last field varies [SN-5.4] [attack 102]",
        arguments: SNMessageType.allCases)
    func sizes(type: SNMessageType) {
        guard type != .encapsulated else { return }
        let sizes = octets(type)
        for octets in 2...60 {
            // Flags 0x01: QoS 0, a predefined topic id. As text, 0x01 is good UTF-8.
            let body = [UInt8](repeating: 0x01, count: octets - 2)
            let error = decodeError([UInt8(octets), type.rawValue] + body)
            let inLongForm = decodeError([0x01, 0x00, UInt8(octets + 2), type.rawValue] + body)
            #expect((error == nil) == sizes.contains(octets), "\(octets) octets")
            #expect(inLongForm == error, "\(octets) octets behind three octets of Length [D-37]")
        }
    }

    /// The lengths in octets, counted in the one-octet form, that the message's table allows.
    private func octets(_ type: SNMessageType) -> Set<Int> {
        switch type {
        case .willTopicReq, .willMsgReq, .pingresp: [2]
        case .searchGW, .connack, .willTopicResp, .willMsgResp: [3]
        case .pubrec, .pubrel, .pubcomp, .unsuback: [4]
        case .disconnect: [2, 4]
        case .advertise: [5]
        case .regack, .puback: [7]
        case .suback: [8]
        // Predefined here, by the flags: Table 19, octets 5 and 6.
        case .subscribe, .unsubscribe: [7]
        case .willTopic, .willTopicUpd, .willMsg, .willMsgUpd, .pingreq: Set(2...60)
        case .gwInfo: Set(3...60)
        case .connect, .register: Set(6...60)
        case .publish: Set(7...60)
        case .encapsulated: []
        }
    }
}
