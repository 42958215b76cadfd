import BrokerCore
import Bytes
import Clockwork
import Engine
import Testing

@Suite struct AdvanceTests {
    private func at(_ seconds: Int64) -> Now {
        Now(instant: Instant(nanoseconds: 1_000_000_000) + .seconds(seconds), unixSeconds: 1_700_000_000 + seconds)
    }

    /// CONNECT with a keep-alive of ten seconds and a will on `w`.
    private func connect(_ number: UInt8) -> [UInt8] {
        var body: [UInt8] = [0, 4]
        body += Array("MQTT".utf8)
        body += [4, 0x06, 0, 10, 0, 1, 0x61 + number, 0, 1, 0x77, 0, 1, 0x78]
        return [0x10, UInt8(body.count)] + body
    }

    @Test("Many silent connections end in several calls, each due at once after the other [MQTT-3.1.2-22]")
    func silent() {
        var settings = EngineSettings()
        settings.sysInterval = nil
        settings.advanceWorkMax = 1
        var engine = Engine(settings: settings, seed: 1, now: at(0))
        defer { engine.tearDown() }
        for number in 0..<5 as Range<UInt8> {
            guard let slot = engine.connectionOpened(listener: 0, now: at(0)) else { continue }
            var bytes = connect(number)
            if number == 0 { bytes += [0x82, 6, 0, 1, 0, 1, 0x77, 0] }
            bytes.withUnsafeBytes { engine.bytesReceived(ByteView($0), on: slot, now: at(0)) }
        }
        #expect(engine.broker.gauges.connectedClients == 5)
        var left: [Int] = []
        for second in [14, 16, 16, 16, 16, 16, 16] as [Int64] {
            // The reader of the wills stays.
            [UInt8]([0xC0, 0]).withUnsafeBytes { engine.bytesReceived(ByteView($0), on: 0, now: at(second)) }
            engine.advance(to: at(second))
            left.append(engine.broker.gauges.connectedClients)
            if left.last == 3, let deadline = engine.nextDeadline { #expect(deadline <= at(second).instant) }
        }
        #expect(left == [5, 4, 3, 2, 1, 1, 1])
        #expect(engine.broker.ledgerImbalance == 0)
    }
}
