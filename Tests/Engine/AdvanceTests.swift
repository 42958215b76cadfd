import BrokerCore
import Bytes
import Clockwork
import Engine
import Messaging
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

    @Test("Many silent devices are lost in several calls, each due at once after the other, each will once [SN-6.14]")
    func silentDevices() {
        var settings = EngineSettings()
        settings.sysInterval = nil
        settings.advanceWorkMax = 1
        var engine = Engine(settings: settings, seed: 1, now: at(0))
        defer { engine.tearDown() }
        guard let reader = engine.connectionOpened(listener: 0, now: at(0)) else { return }
        receive(connect(0) + [0x82, 6, 0, 1, 0, 1, 0x77, 0], on: reader, &engine)
        engine.wrote(engine.output(of: reader).count, on: reader, now: at(0))
        for number in 1...4 as ClosedRange<UInt8> {
            // CONNECT with Will for ten seconds, WILLTOPIC `w`, WILLMSG `x`; five seconds of tolerance.
            let datagrams: [[UInt8]] = [
                [7, 0x04, 0x0C, 1, 0, 10, 0x61 + number], [4, 0x07, 0, 0x77], [3, 0x09, 0x78],
            ]
            for datagram in datagrams {
                let path = DatagramPath(
                    remote: PeerAddress(ipv4: 0x7F00_0001, port: 1_000 + UInt16(number)), local: .unspecified,
                    interface: 0, listener: 0)
                datagram.withUnsafeBytes { engine.datagramReceived(ByteView($0), from: path, now: at(0)) }
            }
        }
        #expect(engine.broker.gauges.connectedDevices == 4)
        var left: [Int] = []
        for second in [14, 16, 16, 16, 16, 16] as [Int64] {
            receive([0xC0, 0], on: reader, &engine, at: second)
            engine.wrote(2, on: reader, now: at(second))
            engine.advance(to: at(second))
            left.append(engine.broker.gauges.connectedDevices)
            if left.last == 3, let deadline = engine.nextDeadline { #expect(deadline <= at(second).instant) }
        }
        #expect(left == [4, 3, 2, 1, 0, 0])
        #expect(engine.output(of: reader).count == 4 * 6)
        #expect(engine.broker.ledgerImbalance == 0)
    }

    private func receive(_ bytes: [UInt8], on slot: Int, _ engine: inout Engine, at second: Int64 = 0) {
        bytes.withUnsafeBytes { engine.bytesReceived(ByteView($0), on: slot, now: at(second)) }
    }
}
