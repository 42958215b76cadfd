import Bytes
import MQTTSNWire
import Support
import Testing

/// The packet vectors of Fixtures/mqttsn, each run through everything that must hold for any datagram.
@Suite struct SNFixtureTests {
    @Test("A vector decodes to its packet or its error", arguments: try FixtureNotation.vectors(in: "mqttsn"))
    func decodes(vector: PacketVector) throws {
        withDecoded(try FixtureNotation.bytes(vector.hex)) { result in
            switch result {
            case .success(let packet):
                #expect(packet.fullDescription == vector.packet)
            case .failure(let error):
                #expect(error.rawValue == vector.error)
            }
        }
    }

    @Test("A packet encodes to its vector again", arguments: try FixtureNotation.vectors(in: "mqttsn"))
    func encodes(vector: PacketVector) throws {
        let bytes = try FixtureNotation.bytes(vector.hex)
        try withDecoded(bytes) { result in
            guard case .success(let packet) = result else { return }
            let again = try #require(encoded(packet))
            #expect(again.count == packet.encodedByteCount)
            #expect((again == bytes) == (vector.canonical ?? true))
        }
    }

    @Test("A truncated message is an error [D-36] [attack 102]", arguments: try FixtureNotation.vectors(in: "mqttsn"))
    func truncated(vector: PacketVector) throws {
        let bytes = try FixtureNotation.bytes(vector.hex)
        // Behind the Length of an encapsulation nothing says how long the message is, and an error may be cured.
        guard let packet = vector.packet, !packet.hasPrefix("ENCAPSULATED") else {
            for count in prefixes(of: bytes) { expectStable(Array(bytes[..<count])) }
            return
        }
        for count in prefixes(of: bytes) {
            #expect(decodeError(Array(bytes[..<count])) != nil, "\(count) of \(bytes.count) octets")
        }
    }

    @Test(
        "A truncated message whose Length is right is an error or a packet like any other",
        arguments: try FixtureNotation.vectors(in: "mqttsn"))
    func truncatedWithLength(vector: PacketVector) throws {
        let bytes = try FixtureNotation.bytes(vector.hex)
        for count in prefixes(of: bytes) {
            var shorter = Array(bytes[..<count])
            if shorter.first == 0x01, count >= 3 {
                shorter[1] = UInt8(count >> 8)
                shorter[2] = UInt8(count & 0xFF)
            } else if count >= 1, count <= 255 {
                shorter[0] = UInt8(count)
            }
            expectStable(shorter)
        }
    }

    @Test("A message with something behind it is an error [D-36]", arguments: try FixtureNotation.vectors(in: "mqttsn"))
    func trailed(vector: PacketVector) throws {
        let bytes = try FixtureNotation.bytes(vector.hex)
        guard let packet = vector.packet, !packet.hasPrefix("ENCAPSULATED") else { return }
        #expect(decodeError(bytes + [0x00]) == .lengthMismatch)
        #expect(decodeError(bytes + bytes) == .lengthMismatch)
    }

    @Test("Every type, both lengths of header and every error have vectors")
    func covers() throws {
        let vectors = try FixtureNotation.vectors(in: "mqttsn")
        #expect(vectors.count >= 170)
        #expect(Set(vectors.map(\.name)).count == vectors.count)
        let seenTypes = Set(vectors.compactMap { $0.packet?.split(separator: " ").first.map(String.init) })
        #expect(seenTypes == Set(SNMessageType.allCases.map(\.name)))
        #expect(Set(vectors.compactMap(\.error)) == Set(SNDecodeError.allCases.map(\.rawValue)))
        for vector in vectors { #expect((vector.packet == nil) != (vector.error == nil), "\(vector)") }
    }

    /// Every length below that of `bytes`, and a sample of those above 600.
    private func prefixes(of bytes: [UInt8]) -> [Int] {
        Array(0..<min(bytes.count, 600)) + Array(stride(from: 600, to: bytes.count, by: 4099))
    }
}

/// If the bytes decode, the packet must encode, and decode to itself again.
func expectStable(_ bytes: [UInt8]) {
    withDecoded(bytes) { result in
        guard case .success(let packet) = result else { return }
        guard let again = encoded(packet) else {
            Issue.record("does not encode: \(packet)")
            return
        }
        #expect(again.count == packet.encodedByteCount)
        withDecoded(again) { second in
            guard case .success(let same) = second else {
                Issue.record("does not decode again: \(packet)")
                return
            }
            #expect(same.canonical == packet.canonical)
        }
    }
}

extension SNPacket {
    /// The packet without a message id that means nothing, which is not sent (§5.4.12).
    var canonical: SNPacket {
        guard case .publish(var publish) = self, publish.qos == .zero || publish.qos == .minusOne else { return self }
        publish.msgID = 0
        return .publish(publish)
    }
}
