import Bytes
import Clockwork
import Testing

@testable import WebSocket

/// However bytes are cut into reads, the outcome is the same; and no bytes whatever end in a trap.
@Suite struct SegmentationTests {
    /// One of everything.
    private static let conversation =
        Client.request(with: "Origin: http://a", "Sec-WebSocket-Protocol: x, mqtt")
        + Client.frame(2, Array("10 bytes..".utf8)) + Client.frame(9, [1, 2, 3])
        + Client.frame(2, [UInt8](repeating: 0x55, count: 300), isFinal: false) + Client.frame(10)
        + Client.frame(0, [1, 2, 3, 4, 5, 6, 7, 8, 9], isFinal: false) + Client.frame(0)
        + Client.close(1001, Array("gr\u{FC}\u{DF}e".utf8))

    private func outcome(_ bytes: [UInt8], by size: Int = .max) -> Session.Outcome {
        let session = Session()
        session.feed(bytes, by: size)
        return session.outcome
    }

    @Test("Reads of every size, and every cut in two")
    func everyCut() {
        let whole = outcome(Self.conversation)
        #expect(whole.end == .closedByPeer(.goingAway))
        #expect(whole.received.count == 319)
        for size in 1...32 { #expect(outcome(Self.conversation, by: size) == whole) }
        for cut in 1..<Self.conversation.count {
            let session = Session()
            session.feed(Array(Self.conversation[..<cut]))
            session.feed(Array(Self.conversation[cut...]))
            #expect(session.outcome == whole)
        }
    }

    @Test("Every truncation waits for more and is no fault")
    func everyTruncation() {
        for count in 0..<Self.conversation.count {
            #expect(outcome(Array(Self.conversation[..<count])).end == nil)
        }
    }

    @Test(
        "Changed, cut, repeated and swapped bytes: one outcome whether read at once or byte by byte", arguments: 1...20)
    func mutations(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        func below(_ count: Int) -> Int { Int(generator.next() % UInt64(max(count, 1))) }
        for _ in 0..<150 {
            // Faults in the request hide the frames: half of the time only what follows it is changed.
            let start = generator.next() & 1 == 0 ? 0 : Client.request(with: "Origin: http://a").count
            var bytes = Self.conversation
            for _ in 0...below(4) {
                let index = start + below(bytes.count - start)
                guard index < bytes.count else { continue }
                switch below(6) {
                case 0: bytes[index] ^= 1 << UInt8(below(8))
                case 1: bytes[index] = UInt8(truncatingIfNeeded: generator.next())
                case 2: bytes.removeSubrange(index..<min(index + below(9), bytes.count))
                case 3: bytes.insert(contentsOf: bytes[index..<min(index + below(40), bytes.count)], at: index)
                case 4: bytes.insert(UInt8(truncatingIfNeeded: generator.next()), at: index)
                default: bytes.swapAt(index, start + below(bytes.count - start))
                }
            }
            let whole = outcome(bytes)
            #expect(outcome(bytes, by: 1) == whole)
            #expect(outcome(bytes, by: 2 + below(50)) == whole)
        }
    }

    @Test("Bytes at random behind a handshake", arguments: 1...20)
    func random(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            var bytes = Client.request()
            for _ in 0..<(generator.next() % 64) { bytes.append(UInt8(truncatingIfNeeded: generator.next())) }
            #expect(outcome(bytes) == outcome(bytes, by: 1))
        }
    }
}
