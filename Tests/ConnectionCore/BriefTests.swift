import Bytes
import Clockwork
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

/// The short way: whatever the bytes, it must come to the same as the long one.
@Suite struct BriefTests {
    private static let topics: [[UInt8]] = [
        "", "a", "abcdefg", "abcdefgh", "abcdefghi", "plant/hall-7/temperature", "a/+", "+", "#", "abcdefg#",
        "abcdefgh+", "a,b", "\u{e4}", "abcdefg\u{e4}", "\u{0}", "abcdefg\u{0}", "$SYS/x", "a\u{1}b", "'\"*!",
    ].map { Array($0.utf8) } + [[0xFF], Array("abcdefgh".utf8) + [0xC0, 0xAF]]

    @Test("It comes to what the long way comes to, whatever is wrong with a packet", arguments: versions)
    func differs(version: ProtocolVersion) throws {
        var random = SeededGenerator(seed: UInt64(version.rawValue))
        var shortCuts = 0
        for _ in 0..<4_000 {
            let (long, short) = (try Self.world(), try Self.world())
            let slots = (try long.client(version), try short.client(version))
            var bytes = Self.anything(version, &random) + Self.anything(version, &random)
            if random.below(4) == 0 { bytes[Int(random.below(UInt64(bytes.count)))] = UInt8(random.below(256)) }
            let cut = random.below(4) == 0 ? Int(random.below(UInt64(bytes.count))) : bytes.count
            for part in [bytes[..<cut], bytes[cut...]] where !part.isEmpty {
                long.feed(slots.0, Array(part))
                short.feed(slots.1, Array(part), shortly: true)
            }
            #expect(short.asked(slots.1) == long.asked(slots.0), "\(bytes)")
            #expect(short.heard(slots.1) == long.heard(slots.0), "\(bytes)")
            #expect(short.logged() == long.logged(), "\(bytes)")
            #expect(short.connections.counters == long.connections.counters, "\(bytes)")
            shortCuts += short.shortCuts
        }
        #expect(shortCuts > 1_000, "the short way is taken")
    }

    private static func world() throws -> ConnectionWorld {
        ConnectionWorld { limits in
            limits.payloadBytesMax = 200
            limits.packetBytesMax = 300
            var listener = ConnectionLimits.Listener()
            listener.qosMax = .atLeastOnce
            limits.listeners = [listener]
        }
    }

    private static func anything(_ version: ProtocolVersion, _ random: inout SeededGenerator) -> [UInt8] {
        guard random.below(3) == 0 else { return publish(version, &random) }
        let first = [0x40, 0x50, 0x60, 0x62, 0x70, 0x72][Int(random.below(6))]
        let body = [0, UInt8(random.below(4))] + [UInt8](repeating: 0, count: Int(random.below(12) / 10))
        return [UInt8(first), UInt8(body.count)] + body
    }

    private static func publish(_ version: ProtocolVersion, _ random: inout SeededGenerator) -> [UInt8] {
        let topic = topics[Int(random.below(UInt64(topics.count)))]
        let qos = random.below(8) == 0 ? UInt8(random.below(4)) : UInt8(random.below(2))
        let flags = qos << 1 | (random.below(8) == 0 ? 8 : 0) | (random.below(4) == 0 ? 1 : 0)
        var body = [UInt8(topic.count >> 8), UInt8(topic.count & 0xFF)] + topic
        if qos > 0 { body += [0, UInt8(random.below(4))] }
        if version == .v5 { body += random.below(4) == 0 ? [2, 1, UInt8(random.below(3))] : [0] }
        body += [UInt8](repeating: 0x78, count: Int(random.below(2) == 0 ? random.below(20) : random.below(260)))
        let length = body.count < 128 ? [UInt8(body.count)] : [UInt8(body.count & 0x7F | 0x80), UInt8(body.count >> 7)]
        return [0x30 | flags] + length + body
    }

    @Test("Nothing is taken before CONNECT, nor behind DISCONNECT [MQTT-3.1.0-1]")
    func notConnected() throws {
        let world = ConnectionWorld()
        let slot = try world.open()
        world.feed(slot, try packet("30", "0001 'a' 'x'"), shortly: true)
        #expect(world.shortCuts == 0 && world.isClosing(slot))
        let other = try world.client(.v3_1_1)
        world.feed(other, try FixtureNotation.bytes("e0 00 30 04 0001 'a' 'x'"), shortly: true)
        #expect(world.shortCuts == 0 && world.asked(other).allSatisfy { !$0.hasPrefix("publish") })
    }
}
