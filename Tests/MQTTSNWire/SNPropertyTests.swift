import Bytes
import MQTTSNWire
import Support
import Testing

/// What must hold for any packet and any bytes, tried from fixed seeds.
@Suite struct SNPropertyTests {
    @Test("decode(encode(packet)) is the packet", arguments: SNMessageType.allCases)
    func roundTrip(type: SNMessageType) throws {
        for seed in 0..<200 as Range<UInt64> {
            let generator = SNPacketGenerator(seed: seed << 8 | UInt64(type.rawValue))
            try withExtendedLifetime(generator) {
                let packet = generator.packet(type)
                #expect(packet.type == type)
                let bytes = try #require(encoded(packet))
                #expect(bytes.count == packet.encodedByteCount)
                withDecoded(bytes) { #expect($0 == .success(packet), "seed \(seed)") }
            }
        }
    }

    @Test("20,000 mutated packets decode, or do not, and never trap")
    func mutations() throws {
        let generator = SNPacketGenerator(seed: 0x5EED)
        let types = SNMessageType.allCases
        for _ in 0..<20_000 {
            let packet = generator.packet(types[generator.below(types.count)])
            expectStable(generator.mutated(try #require(encoded(packet))))
        }
    }

    @Test("20,000 mutated vectors decode, or do not, and never trap")
    func mutatedVectors() throws {
        let generator = SNPacketGenerator(seed: 0xF1C)
        let seeds = try FixtureNotation.vectors(in: "mqttsn").map { try FixtureNotation.bytes($0.hex) }
            .filter { $0.count <= 2_000 }
        for _ in 0..<20_000 { expectStable(generator.mutated(seeds[generator.below(seeds.count)])) }
    }

    @Test("Every datagram of one or two octets decodes, or does not, and never traps")
    func shortest() {
        for first in 0...UInt8.max {
            #expect(decodeError([first]) == .headerIncomplete)
            for second in 0...UInt8.max { expectStable([first, second]) }
        }
    }
}
