import Bytes
import Testing

@testable import WebSocket

@Suite struct FrameDecoderTests {
    @Test("Bytes of a message come out unmasked, for each length and every alignment of the mask")
    func lengths() {
        for count in [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 125, 126, 127, 128, 65_535, 65_536, 70_001] {
            let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let session = Session.open()
            session.feed(Client.frame(2, payload))
            #expect(session.received == payload)
            let pieces = Session.open()
            pieces.feed(Client.frame(2, payload), by: 13)
            #expect(pieces.received == payload)
            #expect(session.layer.end == nil)
        }
    }

    @Test("Packets split over frames, and many packets in one frame [attack 93] [MQTT-6.0.0-2] [MQTT311-6.0.0-2]")
    func packetsAndFrames() {
        let split = Session.open()
        split.feed(
            Client.frame(2, [0xC0], isFinal: false) + Client.frame(0, [0x00, 0xC0], isFinal: false)
                + Client.frame(0, [], isFinal: false) + Client.frame(0, [0x00]) + Client.frame(2, [0xC0])
                + Client.frame(2, [0x00]))
        #expect(split.received == [0xC0, 0, 0xC0, 0, 0xC0, 0])
        let many = Session.open()
        many.feed(Client.frame(2, Array(repeating: [0xC0, 0], count: 500).flatMap { $0 }))
        #expect(many.received.count == 1_000)
        #expect(many.layer.end == nil)
    }

    static let faults: [(WebSocketFault, [UInt8])] = [
        (.unmasked, [0x82, 0x01, 0x00]),
        (.unmasked, [0x88, 0x00]),
        (.reservedBits, [0xC2, 0x80, 0, 0, 0, 0]),
        (.reservedBits, [0xA2, 0x80, 0, 0, 0, 0]),
        (.reservedBits, [0x92, 0x80, 0, 0, 0, 0]),
        (.reservedBits, [0xC9, 0x80, 0, 0, 0, 0]),
        (.text, Client.frame(1, [0x61])),
        (.text, Client.frame(1, [], isFinal: false)),
        (.controlTooLong, [0x89, 0xFE, 0, 126, 0, 0, 0, 0]),
        (.controlTooLong, [0x88, 0xFF]),
        (.controlFragmented, Client.frame(9, [], isFinal: false)),
        (.controlFragmented, Client.frame(8, [], isFinal: false)),
        (.nothingToContinue, Client.frame(0, [1])),
        (.nothingToContinue, Client.frame(2, [1]) + Client.frame(0, [1])),
        (.messageInterrupted, Client.frame(2, [1], isFinal: false) + Client.frame(2, [1])),
        (.messageInterrupted, Client.frame(2, [1], isFinal: false) + Client.frame(1, [1])),
        (.lengthNotMinimal, [0x82, 0xFE, 0, 125, 0, 0, 0, 0]),
        (.lengthNotMinimal, [0x82, 0xFE, 0, 0]),
        (.lengthNotMinimal, [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]),
        (.lengthTooLong, [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        (.lengthTooLong, [0x82, 0xFF] + [UInt8](repeating: 0xFF, count: 8)),
        (.closeCodeInvalid, Client.frame(8, [3])),
        (.closeReasonInvalid, Client.close(1000, [0xC0, 0xAF])),
        (.closeReasonInvalid, Client.close(1000, [0xE2, 0x82])),
    ]

    @Test(
        "Frames that break a rule end the WebSocket with a code that says which [attack 92] [MQTT-6.0.0-1]",
        arguments: faults.indices)
    func fault(index: Int) {
        let (fault, bytes) = Self.faults[index]
        let session = Session.open()
        session.feed(bytes)
        #expect(session.layer.end == .failed(fault))
        let code = fault.closeCode.rawValue
        #expect(session.written == [0x88, 2, UInt8(code >> 8), UInt8(code & 0xFF)])
        session.feed(Client.frame(2, [7]))
        #expect(session.received.allSatisfy { $0 == 1 })
    }

    @Test("Each reserved opcode is refused [attack 92]", arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8])
    func reservedOpcode(opcode: UInt8) {
        let session = Session.open()
        session.feed(Client.frame(opcode))
        #expect(session.layer.end == .failed(.reservedOpcode))
    }

    @Test("The codes say: protocol error, unsupported data, invalid payload, policy (RFC 6455 §7.4.1)")
    func closeCodes() {
        #expect(WebSocketFault.unmasked.closeCode == .protocolError)
        #expect(WebSocketFault.text.closeCode == .unsupportedData)
        #expect(WebSocketFault.closeReasonInvalid.closeCode == .invalidPayload)
        #expect(WebSocketFault.tooManyEmptyFrames.closeCode == .policyViolation)
    }

    @Test("What came before a fault in the same read is not lost")
    func beforeFault() {
        let session = Session.open()
        session.feed(Client.frame(2, [0xC0, 0]) + [0xF2])
        #expect(session.received == [0xC0, 0])
        #expect(session.layer.end == .failed(.reservedBits))
    }

    @Test("Empty frames: as many as the limit in a row, one more ends it, ten times as many too [attack 92] [M-53]")
    func emptyFrames() {
        let limit = WebSocketLimits.emptyFramesMax
        let begin = Client.frame(2, [], isFinal: false)
        let more = Array(repeating: Client.frame(0, [], isFinal: false), count: limit - 1).flatMap { $0 }
        let session = Session.open()
        session.feed(begin + more)
        #expect(session.layer.end == nil)
        // A byte, and the count starts anew.
        session.feed(Client.frame(0, [1], isFinal: false) + more + Client.frame(0, [], isFinal: false))
        #expect(session.layer.end == nil)
        session.feed(Client.frame(0, [], isFinal: false))
        #expect(session.layer.end == .failed(.tooManyEmptyFrames))
        let flood = Session.open()
        flood.feed(Array(repeating: Client.frame(2), count: 10 * limit).flatMap { $0 })
        #expect(flood.layer.end == .failed(.tooManyEmptyFrames))
    }

    @Test("A frame of 16 MiB is handed on as it comes; nothing of it is kept [attack 92]")
    func longFrame() {
        let session = Session.open()
        session.feed([0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        for part in 1...16 {
            session.feed([UInt8](repeating: 7, count: 1 << 20))
            #expect(session.received.count == part << 20)
        }
        session.feed(Client.frame(9))
        #expect(session.written == [0x8A, 0])
    }

    @Test("A length just below 2^63 is a length like others")
    func longestLength() {
        let session = Session.open()
        session.feed([0x82, 0xFF, 0x7F] + [UInt8](repeating: 0xFF, count: 7) + [0, 0, 0, 0] + [1, 2, 3])
        #expect(session.received == [1, 2, 3])
        #expect(session.layer.end == nil)
    }
}
