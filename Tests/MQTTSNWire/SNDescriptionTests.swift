import Bytes
import MQTTSNWire
import Testing

/// Lines for the log. That each message's fields are right, the vectors check.
@Suite struct SNDescriptionTests {
    @Test("PUBLISH shows its fields and the length of its data, never the data")
    func publish() {
        ByteString("abc").withView { data in
            let packet = SNPacket.publish(
                SNPublish(dup: true, qos: .one, retain: true, topicIDType: .normal, topicID: 1, msgID: 7, data: data))
            #expect(packet.description == "PUBLISH qos=1 dup retain type=normal topicID=0x0001 msgID=7 data=3 bytes")
        }
    }

    @Test("No byte of a peer's reaches the log unescaped [attack 20]", arguments: SNMessageType.allCases)
    func escaped(type: SNMessageType) {
        for seed in 0..<50 as Range<UInt64> {
            let generator = SNPacketGenerator(seed: seed)
            withExtendedLifetime(generator) {
                let line = generator.packet(type).description
                #expect(line.utf8.allSatisfy { (0x20...0x7E).contains($0) })
            }
        }
    }

    @Test("A name is shown up to 128 bytes, a longer one with its length [attack 105]", arguments: [128, 129, 1290])
    func longNames(count: Int) {
        ByteString([UInt8](repeating: 0x61, count: count)).withView { clientID in
            let shown = "'" + String(repeating: "a", count: 128) + "'"
            let expected = count == 128 ? shown : "\(shown) (\(count) bytes)"
            #expect(SNPacket.pingreq(clientID: clientID).description == "PINGREQ clientID=" + expected)
        }
    }
}
