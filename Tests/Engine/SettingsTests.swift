import Bytes
import Clockwork
import Engine
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct SettingsTests {
    private let now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_700_000_000)

    private func engine(_ edit: (inout EngineSettings) -> Void) -> Engine {
        var settings = EngineSettings()
        settings.sysInterval = nil
        edit(&settings)
        return Engine(settings: settings, seed: 1, now: now)
    }

    private func send(_ bytes: [UInt8], to engine: inout Engine) {
        let path = DatagramPath(remote: PeerAddress(ipv4: 0x7F00_0001, port: 9))
        bytes.withUnsafeBytes { engine.datagramReceived(ByteView($0), from: path, now: now) }
    }

    @Test("Subscriptions of clients and devices are logged if that is wanted")
    func subscriptions() throws {
        for isWanted in [false, true] {
            var engine = engine { $0.logsSubscriptions = isWanted }
            defer { engine.tearDown() }
            let opened = engine.connectionOpened(listener: 0, now: now)
            let connection = try #require(opened)
            let packets: [[UInt8]] = [
                [0x10, 13, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 1] + Array("c".utf8),
                [0x82, 12, 0, 1, 0, 3] + Array("a/#".utf8) + [1, 0, 1] + Array("b".utf8) + [0],
                [0xA2, 7, 0, 2, 0, 3] + Array("a/#".utf8),
            ]
            for packet in packets {
                packet.withUnsafeBytes { engine.bytesReceived(ByteView($0), on: connection, now: now) }
            }
            send([7, 0x04, 0x04, 0x01, 0, 60] + Array("d".utf8), to: &engine)
            send([8, 0x12, 0x40, 0, 1] + Array("x/y".utf8), to: &engine)
            send([8, 0x14, 0x00, 0, 2] + Array("x/y".utf8), to: &engine)
            let logs = engine.takeLogs().compactMap { log -> SubscriptionLog? in
                if case .subscription(let log) = log { log } else { nil }
            }
            let all: [SubscriptionLog] = [
                .subscribe("c", filter: "a/#", .atLeastOnce), .subscribe("c", filter: "b", .atMostOnce),
                .unsubscribe("c", filter: "a/#"), .subscribe("d", filter: "x/y", .exactlyOnce),
                .unsubscribe("d", filter: "x/y"),
            ]
            #expect(logs == (isWanted ? all : []))
        }
    }

    @Test("A datagram longer than allowed counts as malformed, one at the limit does not")
    func datagramLength() {
        for (length, isTaken) in [(20, true), (21, false), (200, false)] {
            var engine = engine { $0.datagramBytesMax = 20 }
            defer { engine.tearDown() }
            let name = [UInt8](repeating: UInt8(ascii: "d"), count: length - 6)
            send([UInt8(length), 0x04, 0x04, 0x01, 0, 60] + name, to: &engine)
            #expect(engine.gateway.deviceCount == (isTaken ? 1 : 0))
            #expect(engine.gateway.counters.malformed == (isTaken ? 0 : 1))
        }
    }
}
