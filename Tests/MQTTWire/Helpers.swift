import Bytes
import MQTTWire
import Messaging

/// Lends `bytes` as a view.
func withView<Result>(_ bytes: [UInt8], _ body: (ByteView) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBytes { try body(ByteView($0)) }
}

/// The bytes that `write` appends.
func written(_ write: (inout OutputBuffer) -> Void) -> [UInt8] {
    var output = OutputBuffer()
    defer { output.deallocate() }
    write(&output)
    return Array(output.pending.memory)
}

/// The encoded packet.
func encoded(_ packet: MQTTPacket, _ version: ProtocolVersion) -> [UInt8] {
    written { packet.encode(version: version, into: &$0) }
}

/// Frame and packet at the beginning of `view`; nil while bytes are missing.
func decode(
    _ view: ByteView, _ version: ProtocolVersion, maximumPacketSize: Int = 262_144
) throws(MQTTDecodeError) -> MQTTPacket? {
    guard let frame = try MQTTFrame.next(in: view, maximumPacketSize: maximumPacketSize) else { return nil }
    return try MQTTPacket.decode(frame, version: version)
}

/// What decoding throws; nil if it does not.
func failure<Value>(_ body: () throws(MQTTDecodeError) -> Value) -> MQTTDecodeError? {
    do throws(MQTTDecodeError) {
        _ = try body()
        return nil
    } catch {
        return error
    }
}

/// Memory for the views of packets that a test makes; it lasts as long as this object.
final class Arena {
    private var blocks: [UnsafeMutableRawBufferPointer] = []

    func keep(_ bytes: [UInt8]) -> ByteView {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        block.copyBytes(from: bytes)
        blocks.append(block)
        return ByteView(UnsafeRawBufferPointer(block))
    }

    func keep(_ text: String) -> ByteView { keep(Array(text.utf8)) }

    /// A property section that `write` appends.
    func properties(_ write: (inout OutputBuffer) -> Void) -> PropertyList {
        PropertyList(raw: keep(written(write)))
    }

    deinit {
        for block in blocks { block.deallocate() }
    }
}
