import Bytes
import MQTTWire
import Support
import Testing

/// Runs every vector in Fixtures/mqtt through decoding and encoding, cut and fed in every way.
@Suite struct VectorTests {
    static let vectors: [PacketVector] = {
        do {
            return try FixtureNotation.vectors(in: "mqtt")
        } catch {
            Issue.record(error)
            return []
        }
    }()

    static let legal = vectors.filter { $0.packet != nil }
    static let illegal = vectors.filter { $0.error != nil }
    static let maximumPacketSize = 262_144

    @Test("There are vectors for every packet type in every version, and each expects one thing")
    func completeness() throws {
        #expect(Self.vectors.count >= 260)
        for vector in Self.vectors {
            #expect((vector.packet == nil) != (vector.error == nil), "\(vector)")
            #expect(level(of: vector) != nil, "\(vector)")
        }
        for version in ["3.1", "3.1.1", "5.0"] {
            let types = try Set(
                Self.legal.filter { $0.version == version }.map { try FixtureNotation.bytes($0.hex)[0] >> 4 })
            #expect(types == Set(1...(version == "5.0" ? 15 : 14)))
        }
    }

    @Test("A legal packet decodes to its description", arguments: legal)
    func decodes(_ vector: PacketVector) throws {
        let version = try #require(level(of: vector))
        try withView(FixtureNotation.bytes(vector.hex)) { view in
            let packet = try #require(try decode(view, version))
            #expect(packet.fixtureDescription == vector.packet)
        }
    }

    @Test("A decoded packet encodes to the bytes it came from, or to the same packet", arguments: legal)
    func encodes(_ vector: PacketVector) throws {
        let version = try #require(level(of: vector))
        let bytes = try FixtureNotation.bytes(vector.hex)
        try withView(bytes) { view in
            let packet = try #require(try decode(view, version))
            let again = encoded(packet, version)
            if vector.canonical ?? true {
                #expect(again == bytes)
            } else {
                #expect(again != bytes, "this vector is canonical after all")
                let isSame = try withView(again) { try decode($0, version) == packet }
                #expect(isSame)
            }
        }
    }

    @Test("An illegal packet gives its error", arguments: illegal)
    func refuses(_ vector: PacketVector) throws {
        let version = try #require(level(of: vector))
        try withView(FixtureNotation.bytes(vector.hex)) { view in
            let error = failure { () throws(MQTTDecodeError) in try decode(view, version) }
            #expect(error.map { "\($0)" } == vector.error)
        }
    }

    @Test("Fed byte by byte, a packet is incomplete until its last byte and then the same", arguments: legal)
    func feeds(_ vector: PacketVector) throws {
        try withView(FixtureNotation.bytes(vector.hex)) { view in
            let whole = try #require(try frame(view))
            #expect(whole.byteCount == view.count)
            for count in offsets(upTo: view.count) {
                let part = view[0..<count]
                #expect(try frame(part) == nil)
                let expected = try MQTTFrame.expectedByteCount(of: part, maximumPacketSize: Self.maximumPacketSize)
                #expect(expected == nil || expected == view.count)
            }
            #expect(
                try MQTTFrame.expectedByteCount(of: view, maximumPacketSize: Self.maximumPacketSize) == view.count)
        }
    }

    @Test("Bytes behind a packet are left over", arguments: legal)
    func leaves(_ vector: PacketVector) throws {
        let bytes = try FixtureNotation.bytes(vector.hex)
        try withView(bytes + bytes + [0xC0, 0x00]) { view in
            let first = try #require(try frame(view))
            let second = try #require(try frame(view.dropFirst(first.byteCount)))
            #expect(first == second)
            let third = try #require(try frame(view.dropFirst(first.byteCount + second.byteCount)))
            #expect(third.type == .pingreq)
        }
    }

    @Test("A packet cut short, its length corrected, is refused or another packet", arguments: legal)
    func truncations(_ vector: PacketVector) throws {
        let version = try #require(level(of: vector))
        try withView(FixtureNotation.bytes(vector.hex)) { view in
            let whole = try #require(try frame(view))
            let packet = try MQTTPacket.decode(whole, version: version)
            for count in offsets(upTo: whole.body.count) {
                var cut = whole
                cut.body = whole.body[0..<count]
                guard let other = try? MQTTPacket.decode(cut, version: version) else { continue }
                #expect(other != packet || vector.canonical == false, "cut to \(count)")
            }
        }
    }

    private func frame(_ view: ByteView) throws(MQTTDecodeError) -> MQTTFrame? {
        try MQTTFrame.next(in: view, maximumPacketSize: Self.maximumPacketSize)
    }

    private func level(of vector: PacketVector) -> ProtocolVersion? {
        switch vector.version {
        case "3.1": .v3_1
        case "3.1.1": .v3_1_1
        case "5.0": .v5
        default: nil
        }
    }

    /// Every offset into small packets, and a sample of about 256 into large ones.
    private func offsets(upTo count: Int) -> some Sequence<Int> {
        stride(from: 0, to: count, by: max(1, count / 256))
    }
}
