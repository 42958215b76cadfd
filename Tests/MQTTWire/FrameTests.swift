import Bytes
import MQTTWire
import Testing

@Suite struct FrameTests {
    @Test("Every flag nibble of every type: the reserved one passes, the others are refused [MQTT-2.1.3-1]")
    func flags() throws {
        for first in UInt8(0x10)...0xFF {
            let type = try #require(PacketType(rawValue: first >> 4))
            let flags = first & 0x0F
            let error = withView([first, 0x00]) { view in
                failure { () throws(MQTTDecodeError) in try MQTTFrame.next(in: view, maximumPacketSize: 100) }
            }
            switch type {
            case .publish: #expect(error == nil)
            // MQTT 3.1 marks repeated packets of these types DUP; the later versions refuse that at decoding.
            case .pubrel, .subscribe, .unsubscribe:
                #expect(error == (flags == 0b0010 || flags == 0b1010 ? nil : .reservedFlags))
            default: #expect(error == (flags == 0 ? nil : .reservedFlags))
            }
        }
    }

    @Test("The first byte alone is enough to refuse a type or its flags", arguments: [0x00, 0x0F, 0x11, 0x60, 0xF1])
    func refusedAtOnce(first: UInt8) {
        let error = withView([first]) { view in
            failure { () throws(MQTTDecodeError) in try MQTTFrame.next(in: view, maximumPacketSize: 100) }
        }
        #expect(error == (first < 0x10 ? .reservedPacketType : .reservedFlags))
    }

    @Test("The maximum packet size counts the whole packet: at the limit, one more, ten times [MQTT-3.1.2-24]")
    func maximum() throws {
        for (remaining, error) in [(98, nil), (99, MQTTDecodeError.packetTooLarge), (998, .packetTooLarge)] {
            var header = written { $0.append(UInt8(0x30)) }
            header += written { $0.append(variableByteInteger: remaining) }
            let found = withView(header) { view in
                failure { () throws(MQTTDecodeError) in try MQTTFrame.next(in: view, maximumPacketSize: 100) }
            }
            #expect(found == error)
        }
    }

    @Test("A Remaining Length that goes on behind four bytes is refused at the fourth [MQTT-1.5.5-1]")
    func longLength() {
        let bytes: [UInt8] = [0x30, 0xFF, 0xFF, 0xFF, 0xFF]
        for count in 1...4 {
            #expect(withView(Array(bytes.prefix(count))) { error(in: $0) } == nil)
        }
        #expect(withView(bytes) { error(in: $0) } == .malformedVarint)
    }

    @Test("The largest Remaining Length is understood")
    func largest() throws {
        try withView([0x30, 0xFF, 0xFF, 0xFF, 0x7F]) { view in
            let count = try MQTTFrame.expectedByteCount(of: view, maximumPacketSize: .max)
            #expect(count == 268_435_460)
        }
    }

    @Test("A frame tells how many bytes it took, and shows its body")
    func parts() throws {
        try withView([0x32, 0x05, 0x00, 0x01, 0x61, 0x00, 0x07, 0xC0]) { view in
            let frame = try #require(try MQTTFrame.next(in: view, maximumPacketSize: 100))
            #expect(frame == MQTTFrame(type: .publish, flags: 2, body: view[2..<7], byteCount: 7))
        }
    }

    @Test("No bytes are no packet yet")
    func nothing() throws {
        #expect(try MQTTFrame.next(in: .empty, maximumPacketSize: 100) == nil)
        #expect(try MQTTFrame.expectedByteCount(of: .empty, maximumPacketSize: 100) == nil)
    }

    @Test("Another type's frame is refused by a packet's own decoder, whatever its flags")
    func wrongType() {
        let frame = MQTTFrame(type: .pingreq, flags: 0, body: .empty, byteCount: 2)
        #expect(failure { () throws(MQTTDecodeError) in try ConnectPacket.decode(frame) } == .unexpectedPacketType)
        #expect(
            failure { () throws(MQTTDecodeError) in try PublishPacket.decode(frame, version: .v5) }
                == .unexpectedPacketType)
        #expect(
            failure { () throws(MQTTDecodeError) in try AckPacket.decode(frame, version: .v5) }
                == .unexpectedPacketType)
        #expect(
            failure { () throws(MQTTDecodeError) in try SubscribePacket.decode(frame, version: .v5) }
                == .unexpectedPacketType)
    }

    private func error(in view: ByteView) -> MQTTDecodeError? {
        failure { () throws(MQTTDecodeError) in try MQTTFrame.next(in: view, maximumPacketSize: .max) }
    }
}
