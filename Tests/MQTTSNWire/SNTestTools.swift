import Bytes
import MQTTSNWire
import Support

/// Lends what the bytes decode to; the packet must not leave `body`.
func withDecoded<Value>(
    _ bytes: [UInt8], _ body: (Result<SNPacket, SNDecodeError>) throws -> Value
) rethrows -> Value {
    try bytes.withUnsafeBytes { memory in
        try body(Result { () throws(SNDecodeError) in try SNPacket.decode(ByteView(memory)) })
    }
}

/// Why the bytes do not decode; nil if they do.
func decodeError(_ bytes: [UInt8]) -> SNDecodeError? {
    withDecoded(bytes) { result in
        if case .failure(let error) = result { error } else { nil }
    }
}

/// What the packet encodes to; nil if it refuses, having written nothing and left what was there.
func encoded(_ packet: SNPacket) -> [UInt8]? {
    collected { packet.encode(into: &$0) }
}

/// What `encode` appends to a buffer that already holds something; nil if it answers false and leaves that alone.
func collected(_ encode: (inout OutputBuffer) -> Bool) -> [UInt8]? {
    let before: [UInt8] = [0xAA, 0xBB]
    var output = OutputBuffer()
    defer { output.deallocate() }
    for byte in before { output.append(byte) }
    let succeeded = encode(&output)
    let all = Array(output.pending.memory)
    guard Array(all.prefix(before.count)) == before else { return nil }
    if !succeeded { return all.count == before.count ? nil : all }
    return Array(all.dropFirst(before.count))
}

extension SNPacket {
    /// The description with the data that a log leaves out.
    var fullDescription: String {
        switch self {
        case .publish(let publish): "\(description): \(FixtureNotation.word(publish.data))"
        case .willMsg(let message), .willMsgUpd(let message), .encapsulated(_, _, let message):
            "\(description): \(FixtureNotation.word(message))"
        default: description
        }
    }
}
