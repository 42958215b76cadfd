import BrokerCore
import Bytes
import Clockwork
import ConnectionCore
import Engine
import MQTTWire
import Messaging
import Support

/// A whole engine under a script of bytes: several clients, time that passes, readers that take little, ends at any
/// moment. Whatever the bytes, the engine lives, sends only well-formed packets of a server, stays within its limits
/// and is empty when everybody has gone.
func fuzzConnection(_ input: ByteView) {
    var stage = Stage()
    defer { stage.engine.tearDown() }
    var reader = ScriptReader(input)
    var steps = 0
    while steps < 400, let step = reader.next() {
        stage.play(step)
        steps += 1
    }
    stage.endAll()
}

/// One line of a script.
enum ConnectionScript {
    /// Bytes for a connection, which is opened if it is not.
    case bytes(connection: Int, ByteView)
    /// The connection's reader takes so much.
    case read(connection: Int, count: Int)
    /// The socket goes.
    case end(connection: Int)
    case pass(Duration)

    /// The fixtures as scripts: one client connects, subscribes and sends the packet, another one is subscribed too.
    static func seeds() throws -> [[UInt8]] {
        let connects = [
            "3.1": "10 10 0006 'MQIsdp' 03 02 003c 0002 'id'", "3.1.1": "10 0e 0004 'MQTT' 04 02 003c 0002 'id'",
            "5.0": "10 14 0004 'MQTT' 05 00 003c 05 11 0000003c 0002 'id'",
        ]
        let other = "10 12 0004 'MQTT' 05 02 003c 03 22 0004 0002 'su' 82 0b 0001 02 0b 05 0003 'a/#' 02"
        var seeds: [[UInt8]] = []
        for vector in try FixtureNotation.vectors(in: "mqtt") {
            let packet = try FixtureNotation.bytes(vector.hex)
            guard packet.count < 250, let connect = connects[vector.version] else { continue }
            var script = chunk(1, try FixtureNotation.bytes(other))
            if packet.first != 0x10 { script += chunk(0, try FixtureNotation.bytes(connect)) }
            script += chunk(0, packet)
            let properties = vector.version == "5.0" ? "09 0003 'a/b' 0007 00" : "08 0003 'a/b' 0007"
            script += chunk(0, try FixtureNotation.bytes("32 \(properties) 'x' c0 00"))
            script += [0x22, 200, 0x30, 4, 0x12] + chunk(1, try FixtureNotation.bytes("40 02 0001"))
            seeds.append(script)
        }
        return seeds
    }

    private static func chunk(_ connection: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [connection, UInt8(bytes.count)] + bytes
    }
}

/// Reads a script: a byte whose upper half says what to do and whose lower half names a connection, then its argument.
private struct ScriptReader {
    private var rest: ByteView

    init(_ input: ByteView) { rest = input }

    mutating func next() -> ConnectionScript? {
        guard rest.count >= 2 else { return nil }
        let (head, argument) = (rest[0], Int(rest[1]))
        let connection = Int(head & 0x03)
        rest = rest.dropFirst(2)
        switch head >> 4 {
        case 1: return .end(connection: connection)
        case 2: return .read(connection: connection, count: argument * 16)
        case 3: return .pass(.milliseconds(argument * argument * 10))
        default:
            let count = min(argument, rest.count)
            defer { rest = rest.dropFirst(count) }
            return .bytes(connection: connection, rest[0..<count])
        }
    }
}

/// The engine and the far ends of its connections.
private struct Stage {
    var engine: Engine
    private var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_800_000_000)
    private var slots: [Int?] = [nil, nil, nil, nil]
    /// What each reader has taken and not yet understood.
    private var taken: [[UInt8]] = [[], [], [], []]
    private let settings: EngineSettings

    init() {
        var settings = EngineSettings()
        settings.broker.queuedMessagesMax = 8
        settings.broker.queuedBytesMax = 2_000
        settings.broker.sessionsMax = 6
        settings.broker.subscriptionsPerSessionMax = 12
        settings.broker.subscriptionsMax = 30
        settings.broker.retainedMessagesMax = 10
        settings.broker.inflightMessagesMax = 4
        settings.connections.connectionsMax = 3
        settings.connections.outputBytesMax = 600
        settings.connections.receiveMaximum = 3
        settings.connections.openMessagesMax = 5
        self.settings = settings
        engine = Engine(settings: settings, seed: 1, now: now)
    }

    mutating func play(_ step: ConnectionScript) {
        switch step {
        case .bytes(let connection, let bytes): receive(bytes, on: connection)
        case .read(let connection, let count): read(connection, count)
        case .end(let connection): end(connection)
        case .pass(let duration): pass(duration)
        }
        closeWhatWantsTo()
    }

    private mutating func receive(_ bytes: ByteView, on connection: Int) {
        if slots[connection] == nil {
            slots[connection] = engine.connectionOpened(listener: 0, now: now)
            taken[connection] = []
        }
        guard let slot = slots[connection] else { return }
        engine.bytesReceived(bytes, on: slot, now: now)
    }

    private mutating func read(_ connection: Int, _ count: Int) {
        guard let slot = slots[connection] else { return }
        let output = engine.output(of: slot)
        let part = output[0..<min(count, output.count)]
        guard !part.isEmpty else { return }
        taken[connection] += part.memory
        engine.wrote(part.count, on: slot, now: now)
        understand(connection)
    }

    /// Every packet that is whole must be one that a server may send, in some version.
    private mutating func understand(_ connection: Int) {
        var used = 0
        taken[connection].withUnsafeBytes { bytes in
            var rest = ByteView(bytes)
            while !rest.isEmpty {
                guard let frame = try? MQTTFrame.next(in: rest, maximumPacketSize: .max) else { break }
                let isKnown = [ProtocolVersion.v5, .v3_1_1].contains { version in
                    (try? MQTTPacket.decode(frame, version: version)) != nil
                }
                guard isKnown else { fail("the server sent \(Array(rest.memory.prefix(frame.byteCount)))") }
                switch frame.type {
                case .connect, .subscribe, .unsubscribe, .pingreq: fail("the server sent a \(frame.type)")
                default: break
                }
                used += frame.byteCount
                rest = rest.dropFirst(frame.byteCount)
            }
        }
        taken[connection].removeFirst(used)
    }

    private mutating func end(_ connection: Int) {
        guard let slot = slots[connection] else { return }
        read(connection, .max)
        slots[connection] = nil
        engine.connectionEnded(slot, now: now)
    }

    private mutating func pass(_ duration: Duration) {
        let end = now.instant + duration
        var turns = 0
        while let due = engine.nextDeadline, due <= end {
            move(to: max(due, now.instant))
            engine.advance(to: now)
            turns += 1
            guard turns < 100_000 else { fail("time stands still at \(now)") }
        }
        move(to: end)
    }

    private mutating func move(to instant: Instant) {
        let seconds = instant.since(now.instant).components.seconds
        now = Now(instant: instant, unixSeconds: now.unixSeconds + seconds)
    }

    private mutating func closeWhatWantsTo() {
        var dirty: [Int] = []
        engine.takeDirty(into: &dirty)
        for slot in engine.takeClosing() {
            guard let connection = slots.firstIndex(of: slot) else { fail("connection \(slot) is not open") }
            end(connection)
        }
        _ = engine.takeLogs()
        let gauges = engine.broker.gauges
        guard gauges.subscriptions <= settings.broker.subscriptionsMax else { fail("too many subscriptions") }
        guard gauges.connectedClients + gauges.offlineSessions <= settings.broker.sessionsMax else {
            fail("too many sessions")
        }
    }

    /// Everybody goes, and for long: only sessions without end and what is retained may stay.
    mutating func endAll() {
        for connection in slots.indices { end(connection) }
        guard engine.connections.count == 0, engine.broker.gauges.connectedClients == 0 else {
            fail("somebody is still here")
        }
        engine.shutDown(now: now)
        let imbalance = engine.broker.ledgerImbalance
        guard imbalance == 0 else { fail("\(imbalance) deliveries are in no account") }
    }
}
