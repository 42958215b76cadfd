import Bytes
import MQTTWire
import Messaging
import Testing

@testable import ConnectionCore

/// How many filters a packet may have: decision M-80.
@Suite struct FilterLimitTests {
    /// A SUBSCRIBE, or an UNSUBSCRIBE, with so many filters of one character.
    private func packet(_ type: PacketType, _ version: ProtocolVersion, filters: Int) -> [UInt8] {
        var body: [UInt8] = version == .v5 ? [0, 1, 0] : [0, 1]
        for _ in 0..<filters { body += type == .subscribe ? [0, 1, 0x61, 0] : [0, 1, 0x61] }
        return [type == .subscribe ? 0x82 : 0xA2, UInt8(body.count)] + body
    }

    @Test("A packet with one filter more than it may have ends the connection [attack 60]", arguments: versions)
    func limit(version: ProtocolVersion) throws {
        for type in [PacketType.subscribe, .unsubscribe] {
            let world = ConnectionWorld { $0.filtersPerPacketMax = 20 }
            let slot = try world.client(version)
            world.feed(slot, packet(type, version, filters: 20))
            #expect(!world.isClosing(slot))
            #expect(world.asked(slot).count == 1)
            world.feed(slot, packet(type, version, filters: 21))
            #expect(world.isClosing(slot))
            #expect(world.asked(slot) == ["detach will"])
            #expect(world.heard(slot) == (version == .v5 ? ["DISCONNECT quotaExceeded"] : []))
            #expect(world.logged() == [.ended("p", .violated(.quotaExceeded))])
        }
    }

    @Test("A client of MQTT 5 hears how many there may be")
    func reason() throws {
        let world = ConnectionWorld { $0.filtersPerPacketMax = 20 }
        let slot = try world.client(.v5)
        world.feed(slot, packet(.subscribe, .v5, filters: 21))
        let output = String(decoding: world.pending(slot), as: UTF8.self)
        #expect(output.contains("a packet may have so many topic filters: 20"))
    }
}
