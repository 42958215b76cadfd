import ConnectionCore
import Engine
import Messaging
import Reactor
import Support
import Testing
import Transport
import WebSocket

/// A server on free loopback ports that turns only when a test says so.
final class ServerWorld {
    let server: Server
    private let events = Events()
    private var mqtt = PeerAddress.unspecified
    private var devices = PeerAddress.unspecified
    private var webSockets = PeerAddress.unspecified

    private final class Events {
        var list: [ServerEvent] = []
    }

    init(_ change: (inout EngineSettings) -> Void = { _ in }) throws {
        var settings = EngineSettings()
        settings.sysInterval = nil
        change(&settings)
        let events = events
        server = try Server(settings: settings, seed: 1) { events.list.append($0) }
        let free = PeerAddress(ipv4: 0x7F00_0001, port: 0)
        let opened = try server.open([
            ListenerPlan(kind: .mqtt, addresses: [free]), ListenerPlan(kind: .mqttsn, addresses: [free]),
            ListenerPlan(kind: .webSocket(WebSocketRules()), addresses: [free]),
        ])
        mqtt = try #require(opened[0].first)
        devices = try #require(opened[1].first)
        webSockets = try #require(opened[2].first)
        _ = takeEvents()
    }

    /// Turns until the condition holds; false if it does not within five seconds.
    func turns(until condition: () -> Bool) -> Bool {
        let end = ContinuousClock.now + .seconds(5)
        while !condition() {
            if ContinuousClock.now > end { return false }
            server.loop.turn(server, timeout: .milliseconds(1))
        }
        return true
    }

    /// A peer whose connection the server has taken.
    func peer(receiveBuffer: Int32? = nil) throws -> Peer {
        try peer(at: mqtt, receiveBuffer: receiveBuffer)
    }

    /// A peer at the listener for WebSockets.
    func webSocketPeer(receiveBuffer: Int32? = nil) throws -> Peer {
        try peer(at: webSockets, receiveBuffer: receiveBuffer)
    }

    private func peer(at address: PeerAddress, receiveBuffer: Int32?) throws -> Peer {
        let before = server.loop.counters.accepted
        let peer = try Peer(.stream, at: address, receiveBuffer: receiveBuffer)
        let isAccepted = turns { server.loop.counters.accepted > before }
        try #require(isAccepted)
        return peer
    }

    /// A peer that has its CONNACK.
    func client(_ id: String, receiveBuffer: Int32? = nil) throws -> Peer {
        let peer = try peer(receiveBuffer: receiveBuffer)
        try peer.send("10 \(hex(12 + id.utf8.count)) 0004 'MQTT' 04 02 0000 00 \(hex(id.utf8.count)) '\(id)'")
        #expect(hears(peer, "20 02 00 00"))
        return peer
    }

    /// A device's socket.
    func device() throws -> Peer { try Peer(.datagrams, at: devices) }

    /// Turns until the peer has heard exactly these bytes, and forgets them.
    func hears(_ peer: Peer, _ notation: String) -> Bool {
        guard let bytes = try? FixtureNotation.bytes(notation) else { return false }
        let isThere = turns {
            peer.read()
            return peer.received.count >= bytes.count
        }
        defer { peer.clear() }
        return isThere && peer.received == bytes
    }

    /// Turns until the peer's connection has ended.
    func ends(_ peer: Peer) -> Bool {
        turns {
            peer.read()
            return peer.isEnded
        }
    }

    /// What the server told its owner since the last call.
    func takeEvents() -> [ServerEvent] {
        defer { events.list = [] }
        return events.list
    }

    private func hex(_ number: Int) -> String { (number < 16 ? "0" : "") + String(number, radix: 16) }
}
