import Authentication
import Bytes
import Clockwork
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

/// Connections, a clock and a broker that answers nothing but CONNECT: what the tests of the connections stand in.
///
/// What goes in are bytes in fixture notation; what comes out, requests and packets, is one line of words each.
final class ConnectionWorld {
    var connections: Connections
    var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_700_000_000)
    /// How the broker answers CONNECT; nil leaves it open.
    var answersConnect: (SessionOffer) -> LinkAnswer? = { offer in
        .attached(Attached(sessionPresent: false, sessionExpiryInterval: offer.sessionExpiryInterval))
    }
    /// Passwords that are to be checked.
    var checks: [(slot: Int, ticket: UInt32, check: PasswordUsers.Check)] = []
    /// How many packets went the short way.
    private(set) var shortCuts = 0
    private var effects: [ConnectionEffect] = []
    private var requests: [Int: [String]] = [:]
    private var logs: [ConnectionLog] = []

    init(_ limits: (inout ConnectionLimits) -> Void = { _ in }) {
        var changed = ConnectionLimits()
        limits(&changed)
        connections = Connections(limits: changed)
    }

    deinit {
        connections.tearDown()
    }

    // MARK: What happens

    func open(listener: UInt16 = 0) throws -> Int {
        let slot = connections.open(listener: listener, now: now)
        return try #require(slot)
    }

    /// A connection that has its CONNACK, which was read, as was the request for its session.
    func client(_ version: ProtocolVersion, id: String = "'p'", properties: String = "") throws -> Int {
        let slot = try open()
        try feed(slot, connect(version, id: id, properties: properties))
        _ = heard(slot)
        _ = asked(slot)
        _ = logged()
        return slot
    }

    /// Bytes of one read.
    /// - Parameter shortly: whether packets may go the short way.
    func feed(_ slot: Int, _ bytes: [UInt8], shortly: Bool = false) {
        bytes.withUnsafeBytes { memory in
            var input = ByteView(memory)
            while true {
                if shortly, let request = connections.nextBrief(slot, &input, now: now) {
                    requests[slot, default: []].append(describe(LinkRequest(request)))
                    shortCuts += 1
                    continue
                }
                guard let request = connections.next(slot, &input, now: now, into: &effects) else { break }
                requests[slot, default: []].append(describe(request))
                if case .attach(let offer) = request, let answer = answersConnect(offer) {
                    connections.answer(slot, answer, now: now, into: &effects)
                }
                take()
            }
            #expect(input.isEmpty)
        }
        take()
    }

    func feed(_ slot: Int, _ notation: String) throws {
        feed(slot, try FixtureNotation.bytes(notation))
    }

    /// Lets what came before a CONNACK be handled, as the engine does.
    func feedHeld() {
        while let (slot, request) = connections.nextHeld(now: now, into: &effects) {
            requests[slot, default: []].append(describe(request))
            take()
        }
        take()
    }

    /// Checks the passwords that wait for it.
    func check() {
        let waiting = checks
        checks = []
        for (slot, ticket, check) in waiting { checked(slot, ticket, check.isPassed() ? .passed : .failed) }
    }

    func checked(_ slot: Int, _ ticket: UInt32, _ verdict: Connections.Verdict) {
        if let request = connections.checked(slot, ticket: ticket, verdict, into: &effects) {
            requests[slot, default: []].append(describe(request))
            if case .attach(let offer) = request, let answer = answersConnect(offer) {
                connections.answer(slot, answer, now: now, into: &effects)
            }
        }
        take()
    }

    func setListenerRules(_ listeners: [ConnectionLimits.Listener]) {
        connections.setListenerRules(listeners, into: &effects)
        take()
    }

    func answer(_ slot: Int, _ answer: LinkAnswer) {
        connections.answer(slot, answer, now: now, into: &effects)
        take()
    }

    func deliver(_ slot: Int, _ delivery: TestDelivery) {
        delivery.withView { delivery, message, identifiers in
            connections.deliver(slot, delivery, message, identifiers: identifiers, into: &effects)
        }
        take()
    }

    func advance(_ duration: Duration) {
        now.instant = now.instant + duration
        connections.advance(to: now, into: &effects)
        take()
    }

    func wrote(_ count: Int, of slot: Int) {
        connections.wrote(count, of: slot, into: &effects)
        take()
    }

    func end(_ slot: Int) {
        connections.ended(slot, into: &effects)
        take()
    }

    private func take() {
        for effect in effects {
            switch effect {
            case .request(let link, let request): requests[link.slot, default: []].append(describe(request))
            case .check(let slot, let ticket, let check): checks.append((slot, ticket, check))
            case .log(_, let log): logs.append(log)
            }
        }
        effects.removeAll()
    }

    // MARK: What is seen

    /// What a connection asked of the broker since the last call.
    func asked(_ slot: Int) -> [String] { requests.removeValue(forKey: slot) ?? [] }

    /// What was logged since the last call.
    func logged() -> [ConnectionLog] {
        defer { logs = [] }
        return logs
    }

    /// The bytes that wait for the socket.
    func pending(_ slot: Int) -> [UInt8] { Array(connections.output(of: slot).memory) }

    /// The packets that waited for the socket, which has written them.
    func heard(_ slot: Int) -> [String] {
        let bytes = pending(slot)
        let version = connections.connections[slot].version
        var words: [String] = []
        bytes.withUnsafeBytes { memory in
            var rest = ByteView(memory)
            while !rest.isEmpty {
                guard let frame = try? MQTTFrame.next(in: rest, maximumPacketSize: .max),
                    let packet = try? MQTTPacket.decode(frame, version: version)
                else { return words.append("undecodable " + FixtureNotation.hex(rest)) }
                words.append(describe(packet))
                rest = rest.dropFirst(frame.byteCount)
            }
        }
        wrote(bytes.count, of: slot)
        return words
    }

    /// Whether deliveries half filled an output since the last call.
    func takesMuchOutput() -> Bool { connections.takeMuchOutput() }

    /// Whether the connection is on its way to the end; the adapter was told so once.
    func isClosing(_ slot: Int) -> Bool {
        if case .closing = connections.connections[slot].state { true } else { false }
    }
}

// MARK: - Bytes

/// A packet with this first byte and a Remaining Length that fits the body.
func packet(_ first: String, _ body: String) throws -> [UInt8] {
    let body = try FixtureNotation.bytes(body)
    var output = OutputBuffer()
    defer { output.deallocate() }
    output.append(variableByteInteger: body.count)
    return try FixtureNotation.bytes(first) + Array(output.pending.memory) + body
}

/// A CONNECT; `rest` is what follows the client id, and `properties` counts in MQTT 5 only.
func connect(
    _ version: ProtocolVersion, id: String = "'p'", flags: String = "02", keepAlive: String = "003c",
    properties: String = "", rest: String = ""
) throws -> [UInt8] {
    let name = version == .v3_1 ? "0006 'MQIsdp'" : "0004 'MQTT'"
    let level = "0\(version.rawValue)"
    let section = version == .v5 ? try sized(properties, bytes: 1) : ""
    return try packet("10", "\(name) \(level) \(flags) \(keepAlive) \(section) \(try sized(id, bytes: 2)) \(rest)")
}

/// The text behind its own length.
func sized(_ notation: String, bytes: Int) throws -> String {
    let count = try FixtureNotation.bytes(notation).count
    let digits = String(count, radix: 16)
    return String(repeating: "0", count: 2 * bytes - digits.count) + digits + " " + notation
}

let versions: [ProtocolVersion] = [.v3_1, .v3_1_1, .v5]

/// A message on its way to a client, with the bytes it is made of.
struct TestDelivery {
    var topic: ByteString = "a"
    var payload: ByteString = "x"
    var properties = ByteString()
    var serial: UInt64 = 1
    var expiry: UInt32?
    var qos = QoS.atMostOnce
    var packetIdentifier: UInt16 = 0
    var isDuplicate = false
    var retain = false
    var identifiers: [UInt32] = []

    func withView(_ body: (Delivery, MessageView, [UInt32]) -> Void) {
        let handle: SubscriptionIdentifiers =
            identifiers.isEmpty ? .none : identifiers.count == 1 ? .one(identifiers[0]) : .list(0)
        let delivery = Delivery(
            message: .passing, topic: TopicID(index: 0), identifiers: handle, packetIdentifier: packetIdentifier,
            qos: qos, isDuplicate: isDuplicate, retain: retain)
        topic.withView { topic in
            payload.withView { payload in
                properties.withView { properties in
                    let message = MessageView(
                        serial: serial, topic: TopicID(index: 0), topicName: topic, properties: properties,
                        payload: payload, messageExpiryInterval: expiry)
                    body(delivery, message, identifiers.count > 1 ? identifiers : [])
                }
            }
        }
    }

    /// The packet as the codec writes it, without any memory of what was written before.
    func encoded(_ version: ProtocolVersion) -> [UInt8] {
        var output = OutputBuffer()
        defer { output.deallocate() }
        withView { delivery, message, _ in
            identifiers.withUnsafeBufferPointer { identifiers in
                PublishPacket.encode(
                    topic: message.topicName, packetIdentifier: packetIdentifier, qos: qos, dup: isDuplicate,
                    retain: retain, forwarded: message.properties, messageExpiryInterval: expiry,
                    subscriptionIdentifiers: identifiers, topicAlias: nil, payload: message.payload,
                    version: version, into: &output)
            }
        }
        return Array(output.pending.memory)
    }
}

extension LinkRequest {
    /// The same, as the long way says it.
    init(_ request: BriefRequest) {
        switch request {
        case .publish(let publish): self = .publish(publish)
        case .acknowledge(let acknowledgement): self = .acknowledge(acknowledgement)
        case .release(let identifier): self = .release(packetIdentifier: identifier)
        }
    }
}
