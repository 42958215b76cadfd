import Bytes
import Clockwork
import MQTTWire
import Testing

@Suite struct RoundTripTests {
    @Test("Random packets survive encoding and decoding")
    func roundTrips() throws {
        for seed in UInt64(1)...3000 {
            let arena = Arena()
            var packets = RandomPackets(seed: seed, arena: arena)
            let version = packets.version
            for _ in 0..<4 {
                let packet = packets.next()
                try withView(encoded(packet, version)) { view in
                    let frame = try #require(try MQTTFrame.next(in: view, maximumPacketSize: .max), "seed \(seed)")
                    #expect(frame.byteCount == view.count, "seed \(seed)")
                    let decoded = try MQTTPacket.decode(frame, version: version)
                    #expect(decoded == packet, "seed \(seed)")
                }
            }
        }
    }

    /// Whatever still decodes must also encode, into something that decodes to the same: a packet that the server
    /// accepts and forwards can never be one that its clients refuse.
    @Test("20,000 mutated packets never trap, and what is still legal stays the same through another round")
    func mutations() throws {
        var random = SeededGenerator(seed: 0xD0_12_05_E5)
        var stillLegal = 0
        for round in UInt64(0)..<20_000 {
            let arena = Arena()
            var packets = RandomPackets(seed: round, arena: arena)
            var bytes = encoded(packets.next(), packets.version)
            mutate(&bytes, &random)
            let version = [ProtocolVersion.v3_1, .v3_1_1, .v5][Int(random.below(3))]
            withView(bytes) { view in
                guard let packet = try? decode(view, version) else { return }
                stillLegal += 1
                let level = if case .connect(let connect) = packet { connect.version } else { version }
                withView(encoded(packet, level)) { again in
                    let twice = try? decode(again, level, maximumPacketSize: .max)
                    #expect(twice == packet, "round \(round)")
                }
            }
        }
        #expect(stillLegal > 1000, "the mutations are too wild to test anything")
    }

    /// One to four changes: a bit, a byte, an insertion, a removal, a cut, or a length that lies.
    private func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        for _ in 0...random.below(4) {
            guard !bytes.isEmpty else { return }
            let index = Int(random.below(UInt64(min(bytes.count, 64))))
            switch random.below(6) {
            case 0: bytes[index] ^= 1 << UInt8(random.below(8))
            case 1: bytes[index] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
            case 3: bytes.remove(at: index)
            case 4: bytes.removeLast(Int(random.below(UInt64(bytes.count))))
            default: bytes[index] = [0x00, 0x7F, 0x80, 0xFF][Int(random.below(4))]
            }
        }
        // Half of the time the length is made right again, so that the mutation reaches the fields.
        guard bytes.count >= 2, bytes.count < 130, random.below(2) == 0 else { return }
        bytes[1] = UInt8(bytes.count - 2)
    }

    @Test("Random bytes never trap")
    func noise() {
        var random = SeededGenerator(seed: 7)
        for round in 0..<20_000 {
            let count = 2 + Int(random.below(60))
            var bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() & 0x7F) }
            bytes[1] = UInt8(count - 2)
            bytes[0] = UInt8(1 + round % 15) << 4 | (bytes[0] & 0x0F)
            if round.isMultiple(of: 2), ![3, 6, 8, 10].contains(bytes[0] >> 4) { bytes[0] &= 0xF0 }
            withView(bytes) { view in
                for version in [ProtocolVersion.v3_1, .v3_1_1, .v5] { _ = try? decode(view, version) }
            }
        }
    }
}
