import Bytes
import Glibc
import MQTTWire
import Support

/// What can be fuzzed; each takes any bytes and traps when something is wrong.
enum FuzzTarget: String, CaseIterable {
    /// One MQTT packet, whatever its type: version, then bytes.
    case decoder
    /// A script of connections, time and slow readers against a whole engine.
    case connection
    /// Topic filters and names against matching written plainly.
    case filters
    /// The bytes of a WebSocket, with or without its handshake before them.
    case websocket
    /// One MQTT-SN datagram.
    case snDecoder = "sn-decoder"
    /// A script of datagrams, time and MQTT clients against a whole engine.
    case device
    /// A script of a TLS client, and of what happens to its bytes, against a session of ours.
    case tls

    func run(_ input: UnsafeRawBufferPointer) {
        switch self {
        case .decoder: fuzzDecoder(ByteView(input))
        case .connection: fuzzConnection(ByteView(input))
        case .filters: fuzzFilters(ByteView(input))
        case .websocket: fuzzWebSocket(ByteView(input))
        case .snDecoder: fuzzSNDecoder(ByteView(input))
        case .device: fuzzDevice(ByteView(input))
        case .tls: fuzzTLS(ByteView(input))
        }
    }

    /// What to begin with: the fixtures, in the target's own notation.
    func seeds() throws -> [[UInt8]] {
        switch self {
        case .decoder:
            return try FixtureNotation.vectors(in: "mqtt").map { vector in
                [versionByte(vector.version)] + (try FixtureNotation.bytes(vector.hex))
            }
        case .connection: return try ConnectionScript.seeds()
        case .filters:
            let texts = [
                "a/b\na/+\n#\n+/b\na/b/c\n$SYS/#\n$share/g/a/+\n/\n//\n+/+\n",
                "temperature/hall-1\ntemperature/#\n+/hall-1\ntemperature/+/x\na-level-of-more-than-16-bytes/b\n",
                "$SYS/a\n$SYS/+\n+/a\n#\n$a\n",
            ]
            return texts.map { Array($0.utf8) }
        case .websocket:
            let frames: [[UInt8]] = [
                [0x82, 0x82, 0, 0, 0, 0, 0xC0, 0], [0x02, 0x81, 1, 2, 3, 4, 5, 0x80, 0x80, 0, 0, 0, 0],
                [0x89, 0x81, 0, 0, 0, 0, 7, 0x8A, 0x80, 0, 0, 0, 0], [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8],
                [0x82, 0xFE, 0, 126, 0, 0, 0, 0], [0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            ]
            return frames.map { [0x83] + $0 } + [[0x05] + Array(webSocketRequest.utf8)]
        case .snDecoder:
            return try FixtureNotation.vectors(in: "mqttsn").map { try FixtureNotation.bytes($0.hex) }
        case .device: return try DeviceScript.seeds()
        case .tls: return tlsSeeds
        }
    }

    private func versionByte(_ version: String) -> UInt8 {
        switch version {
        case "3.1": 0
        case "3.1.1": 1
        default: 2
        }
    }
}

/// Ends the run: libFuzzer keeps the input, and a player shows the message.
func fail(_ message: String) -> Never {
    let line = Array("fault: \(message)\n".utf8)
    write(STDERR_FILENO, line, line.count)
    abort()
}

/// A packet that decodes must encode, into something that decodes to the same: what the server accepts and forwards
/// can never be what its clients refuse. And it must not matter that the bytes come one by one.
private func fuzzDecoder(_ input: ByteView) {
    guard input.count > 1 else { return }
    let version = [ProtocolVersion.v3_1, .v3_1_1, .v5][Int(input[0]) % 3]
    let bytes = input.dropFirst(1)
    guard let frame = try? MQTTFrame.next(in: bytes, maximumPacketSize: 1 << 20) else { return }
    let expected = try? MQTTFrame.expectedByteCount(of: bytes, maximumPacketSize: 1 << 20)
    guard expected == frame.byteCount else { fail("the header says \(String(describing: expected))") }
    guard let packet = try? MQTTPacket.decode(frame, version: version) else { return }
    var level = version
    if case .connect(let connect) = packet { level = connect.version }
    var output = OutputBuffer()
    defer { output.deallocate() }
    packet.encode(version: level, into: &output)
    guard let again = try? MQTTFrame.next(in: output.pending, maximumPacketSize: .max),
        again.byteCount == output.count,
        let twice = try? MQTTPacket.decode(again, version: level)
    else { fail("what was encoded does not decode") }
    guard twice == packet else { fail("another packet came back") }
}
