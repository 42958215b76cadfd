import Bytes
import Testing

@testable import WebSocket

@Suite struct WebSocketLayerTests {
    @Test("A ping is answered with its own bytes, inside a message too; a pong is not")
    func ping() {
        let session = Session.open()
        session.feed(Client.frame(9, [1, 2, 3]))
        #expect(session.takeWritten() == [0x8A, 3, 1, 2, 3])
        session.feed(Client.frame(2, [1], isFinal: false) + Client.frame(9) + Client.frame(0, [2]))
        #expect(session.takeWritten() == [0x8A, 0])
        #expect(session.received == [1, 2])
        session.feed(Client.frame(10, [9]))
        #expect(session.takeWritten().isEmpty)
        let longest = [UInt8](repeating: 5, count: 125)
        session.feed(Client.frame(9, longest), by: 10)
        #expect(session.takeWritten() == [0x8A, 125] + longest)
    }

    @Test("Pings that come faster than pongs leave: what waits is bounded, and the newest is answered [attack 92]")
    func pingFlood() {
        let session = Session.open()
        for number in 0..<10_000 {
            session.feed(Client.frame(9, [UInt8(number >> 8), UInt8(number & 0xFF)]), writes: false)
        }
        session.write()
        let written = session.takeWritten()
        #expect(written.count <= WebSocketLimits.pongBytesMax)
        #expect(written.suffix(4) == [0x8A, 2, UInt8(9_999 >> 8), UInt8(9_999 & 0xFF)])
        #expect(session.layer.end == nil)
    }

    @Test(
        "Close is answered with its code, and nothing behind it is read",
        arguments: [1000, 1001, 1003, 1011, 3000, 4999] as [UInt16])
    func close(code: UInt16) {
        let session = Session.open()
        session.feed(Client.frame(2, [1]) + Client.close(code, Array("why \u{20AC}\u{0}".utf8)) + Client.frame(2, [2]))
        #expect(session.layer.end == .closedByPeer(CloseCode(rawValue: code)))
        #expect(session.written == [0x88, 2, UInt8(code >> 8), UInt8(code & 0xFF)])
        #expect(session.received == [1])
    }

    @Test("A Close without a code is answered with 1000")
    func closeWithoutCode() {
        let session = Session.open()
        session.feed(Client.frame(8))
        #expect(session.layer.end == .closedByPeer(nil))
        #expect(session.written == [0x88, 2, 0x03, 0xE8])
    }

    @Test(
        "Codes that no Close may carry [attack 92]",
        arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] as [UInt16])
    func closeCode(code: UInt16) {
        let session = Session.open()
        session.feed(Client.close(code))
        #expect(session.layer.end == .failed(.closeCodeInvalid))
        #expect(session.written == [0x88, 2, 0x03, 0xEA])
    }

    @Test("Our Close follows MQTT's last output, once")
    func ownClose() {
        let session = Session.open()
        session.layer.close(.goingAway)
        session.layer.close(.normal)
        session.write([0xE0, 0])
        #expect(session.takeWritten() == [0x82, 2, 0xE0, 0, 0x88, 2, 0x03, 0xE9])
        #expect(!session.layer.hasOwnOutput)
        session.write([1, 2, 3])
        #expect(session.takeWritten().isEmpty)
    }

    @Test("What is left can be taken as one piece, from the middle of a frame on, with Close at its end")
    func takeRest() throws {
        let output = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        for taken in [0, 1, 3, 4, 5, 40_000, 65_538, 65_539, 65_541] {
            let (session, written, rest) = begun(output, taken)
            session.feed(Client.frame(9, [1]) + Client.close(1000), writes: false)
            let last = rest.withUnsafeBytes { session.layer.takeRest(of: ByteView($0), bytesMax: 200_000) }
            let frames = try ServerFrames(written + last)
            #expect(frames.messages == output)
            #expect(frames.opcodes.contains(10) && frames.opcodes.last == 8)
            #expect(!session.layer.hasOwnOutput)
        }
    }

    @Test("If the rest is too long the frame that has begun is ended, and Close follows: at the limit, one more")
    func takeRestBounded() throws {
        let output = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let (_, _, rest) = begun(output, 10)
        for (bytesMax, isWhole) in [(1 << 20, true), (rest.count + 20, true), (rest.count + 19, false), (0, false)] {
            let (session, written, rest) = begun(output, 10)
            session.layer.fail(.text)
            let last = rest.withUnsafeBytes { session.layer.takeRest(of: ByteView($0), bytesMax: bytesMax) }
            let frames = try ServerFrames(written + last)
            #expect(frames.messages == (isWhole ? output : Array(output.prefix(65_535))))
            #expect(last.suffix(4) == [0x88, 2, 0x03, 0xEB])
            #expect(!isWhole || last.count <= bytesMax)
        }
    }

    /// A session of whose first pieces the transport took so many bytes, those, and what is left of the output.
    private func begun(_ output: [UInt8], _ taken: Int) -> (Session, written: [UInt8], rest: [UInt8]) {
        let session = Session.open()
        return output.withUnsafeBytes { memory in
            let pieces = session.layer.pieces(for: ByteView(memory))
            let all = [pieces.body, pieces.framing, pieces.nextBody].flatMap { Array($0.memory) }
            let written = Array(all.prefix(taken))
            let ofOutput = session.layer.wrote(written.count)
            return (session, written, Array(output.dropFirst(ofOutput)))
        }
    }

    @Test("Before the handshake is done there is no Close to send")
    func closeInHandshake() {
        let session = Session()
        session.layer.close(.normal)
        #expect(!session.layer.hasOwnOutput)
    }

    @Test("What MQTT says comes out of the frames as it went in, however little the transport takes at a time")
    func partialWrites() throws {
        let output = (0..<150_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let whole = Session.open()
        whole.write(output)
        let reference = whole.takeWritten()
        #expect(try ServerFrames(reference).messages == output)
        for room in [1, 2, 3, 5, 1_000, 65_535, 65_536, 65_539, 100_000] {
            let session = Session.open()
            session.write(output, room: room)
            #expect(session.takeWritten() == reference)
        }
    }

    @Test("Output that grows while a frame is stuck, and pongs that come up meanwhile, keep to the frames' borders")
    func interleaving() throws {
        let session = Session.open()
        var output = [UInt8](repeating: 1, count: 100)
        var written: [UInt8] = []
        var sent: [UInt8] = []
        for step in 0..<2_000 {
            if step % 7 == 0 { session.feed(Client.frame(9, [UInt8(step & 0xFF)]), writes: false) }
            if step % 3 == 0 { output += [UInt8](repeating: UInt8(step & 0xFF), count: step % 40) }
            let taken = output.withUnsafeBytes { memory in
                let pieces = session.layer.pieces(for: ByteView(memory))
                let all = [pieces.body, pieces.framing, pieces.nextBody].flatMap { Array($0.memory) }
                let some = all.prefix(step % 61)
                written += some
                return session.layer.wrote(some.count)
            }
            sent += output.prefix(taken)
            output.removeFirst(taken)
        }
        session.layer.close(.normal)
        session.write(output)
        let frames = try ServerFrames(written + session.takeWritten())
        #expect(frames.messages == sent + output)
        #expect(frames.opcodes.last == 8)
        #expect(frames.opcodes.contains(10))
    }

    @Test("A frame holds 65,535 bytes of MQTT at most")
    func frameLength() throws {
        let session = Session.open()
        session.write([UInt8](repeating: 0, count: 65_535))
        #expect(try ServerFrames(session.takeWritten()).opcodes == [2])
        session.write([UInt8](repeating: 0, count: 65_536))
        #expect(try ServerFrames(session.takeWritten()).opcodes == [2, 2])
        session.write([UInt8](repeating: 0, count: 655_350))
        #expect(try ServerFrames(session.takeWritten()).opcodes.count == 10)
    }

    @Test("Text is taken where the rules say so, with its kind and its end")
    func text() {
        var rules = WebSocketRules()
        rules.takesText = true
        let session = Session.open(rules: rules)
        var bytes = Client.frame(1, [0x61], isFinal: false) + Client.frame(0, [0x62])
        bytes.withUnsafeMutableBytes { memory in
            var input = memory
            var pieces: [(Opcode, Int, Bool)] = []
            while let start = input.baseAddress, let piece = session.layer.next(&input, to: start) {
                if case .message(let kind, let part, let isLast) = piece { pieces.append((kind, part.count, isLast)) }
            }
            #expect(pieces.map(\.0) == [.text, .text])
            #expect(pieces.map(\.2) == [false, true])
        }
        session.layer.fail(.textInvalid)
        session.write()
        #expect(session.takeWritten() == [0x88, 2, 0x03, 0xEF])
    }

    @Test("A header of each length (RFC 6455 §5.2)")
    func headers() {
        func header(_ count: Int) -> [UInt8] {
            var buffer = OutputBuffer()
            defer { buffer.deallocate() }
            FrameHeader.append(.binary, count: count, to: &buffer)
            return Array(buffer.pending.memory)
        }
        #expect(header(0) == [0x82, 0])
        #expect(header(125) == [0x82, 125])
        #expect(header(126) == [0x82, 126, 0, 126])
        #expect(header(65_535) == [0x82, 126, 0xFF, 0xFF])
        #expect(header(65_536) == [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0])
    }
}

/// The frames that a server wrote.
private struct ServerFrames {
    var opcodes: [UInt8] = []
    /// The bytes of all binary frames, one behind the other.
    var messages: [UInt8] = []

    struct Malformed: Error {}

    init(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard rest.count >= count else { throw Malformed() }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        while !rest.isEmpty {
            let head = Array(try take(2))
            guard head[0] & 0xF0 == 0x80, head[1] & 0x80 == 0 else { throw Malformed() }
            var count = Int(head[1])
            if count >= 126 { count = try take(count == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) } }
            let payload = try take(count)
            opcodes.append(head[0] & 0x0F)
            if head[0] == 0x82 { messages += payload }
        }
    }
}
