import Bytes

@testable import WebSocket

/// What a client of the tests says, and what it makes of a layer's answers.
enum Client {
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    /// A request as browsers send it, one line each.
    static let lines = [
        "GET /mqtt HTTP/1.1", "Host: 127.0.0.1:9001", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: \(key)", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt",
    ]

    static func request(_ lines: [String] = lines) -> [UInt8] {
        Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    /// The usual request with some lines in the place of those with the same field, or behind them.
    static func request(with changed: String...) -> [UInt8] {
        var lines = Self.lines
        for line in changed {
            let name = line.prefix { $0 != ":" } + ":"
            if let index = lines.firstIndex(where: { $0.hasPrefix(name) }) {
                lines[index] = line
            } else {
                lines.append(line)
            }
        }
        return request(lines)
    }

    static func request(without field: String) -> [UInt8] {
        request(lines.filter { !$0.hasPrefix(field + ":") })
    }

    /// A frame, masked as clients must.
    static func frame(
        _ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true, mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
    ) -> [UInt8] {
        var bytes = [(isFinal ? 0x80 : 0) | opcode]
        switch payload.count {
        case ...125: bytes.append(0x80 | UInt8(payload.count))
        case ...0xFFFF: bytes += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: bytes += [0x80 | 127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
        }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }

    static func close(_ code: UInt16, _ reason: [UInt8] = []) -> [UInt8] {
        frame(8, [UInt8(code >> 8), UInt8(code & 0xFF)] + reason)
    }
}

/// A layer under test: feeds it, takes what it writes.
final class Session {
    let layer: WebSocketLayer
    /// MQTT's bytes that came out.
    private(set) var received: [UInt8] = []
    /// Everything that was written to the transport.
    private(set) var written: [UInt8] = []

    init(rules: WebSocketRules = WebSocketRules()) {
        layer = WebSocketLayer(rules: rules)
    }

    /// A session that is open, with nothing written yet.
    static func open(rules: WebSocketRules = WebSocketRules()) -> Session {
        let session = Session(rules: rules)
        session.feed(Client.request())
        session.written = []
        return session
    }

    /// Feeds bytes in reads of this size, each into memory of its own, and writes what the layer has to say.
    func feed(_ bytes: [UInt8], by size: Int = .max, writes: Bool = true) {
        var rest = bytes[...]
        while !rest.isEmpty {
            var read = Array(rest.prefix(size))
            rest = rest.dropFirst(read.count)
            read.withUnsafeMutableBytes { memory in
                received += Array(layer.receive(memory).memory)
            }
            if writes { write() }
        }
    }

    /// Writes all of this output, as a transport does that takes `room` bytes at a time.
    func write(_ output: [UInt8] = [], room: Int = .max) {
        output.withUnsafeBytes { memory in
            var rest = ByteView(memory)
            while !rest.isEmpty || layer.hasOwnOutput {
                let pieces = layer.pieces(for: rest)
                if pieces.count == 0 { return }
                let all = [pieces.body, pieces.framing, pieces.nextBody].flatMap { Array($0.memory) }
                let taken = all.prefix(room)
                written += taken
                rest = rest.dropFirst(layer.wrote(taken.count))
            }
        }
    }

    /// What was written since the last time.
    func takeWritten() -> [UInt8] {
        defer { written = [] }
        return written
    }

    /// Everything that the peer can see of the outcome.
    var outcome: Outcome { Outcome(received: received, end: layer.end, request: layer.request) }

    struct Outcome: Equatable {
        var received: [UInt8]
        var end: WebSocketEnd?
        var request: HandshakeRequest?
    }
}
