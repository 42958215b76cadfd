import Bytes
import Clockwork
import DeviceCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct GatewaySearchTests {
    /// A search and a made-up clock: what it says, with the time in milliseconds.
    private struct Script {
        var search: GatewaySearch
        private var now = Instant(nanoseconds: 0)
        private(set) var lines: [String] = []

        init(_ settings: GatewaySearch.Settings = GatewaySearch.Settings(), seed: UInt64 = 1) {
            search = GatewaySearch(settings, seed: seed, now: now)
        }

        mutating func wait(_ duration: Duration) {
            let end = now + duration
            while let due = search.nextDeadline, due <= end {
                now = max(now, due)
                var effects: [GatewaySearch.Effect] = []
                search.advance(to: now, into: &effects)
                note(effects)
            }
            now = end
        }

        mutating func receive(_ packet: SNPacket, from port: UInt16 = 1883) {
            var buffer = OutputBuffer()
            defer { buffer.deallocate() }
            #expect(packet.encode(into: &buffer))
            receive(buffer.pending, from: port)
        }

        mutating func receive(_ bytes: ByteView, from port: UInt16 = 1883) {
            var effects: [GatewaySearch.Effect] = []
            search.received(bytes, from: PeerAddress(ipv4: 0x0A00_0001, port: port), now: now, into: &effects)
            note(effects)
        }

        private mutating func note(_ effects: [GatewaySearch.Effect]) {
            for effect in effects {
                switch effect {
                case .send(let bytes):
                    let text = bytes.withView { (try? SNPacket.decode($0))?.description ?? "malformed" }
                    lines.append("\(now.nanoseconds / 1_000_000) \(text)")
                case .found(let gateway):
                    let advertised = gateway.advertisedSeconds.map { " every \($0) s" } ?? ""
                    lines.append("\(gateway.gwID) at \(gateway.speaker) '\(gateway.address)'\(advertised)")
                }
            }
        }

        mutating func taken() -> [String] {
            defer { lines = [] }
            return lines
        }
    }

    @Test("SEARCHGW is repeated at intervals that double [SN-6.1]")
    func repeats() {
        var settings = GatewaySearch.Settings()
        settings.radius = 3
        var script = Script(settings)
        script.wait(.seconds(15))
        #expect(script.taken() == [0, 1, 3, 7, 15].map { "\($0 * 1_000) SEARCHGW radius=3" })
        script.wait(.seconds(512))
        // Beyond 64 s the pauses stay.
        let times = script.taken().compactMap { line in Int(line.prefix { $0 != " " }) }
        #expect(times == [31, 63, 127, 191, 255, 319, 383, 447, 511].map { $0 * 1_000 })
    }

    @Test("GWINFO ends the asking, and each gateway is told once [SN-6.1]")
    func finds() {
        var script = Script()
        script.wait(.zero)
        script.receive(.gwInfo(gwID: 7, gwAdd: .empty))
        script.receive(.gwInfo(gwID: 7, gwAdd: .empty))
        script.receive(.gwInfo(gwID: 8, gwAdd: .empty), from: 1884)
        script.receive(.gwInfo(gwID: 9, gwAdd: .of("ab")))
        script.receive(.advertise(gwID: 7, duration: 900))
        script.wait(.seconds(100))
        #expect(
            script.taken() == [
                "0 SEARCHGW radius=1", "7 at 10.0.0.1:1883 ''", "8 at 10.0.0.1:1884 ''", "9 at 10.0.0.1:1883 'ab'",
                "7 at 10.0.0.1:1883 '' every 900 s",
            ])
        #expect(script.search.nextDeadline == nil)
    }

    @Test("The first SEARCHGW waits a random time up to T_SEARCHGW [SN-6.1]")
    func delays() {
        var settings = GatewaySearch.Settings()
        settings.delayMax = .seconds(5)
        let delays = (UInt64(0)..<50).compactMap { seed in
            GatewaySearch(settings, seed: seed, now: Instant(nanoseconds: 0)).nextDeadline?.nanoseconds
        }
        #expect(Set(delays).count == 50)
        #expect(delays.allSatisfy { $0 < 5_000_000_000 })
        #expect(delays.contains { $0 > 4_000_000_000 } && delays.contains { $0 < 1_000_000_000 })
    }

    @Test("SEARCHGW of another client stands for ours; one with another radius does not [SN-6.1]")
    func givesWay() {
        var settings = GatewaySearch.Settings()
        settings.delayMax = .seconds(5)
        var script = Script(settings)
        let planned = script.search.nextDeadline
        script.receive(.searchGW(radius: 2))
        #expect(script.search.nextDeadline == planned)
        script.receive(.searchGW(radius: 1))
        #expect(script.search.nextDeadline == Instant(nanoseconds: 1_000_000_000))
        // Only during the delay: afterwards ours are repeated at their own times.
        script.receive(.searchGW(radius: 1))
        script.wait(.seconds(3))
        #expect(script.taken() == ["1000 SEARCHGW radius=1", "3000 SEARCHGW radius=1"])
    }

    @Test("A search that only listens asks nothing and hears ADVERTISE")
    func listens() {
        var settings = GatewaySearch.Settings()
        settings.asks = false
        var script = Script(settings)
        #expect(script.search.nextDeadline == nil)
        script.receive(.searchGW(radius: 1))
        script.wait(.seconds(100))
        script.receive(.advertise(gwID: 1, duration: 60))
        #expect(script.taken() == ["1 at 10.0.0.1:1883 '' every 60 s"])
    }

    @Test("Other messages and no messages are passed over")
    func ignores() {
        var script = Script()
        script.wait(.zero)
        for packet in [SNPacket.connack(.accepted), .pingresp, .disconnect(duration: nil)] { script.receive(packet) }
        script.receive(.of("\u{3}\u{2}"))
        script.receive(.empty)
        #expect(script.taken() == ["0 SEARCHGW radius=1"])
        #expect(script.search.nextDeadline != nil)
    }

    @Test("The gateways told apart are bounded")
    func bounded() {
        var script = Script()
        for port in 0..<UInt16(GatewaySearch.gatewaysMax + 10) {
            script.receive(.gwInfo(gwID: 1, gwAdd: .empty), from: port)
        }
        #expect(script.taken().count == GatewaySearch.gatewaysMax)
    }
}
