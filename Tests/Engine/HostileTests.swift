import Bytes
import Clockwork
import ConnectionCore
import Engine
import Messaging
import Testing

/// What a client that does not read must not be able to do: attack case 86.
@Suite struct HostileTests {
    @Test(
        "A client that never reads is cut off, whatever it asks for",
        arguments: [
            [0xC0, 0x00],  // PINGREQ
            [0x82, 0x06, 0x00, 0x01, 0x00, 0x01, 0x61, 0x00],  // SUBSCRIBE
            [0x32, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01],  // PUBLISH at QoS 1
            [0x62, 0x02, 0x00, 0x01],  // PUBREL
        ] as [[UInt8]])
    func neverReads(request: [UInt8]) {
        var settings = EngineSettings()
        settings.sysInterval = nil
        settings.connections.outputBytesMax = 1_024
        settings.connections.packetBytesMax = 1_024
        let now = Now(instant: Instant(nanoseconds: 1), unixSeconds: 1_700_000_000)
        var engine = Engine(settings: settings, seed: 1, now: now)
        defer { engine.tearDown() }
        guard let slot = engine.connectionOpened(listener: 0, now: now) else {
            Issue.record("not opened")
            return
        }
        let connect: [UInt8] = [
            0x10, 0x0D, 0x00, 0x04, 0x4D, 0x51, 0x54, 0x54, 0x04, 0x02, 0x00, 0x00, 0x00, 0x01, 0x61,
        ]
        connect.withUnsafeBytes { engine.bytesReceived(ByteView($0), on: slot, now: now) }
        let burst = [[UInt8]](repeating: request, count: 10_000).flatMap { $0 }
        burst.withUnsafeBytes { engine.bytesReceived(ByteView($0), on: slot, now: now) }
        #expect(engine.output(of: slot).count < 5_000)
        #expect(engine.takeClosing() == [slot])
    }
}
