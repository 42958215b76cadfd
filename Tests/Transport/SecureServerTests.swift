import Bytes
import Clockwork
import ConnectionCore
import Engine
import Foundation
import Messaging
import Reactor
import SecureTransport
import Support
import Testing

@testable import Transport

/// A secured listener, and peers that do not get through its handshake; who gets through is in EndToEnd.
@Suite struct SecureServerTests {
    private static func certificate(_ name: String) -> [UInt8] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/tls")
        return Array((try? Data(contentsOf: folder.appendingPathComponent(name))) ?? Data())
    }

    private static func context() throws -> SecureContext {
        var settings = SecureSettings(kind: .tls)
        settings.pairs = [
            .init(certificates: certificate("server.pem"), key: SecretBytes(certificate("server.key.pem")))
        ]
        return try SecureContext(settings)
    }

    private final class World {
        let server: Server
        let address: PeerAddress
        private let reports = Reports()

        private final class Reports {
            var list: [ServerEvent] = []
        }

        init() throws {
            var settings = EngineSettings()
            settings.sysInterval = nil
            let reports = reports
            server = try Server(settings: settings, seed: 1) { reports.list.append($0) }
            let free = PeerAddress(ipv4: 0x7F00_0001, port: 0)
            let opened = try server.open([
                ListenerPlan(kind: .mqtt, addresses: [free], security: SecureServerTests.context())
            ])
            address = try #require(opened[0].first)
        }

        var events: [ServerEvent] { reports.list }

        func turns(until condition: () -> Bool) -> Bool {
            let end = ContinuousClock.now + .seconds(5)
            while !condition() {
                if ContinuousClock.now > end { return false }
                server.loop.turn(server, timeout: .milliseconds(1))
            }
            return true
        }
    }

    @Test("MQTT in clear on a secured listener is not heard: the connection ends [attack 89]")
    func plaintext() throws {
        let world = try World()
        let peer = try Peer(.stream, at: world.address)
        try peer.send("10 0d 0004 'MQTT' 04 02 003c 0001 'p'")
        let isEnded = world.turns {
            peer.read()
            return peer.isEnded
        }
        #expect(isEnded)
        #expect(peer.received == [])
        #expect(world.server.engine.connections.count == 0)
        #expect(world.server.engine.connections.counters.packetsReceived == 0)
    }

    @Test("A flood of handshakes that fail is told in a few lines and a number [attack 89]")
    func reports() throws {
        let world = try World()
        let count = 2 * FailedHandshakes.toldMax
        for _ in 0..<count {
            let peer = try Peer(.stream, at: world.address)
            try peer.send("00")
            let isEnded = world.turns {
                peer.read()
                return peer.isEnded
            }
            try #require(isEnded)
        }
        let told = world.events.filter { if case .connection(_, .ended(nil, .carrier(_))) = $0 { true } else { false } }
        #expect(told.count == FailedHandshakes.toldMax)
    }

    @Test("At the limit each is told, one more is counted, and the number is told when the time is over")
    func limit() {
        var failed = FailedHandshakes()
        var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 0)
        let told = (0..<FailedHandshakes.toldMax).map { _ in failed.isTold(now) }
        #expect(told.allSatisfy { $0 })
        let isOneMoreTold = failed.isTold(now)
        #expect(!isOneMoreTold)
        let tooEarly = failed.takeUntold(now)
        #expect(tooEarly == nil)
        now.instant = now.instant + FailedHandshakes.period
        let untold = (failed.takeUntold(now), failed.takeUntold(now))
        #expect(untold == (1, nil))
        let isToldAgain = failed.isTold(now)
        #expect(isToldAgain)
    }

    @Test("A listener that was opened with security never loses it, and one without gets none")
    func replacement() throws {
        let world = try World()
        let fresh = try Self.context()
        world.server.replaceSecurity(listener: 0, with: fresh)
        #expect(world.server.securities[0] === fresh)
        world.server.replaceSecurity(listener: 1, with: fresh)
        let plain = try ServerWorld()
        plain.server.replaceSecurity(listener: 0, with: fresh)
        #expect(plain.server.securities[0] == nil)
    }
}
