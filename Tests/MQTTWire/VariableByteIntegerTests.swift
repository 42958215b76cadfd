import Bytes
import MQTTWire
import Testing

@Suite struct VariableByteIntegerTests {
    /// MQTT 5.0 §1.5.5, table 1-1.
    @Test(
        "The borders of table 1-1 are written and read [MQTT-1.5.5-1]",
        arguments: [
            (0, [0x00]), (127, [0x7F]), (128, [0x80, 0x01]), (16_383, [0xFF, 0x7F]), (16_384, [0x80, 0x80, 0x01]),
            (2_097_151, [0xFF, 0xFF, 0x7F]), (2_097_152, [0x80, 0x80, 0x80, 0x01]),
            (268_435_455, [0xFF, 0xFF, 0xFF, 0x7F]),
        ] as [(Int, [UInt8])])
    func borders(value: Int, bytes: [UInt8]) throws {
        #expect(written { $0.append(variableByteInteger: value) } == bytes)
        #expect(VariableByteInteger.byteCount(of: value) == bytes.count)
        try withView(bytes) { view in
            var reader = ByteReader(view)
            let found = try reader.readVariableByteInteger()
            #expect(found == UInt32(value))
            #expect(reader.remaining == 0)
        }
    }

    @Test(
        "Five bytes, and more bytes than needed, are refused",
        arguments: [
            [0x80, 0x80, 0x80, 0x80, 0x01], [0xFF, 0xFF, 0xFF, 0xFF], [0x80, 0x00], [0xFF, 0x80, 0x00],
            [0x81, 0x80, 0x80, 0x00],
        ] as [[UInt8]])
    func malformed(bytes: [UInt8]) {
        #expect(withView(bytes) { error(in: $0) } == .malformedVarint)
    }

    @Test(
        "An unfinished number is truncated",
        arguments: [[], [0x80], [0xFF, 0xFF], [0x80, 0x80, 0x80]] as [[UInt8]])
    func truncated(bytes: [UInt8]) {
        #expect(withView(bytes) { error(in: $0) } == .truncated)
    }

    private func error(in view: ByteView) -> MQTTDecodeError? {
        failure { () throws(MQTTDecodeError) in
            var reader = ByteReader(view)
            return try reader.readVariableByteInteger()
        }
    }
}
