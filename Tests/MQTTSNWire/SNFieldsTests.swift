import Bytes
import MQTTSNWire
import Messaging
import Testing

@Suite struct SNFieldsTests {
    @Test("Each bit of Flags in PUBLISH means what Table 4 says, and Will and CleanSession nothing [SN-5.3.4]")
    func publishFlags() {
        for octet in 0...UInt8.max {
            withDecoded([0x07, 0x0C, octet, 0x61, 0x62, 0x00, 0x00]) { result in
                guard case .success(.publish(let publish)) = result else {
                    Issue.record("flags \(octet)")
                    return
                }
                #expect(publish.dup == (octet & 0x80 != 0))
                #expect(publish.qos.rawValue == octet >> 5 & 0b11)
                #expect(publish.retain == (octet & 0x10 != 0))
                #expect(publish.topicIDType.rawValue == octet & 0b11)
                #expect(encoded(.publish(publish))?[2] == octet & 0b1111_0011)
            }
        }
    }

    @Test("Will and CleanSession are what CONNECT reads of Flags [SN-5.4.4]")
    func connectFlags() {
        for octet in 0...UInt8.max {
            withDecoded([0x07, 0x04, octet, 0x01, 0x00, 0x3C, 0x61]) { result in
                guard case .success(.connect(let connect)) = result else {
                    Issue.record("flags \(octet)")
                    return
                }
                #expect(connect.will == (octet & 0x08 != 0))
                #expect(connect.cleanSession == (octet & 0x04 != 0))
                #expect(encoded(.connect(connect))?[2] == octet & 0b0000_1100)
            }
        }
    }

    @Test("QoS -1 enters the broker at QoS 0; the others keep their level [SN-6.8]")
    func quality() {
        #expect(SNQoS.minusOne.quality == .atMostOnce)
        for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] { #expect(SNQoS(qos).quality == qos) }
    }

    @Test("A short topic name follows the rules of every topic name [SN-6.7]")
    func shortNames() {
        for value in 0...UInt16.max {
            let name = [UInt8(value >> 8), UInt8(value & 0xFF)]
            let isAllowed = name.withUnsafeBytes { ByteView($0).isMQTTString }
            #expect((decodeError([0x07, 0x12, 0x02, 0x00, 0x01] + name) == nil) == isAllowed)
        }
    }
}
