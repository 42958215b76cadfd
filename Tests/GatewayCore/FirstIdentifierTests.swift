import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct FirstIdentifierTests {
    @Test("Each session is offered a first MsgId of its own, from 1 to 0x7FFF [D-54] [attack 124]")
    func isByChance() {
        let first = Self.identifiers(seed: 1)
        #expect(first.count == 2_000)
        #expect(first.allSatisfy { (1...0x7FFF).contains($0) })
        // Of so many draws from 32,767 some 60 are there twice.
        #expect(Set(first).count > 1_800)
        #expect(first.contains { $0 > 0x7000 } && first.contains { $0 < 0x1000 })
        #expect(Self.identifiers(seed: 1) == first)
        #expect(Self.identifiers(seed: 2) != first)
    }

    /// What a device's sessions are offered when it connects again and again.
    private static func identifiers(seed: UInt64) -> [UInt16] {
        var gateway = Gateway(configuration: Gateway.Configuration(), seed: seed)
        let now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_000)
        let path = DatagramPath(remote: PeerAddress(ipv4: 0x0A00_0001, port: 1))
        var identifiers: [UInt16] = []
        var effects: [Gateway.Effect] = []
        for _ in 0..<2_000 {
            ByteString("dev").withView { name in
                let connect = SNConnect(will: false, cleanSession: true, duration: 60, clientID: name)
                gateway.handle(.received(.connect(connect), from: path), now: now, into: &effects)
            }
            for case .request(_, .attach(let offer)) in effects { identifiers.append(offer.firstPacketIdentifier) }
            effects = []
            let attached = Attached(sessionPresent: false, sessionExpiryInterval: 0)
            gateway.handle(.answered(slot: 0, .attached(attached), nil), now: now, into: &effects)
            gateway.handle(.received(.disconnect(duration: nil), from: path), now: now, into: &effects)
            effects = []
        }
        return identifiers
    }
}
