import Bytes
import MQTTSNWire
import Testing

/// The limits of encoding: what fits into one octet of Length, into three, and into none (§5.2.1, §5.5).
@Suite struct SNEncodeTests {
    private let zeroes = ByteString([UInt8](repeating: 0, count: 655_360))

    @Test(
        "Length has one octet up to 255 octets and three up to 65,535 [SN-5.2.1]",
        arguments: [
            (0, 2), (1, 3), (252, 254), (253, 255), (254, 258), (255, 259), (65_530, 65_534), (65_531, 65_535),
        ])
    func lengths(dataBytes: Int, octets: Int) {
        zeroes.withView { zeroes in
            let packet = SNPacket.willMsg(zeroes[0..<dataBytes])
            #expect(packet.encodedByteCount == octets)
            #expect(encoded(packet)?.count == octets)
        }
    }

    @Test("A message longer than 65,535 octets is refused and writes nothing", arguments: [65_532, 65_536, 655_320])
    func tooLong(dataBytes: Int) {
        zeroes.withView { zeroes in
            let packet = SNPacket.willMsg(zeroes[0..<dataBytes])
            #expect(packet.encodedByteCount == dataBytes + 4)
            #expect(encoded(packet) == nil)
        }
    }

    @Test("PUBLISH from its pieces is PUBLISH from a packet", arguments: [0, 1, 248, 249, 65_526, 65_527, 655_260])
    func publishFromPieces(dataBytes: Int) {
        zeroes.withView { zeroes in
            let data = zeroes[0..<dataBytes]
            let pieces = collected {
                SNPublish.encode(
                    dup: true, qos: .one, retain: true, topicIDType: .predefined, topicID: 0x0102, msgID: 0x0304,
                    data: data, into: &$0)
            }
            let publish = SNPublish(
                dup: true, qos: .one, retain: true, topicIDType: .predefined, topicID: 0x0102, msgID: 0x0304,
                data: data)
            #expect(pieces == encoded(.publish(publish)))
            #expect((pieces != nil) == (dataBytes <= 65_526))
            if dataBytes <= 248 { #expect(pieces?.count == SNPublish.overheadOctets + dataBytes) }
        }
    }

    @Test("MsgId is sent as 0x0000 at QoS 0 and -1 [SN-5.4.12]", arguments: [SNQoS.zero, .one, .two, .minusOne])
    func messageIDs(qos: SNQoS) {
        let publish = SNPublish(qos: qos, topicIDType: .normal, topicID: 1, msgID: 0x0304, data: .empty)
        let sent: [UInt8] = qos == .one || qos == .two ? [0x03, 0x04] : [0x00, 0x00]
        #expect(encoded(.publish(publish))?.suffix(2) == sent[...])
    }

    @Test("A node id has 1 to 252 bytes [SN-5.5]", arguments: [0, 1, 252, 253, 2520])
    func nodeIDs(nodeIDBytes: Int) {
        zeroes.withView { zeroes in
            let packet = SNPacket.encapsulated(
                radius: 0, wirelessNodeID: zeroes[0..<nodeIDBytes], message: zeroes[0..<2])
            let isAllowed = nodeIDBytes == 1 || nodeIDBytes == 252
            #expect(encoded(packet)?.count == (isAllowed ? nodeIDBytes + 5 : nil))
            let header = collected {
                SNEncapsulation.encodeHeader(radius: 0, wirelessNodeID: zeroes[0..<nodeIDBytes], into: &$0)
            }
            #expect(header?.count == (isAllowed ? nodeIDBytes + 3 : nil))
        }
    }

    @Test(
        "An encapsulation needs a message, and one that a datagram can carry [SN-5.5]",
        arguments: [
            (0, false), (1, true), (65_531, true), (65_532, false), (655_310, false),
        ])
    func encapsulatedMessages(messageBytes: Int, isAllowed: Bool) {
        zeroes.withView { zeroes in
            let packet = SNPacket.encapsulated(
                radius: 0, wirelessNodeID: zeroes[0..<1], message: zeroes[0..<messageBytes])
            #expect(encoded(packet)?.count == (isAllowed ? messageBytes + 4 : nil))
        }
    }

    @Test("Of the radius, the two bits of Table 29 are sent [SN-5.5]")
    func radius() {
        zeroes.withView { zeroes in
            let packet = SNPacket.encapsulated(radius: 0xFE, wirelessNodeID: zeroes[0..<1], message: zeroes[0..<1])
            #expect(encoded(packet) == [0x04, 0xFE, 0x02, 0x00, 0x00])
        }
    }

    @Test("One hundred encapsulations open one at a time, and the codec opens no more [attack 118]")
    func nested() throws {
        var bytes: [UInt8] = Array(repeatElement([0x04, 0xFE, 0x00, 0x61], count: 100).joined()) + [0x02, 0x16]
        for _ in 0..<100 {
            bytes = try withDecoded(bytes) { result in
                guard case .encapsulated(_, _, let message) = try result.get() else { return [] }
                return Array(message.memory)
            }
        }
        withDecoded(bytes) { #expect($0 == .success(.pingreq(clientID: .empty))) }
    }
}
