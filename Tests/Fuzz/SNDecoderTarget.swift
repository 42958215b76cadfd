import Bytes
import MQTTSNWire

/// One datagram: what decodes must encode, in as many bytes as it says, into something that decodes to the same and
/// encodes to the same bytes. What a forwarder brings is opened too, as deep as it goes.
func fuzzSNDecoder(_ input: ByteView) {
    var rest = input
    // Each layer is at least four bytes shorter than the one around it: Length, MsgType, Ctrl, a node id.
    while let packet = checked(rest), case .encapsulated(_, _, let message) = packet {
        guard message.count + 4 <= rest.count else { fail("the message is longer than what it came in") }
        rest = message
    }
}

private func checked(_ datagram: ByteView) -> SNPacket? {
    guard let packet = try? SNPacket.decode(datagram) else { return nil }
    guard !packet.description.isEmpty, packet.isFromClient || packet.isFromGateway else {
        fail("nobody may send \(packet)")
    }
    var once = OutputBuffer()
    var twice = OutputBuffer()
    defer {
        once.deallocate()
        twice.deallocate()
    }
    guard packet.encode(into: &once) else { fail("what was decoded does not encode: \(packet)") }
    guard once.count == packet.encodedByteCount else { fail("\(packet.encodedByteCount) bytes and not \(once.count)") }
    guard once.count <= datagram.count else { fail("it grew from \(datagram.count) to \(once.count) bytes") }
    guard let again = try? SNPacket.decode(once.pending) else { fail("what was encoded does not decode: \(packet)") }
    guard again.encode(into: &twice), once.pending == twice.pending else { fail("other bytes came back: \(packet)") }
    guard again == canonical(packet) else { fail("another packet came back: \(again) for \(packet)") }
    return packet
}

/// The packet without what the standard has no use for: MsgId is sent as 0x0000 at QoS 0 and -1 [SN-5.4.12].
private func canonical(_ packet: SNPacket) -> SNPacket {
    guard case .publish(var publish) = packet, publish.qos == .zero || publish.qos == .minusOne else { return packet }
    publish.msgID = 0
    return .publish(publish)
}
