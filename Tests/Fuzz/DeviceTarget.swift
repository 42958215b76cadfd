import BrokerCore
import Bytes
import Clockwork
import Engine
import GatewayCore
import MQTTSNWire
import Messaging

/// A whole engine under a script of datagrams from several addresses, time, and an MQTT client on the other side.
/// Whatever the script, the engine lives, its books agree after each line, what it sends is well-formed and what a
/// gateway may say then, strangers get no more bytes than they sent, and when everybody has gone nothing is left.
func fuzzDevice(_ input: ByteView) {
    var stage = DeviceStage()
    defer { stage.engine.tearDown() }
    var reader = DeviceScriptReader(input)
    var lines = 0
    while lines < 400, let line = reader.next() {
        stage.play(line)
        lines += 1
    }
    stage.endAll()
}

/// The engine, and what is at the addresses around it.
private struct DeviceStage {
    var engine: Engine
    private var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_800_000_000)
    private let settings = DeviceStage.settings()
    private var clients = FuzzClients()
    /// What was last sent to each address.
    private var last = [[UInt8]](repeating: [], count: DeviceScript.paths.count)
    /// The topic ids that each client id was ever told.
    private var told: [(clientID: ByteString, ids: Set<UInt16>)] = []

    init() {
        engine = Engine(settings: settings, seed: 1, now: now)
    }

    private static func settings() -> EngineSettings {
        var lenient = Gateway.Configuration.Listener()
        lenient.predefinedTopics = [.init(id: 1, name: "p"), .init(id: 2, name: "q/%c")]
        lenient.retryInterval = .seconds(5)
        lenient.retryCount = 2
        lenient.sleepQueue = QueueLimits(messages: 4, bytes: 300)
        lenient.allowsAnonymousPublish = true
        lenient.messageBytesMax = 150
        var strict = lenient
        strict.isStrict = true
        strict.rebind = .address
        strict.clientIDPrefix = "s-"
        strict.allowsInlineNames = true
        var settings = EngineSettings()
        settings.sysInterval = nil
        settings.gateway.listeners = [lenient, strict]
        settings.gateway.sessionExpiryInterval = 100
        settings.gateway.listeners[0].messagesPerWakeMax = 3
        settings.gateway.devicesMax = 4
        settings.gateway.topicsPerDeviceMax = 5
        settings.gateway.topicsMax = 9
        settings.gateway.uplinksPerDeviceMax = 3
        settings.gateway.challengesMax = 2
        settings.gateway.willMessageBytesMax = 60
        settings.gateway.willBytesMax = 100
        settings.broker.sessionsMax = 7
        settings.broker.queuedMessagesMax = 6
        settings.broker.queuedBytesMax = 400
        settings.broker.retainedMessagesMax = 5
        settings.broker.subscriptionsPerSessionMax = 6
        settings.broker.subscriptionsMax = 20
        return settings
    }

    mutating func play(_ line: DeviceScript) {
        switch line {
        case .datagram(let place, let bytes): receive(bytes, from: place)
        case .message(let place, let body):
            guard body.count < 254 else { return }
            let bytes = ByteString([UInt8(body.count + 1)] + Array(body.memory))
            bytes.withView { receive($0, from: place) }
        case .answer(let place, let code): answer(place, code)
        case .pass(let duration): pass(duration)
        case .client(let step):
            observe(asking: nil) { stage in stage.clients.take(step, &stage.engine, stage.now) }
        }
    }

    // MARK: - Devices

    private mutating func receive(_ bytes: ByteView, from place: Int) {
        let path = DeviceScript.paths[place]
        if case .regack(let topicID, _, .accepted)? = try? SNPacket.decode(bytes) { tell(path, topicID) }
        let isStranger = !isKnown(path)
        let sent = observe(asking: path) { stage in
            stage.engine.datagramReceived(bytes, from: path, now: stage.now)
        }
        guard isStranger, !isKnown(path) else { return }
        let count = sent.reduce(0) { $0 + ($1.path.remote == path.remote ? $1.bytes.bytes.count : 0) }
        guard count <= bytes.count else { fail("\(count) bytes for \(bytes.count) of a stranger's") }
    }

    private func isKnown(_ path: DatagramPath) -> Bool {
        slots.contains { engine.gateway.path(of: $0) == path }
    }

    private var slots: Range<Int> { 0..<settings.gateway.devicesMax }

    /// What a device says to what it was last sent; the code is wrong if the script says so.
    private mutating func answer(_ place: Int, _ code: UInt8) {
        let sent = ByteString(last[place])
        sent.withView { view in
            guard let packet = try? SNPacket.decode(view), let reply = reply(to: packet, code) else { return }
            var output = OutputBuffer()
            defer { output.deallocate() }
            guard reply.encode(into: &output) else { fail("the answer is too long") }
            receive(output.pending, from: place)
        }
    }

    private func reply(to packet: SNPacket, _ code: UInt8) -> SNPacket? {
        let code = SNReturnCode(rawValue: code & 0x03)
        switch packet {
        case .willTopicReq: return .willTopic(SNWillTopic(qos: .atLeastOnce, retain: false, topic: topicOfWill))
        case .willMsgReq: return .willMsg(topicOfWill)
        case .register(let topicID, let msgID, _): return .regack(topicID: topicID, msgID: msgID, code)
        case .publish(let publish) where publish.qos == .two && code == .accepted: return .pubrec(msgID: publish.msgID)
        case .publish(let publish): return .puback(topicID: publish.topicID, msgID: publish.msgID, code)
        case .pubrec(let msgID): return .pubrel(msgID: msgID)
        case .pubrel(let msgID): return .pubcomp(msgID: msgID)
        case .pingreq: return .pingresp
        default: return nil
        }
    }

    // MARK: - Time

    private mutating func pass(_ duration: Duration) {
        let end = now.instant + duration
        var turns = 0
        while let due = engine.nextDeadline, due <= end {
            move(to: max(due, now.instant))
            observe(asking: nil) { stage in stage.engine.advance(to: stage.now) }
            turns += 1
            guard turns < 100_000 else { fail("time stands still at \(now)") }
        }
        move(to: end)
    }

    private mutating func move(to instant: Instant) {
        let seconds = instant.since(now.instant).components.seconds
        now = Now(instant: instant, unixSeconds: now.unixSeconds + seconds)
    }

    /// Everybody goes, and stays away for longer than sessions last.
    mutating func endAll() {
        clients.endAll(&engine, now)
        pass(.seconds(30))
        observe(asking: nil) { stage in stage.engine.shutDown(now: stage.now) }
        pass(.seconds(2_000))
        let gauges = engine.broker.gauges
        guard engine.gateway.deviceCount == 0 else { fail("\(engine.gateway.deviceCount) devices are left") }
        guard gauges.connectedDevices + gauges.connectedClients + gauges.offlineSessions == 0 else {
            fail("sessions are left")
        }
        guard gauges.heldMessages == 0, gauges.heldBytes == 0 else { fail("\(gauges.heldMessages) messages are left") }
        guard gauges.subscriptions == 0 else { fail("\(gauges.subscriptions) subscriptions are left") }
    }

    // MARK: - What comes out

    private struct Sent {
        let path: DatagramPath
        let bytes: ByteString
    }

    /// Lets something happen and looks at what it came to. `path` is who asked for it.
    @discardableResult
    private mutating func observe(asking path: DatagramPath?, _ body: (inout DeviceStage) -> Void) -> [Sent] {
        // Where somebody else has spoken since, answers are that one's.
        let sleepers = slots.filter { engine.gateway.state(of: $0) == .asleep && engine.gateway.isReached($0) }
            .filter { slot in engine.gateway.path(of: slot).map { !isTaken($0) } ?? false }
        let names = sleepers.map { engine.gateway.clientID(of: $0) }
        body(&self)
        let sent = engine.outbox.entries.map { Sent(path: $0.path, bytes: ByteString(engine.outbox.bytes(of: $0))) }
        engine.clearOutbox()
        for datagram in sent { take(datagram) }
        for (slot, name) in zip(sleepers, names)
        where engine.gateway.state(of: slot) == .asleep && engine.gateway.clientID(of: slot) == name {
            guard let home = engine.gateway.path(of: slot), home != path, !isTaken(home) else { continue }
            // The claim of another is examined by PINGREQ, asleep or not [D-52].
            let disturbance = sent.first { $0.path == home && $0.bytes.bytes != [0x02, 0x16] }
            if let disturbance { fail("\(name ?? "") sleeps, and was sent \(disturbance.bytes.bytes)") }
        }
        clients.look(&engine, now)
        _ = engine.takeLogs()
        checkBooks()
        return sent
    }

    /// Whether somebody who listens is there now.
    private func isTaken(_ path: DatagramPath) -> Bool {
        slots.contains { slot in
            guard engine.gateway.path(of: slot) == path else { return false }
            return [.active, .awake, .connecting].contains(engine.gateway.state(of: slot))
        }
    }

    private mutating func take(_ datagram: Sent) {
        let path = datagram.path
        datagram.bytes.withView { view in
            guard let packet = try? SNPacket.decode(view), packet.isFromGateway else {
                fail("the gateway sent \(Array(view.memory))")
            }
            switch packet {
            case .regack(let topicID, _, .accepted): tell(path, topicID)
            case .suback(_, let topicID, _, .accepted) where topicID != 0: tell(path, topicID)
            case .publish(let publish) where publish.topicIDType == .normal:
                let isTold = told.contains { $0.clientID == name(at: path) && $0.ids.contains(publish.topicID) }
                if !isTold, name(at: path) != nil { fail("topic id \(publish.topicID) was never told to \(path)") }
            default: break
            }
            guard view.count <= max(150, settings.gateway.listeners[0].messageBytesMax) else {
                fail("\(view.count) bytes in a message to a device")
            }
        }
        if let place = DeviceScript.paths.firstIndex(of: path) { last[place] = datagram.bytes.bytes }
    }

    /// Who is at an address: who spoke there last.
    private func name(at path: DatagramPath) -> ByteString? {
        slots.first { engine.gateway.isReached($0) && engine.gateway.path(of: $0) == path }
            .flatMap { engine.gateway.clientID(of: $0) }
    }

    private mutating func tell(_ path: DatagramPath, _ topicID: UInt16) {
        guard let clientID = name(at: path) else { return }
        if let place = told.firstIndex(where: { $0.clientID == clientID }) {
            told[place].ids.insert(topicID)
        } else {
            told.append((clientID, [topicID]))
        }
    }

    private func checkBooks() {
        let brokerOwes = engine.broker.nextDeadline.map { $0 <= now.instant } ?? false
        if let fault = engine.gateway.contradiction(brokerOwes: brokerOwes) { fail(fault) }
        let imbalance = engine.broker.ledgerImbalance
        guard imbalance == 0 else { fail("\(imbalance) deliveries are in no account") }
        guard engine.gateway.counters.deliveriesOutOfTurn == 0 else { fail("a delivery came out of turn") }
        let gauges = engine.broker.gauges
        guard gauges.subscriptions <= settings.broker.subscriptionsMax else { fail("too many subscriptions") }
        guard gauges.retainedMessages <= settings.broker.retainedMessagesMax else { fail("too much is retained") }
        guard gauges.connectedClients + gauges.connectedDevices + gauges.offlineSessions <= settings.broker.sessionsMax
        else { fail("too many sessions") }
    }
}

/// A view of bytes that live as long as the process.
private var topicOfWill: ByteView {
    let text: StaticString = "b/c"
    return ByteView(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
}
