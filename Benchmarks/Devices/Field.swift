import BrokerCore
import Bytes
import Clockwork
import Engine
import GatewayCore
import MQTTSNWire
import Messaging

/// An engine without sockets, and very many devices that speak to it one after the other.
struct Field {
    let count: Int
    private(set) var engine: Engine
    private var instant = Instant(nanoseconds: 1_000_000_000)
    private var datagram = OutputBuffer()
    /// The MQTT connection that publishes to the devices.
    private var publisher = 0

    private var now: Now { Now(instant: instant, unixSeconds: 1_700_000_000) }

    /// - Parameters:
    ///   - count: how many devices there are, up to 999,999.
    ///   - queuedMessages: how many messages will wait for each of them.
    init(count: Int, queuedMessages: Int) {
        self.count = count
        var settings = EngineSettings()
        settings.sysInterval = nil
        settings.gateway.devicesMax = count
        settings.broker.sessionsMax = count + 1
        settings.broker.subscriptionsMax = count
        settings.broker.heldBytesMax = .max
        settings.broker.heldOverheadBytesMax = .max
        settings.broker.queuedDeliveriesMax = count * queuedMessages + 1
        engine = Engine(settings: settings, seed: 1, now: Now(instant: instant, unixSeconds: 1_700_000_000))
    }

    // MARK: - What devices say

    /// A client id of 12 bytes.
    static func clientID(_ device: Int) -> ByteString {
        let digits = String(1_000_000 + device).dropFirst()
        return ByteString("meter-" + digits)
    }

    /// 255 devices behind each port, for there are not so many ports as devices.
    private static func path(of device: Int) -> DatagramPath {
        let host = UInt32(device % 255 + 1)
        return DatagramPath(
            remote: PeerAddress(ipv4: 0x0A00_0000 | host, port: UInt16(2_000 + device / 255)),
            local: PeerAddress(ipv4: 0x0A01_0001, port: 0), interface: 2)
    }

    /// CONNECT with a session that stays, and the longest keep-alive.
    mutating func connect(_ device: Int) {
        Self.clientID(device).withView { clientID in
            say(.connect(SNConnect(will: false, cleanSession: false, duration: .max, clientID: clientID)), device)
        }
        expectOne("CONNACK") { if case .connack(.accepted) = $0 { true } else { false } }
    }

    mutating func register(_ topic: ByteString, msgID: UInt16, _ device: Int) {
        topic.withView { say(.register(topicID: 0, msgID: msgID, topicName: $0), device) }
        expectOne("REGACK") { if case .regack(_, msgID, .accepted) = $0 { true } else { false } }
    }

    mutating func subscribe(_ topic: ByteString, msgID: UInt16, _ device: Int) {
        topic.withView { say(.subscribe(SNSubscribe(qos: .atLeastOnce, msgID: msgID, topic: .name($0))), device) }
        expectOne("SUBACK") { if case .suback(_, _, msgID, .accepted) = $0 { true } else { false } }
    }

    /// PUBLISH on the topic that was registered first; nobody is subscribed to it.
    mutating func publishUp(_ qos: SNQoS, _ payload: ByteString, _ device: Int) {
        payload.withView { payload in
            let publish = SNPublish(
                qos: qos, topicIDType: .normal, topicID: 1, msgID: qos == .zero ? 0 : 4, data: payload)
            say(.publish(publish), device)
        }
        guard qos != .zero else { return precondition(engine.outbox.entries.isEmpty) }
        expectOne("PUBACK") { if case .puback(1, 4, .accepted) = $0 { true } else { false } }
    }

    /// DISCONNECT with the longest duration.
    mutating func sleep(_ device: Int) {
        say(.disconnect(duration: .max), device)
        expectOne("DISCONNECT") { if case .disconnect(nil) = $0 { true } else { false } }
    }

    /// PINGREQ, and PUBACK for each PUBLISH until PINGRESP comes.
    /// - Returns: how many messages came.
    mutating func wake(_ device: Int) -> Int {
        Self.clientID(device).withView { say(.pingreq(clientID: $0), device) }
        var received = 0
        while true {
            switch answers().first {
            case .publish(let publish):
                received += 1
                say(.puback(topicID: publish.topicID, msgID: publish.msgID, .accepted), device)
            case .pingresp: return received
            case let other: preconditionFailure("a wake brought \(String(describing: other))")
            }
        }
    }

    private mutating func say(_ packet: SNPacket, _ device: Int) {
        engine.clearOutbox()
        datagram.truncate(to: 0)
        precondition(packet.encode(into: &datagram))
        instant = instant + .microseconds(10)
        engine.datagramReceived(datagram.pending, from: Self.path(of: device), now: now)
    }

    private func answers() -> [SNPacket] {
        engine.outbox.entries.compactMap { try? SNPacket.decode(engine.outbox.bytes(of: $0)) }
    }

    private mutating func expectOne(_ what: String, _ isExpected: (SNPacket) -> Bool) {
        let answers = answers()
        precondition(answers.count == 1 && isExpected(answers[0]), "instead of \(what) came \(answers)")
        _ = engine.takeLogs()
    }

    // MARK: - What the publisher says

    /// CONNECT of MQTT 3.1.1, with a clean session and without keep-alive.
    mutating func connectPublisher() {
        guard let slot = engine.connectionOpened(listener: 0, now: now) else { preconditionFailure("no connection") }
        publisher = slot
        write([0x10, 13, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 0, 0, 1, 0x70])
    }

    /// PUBLISH at QoS 1.
    mutating func publish(_ topic: ByteString, _ payload: [UInt8]) {
        let body = [0, UInt8(topic.count)] + topic.bytes + [0, 1] + payload
        precondition(body.count < 128)
        write([0x32, UInt8(body.count)] + body)
    }

    private mutating func write(_ bytes: [UInt8]) {
        ByteString(bytes).withView { engine.bytesReceived($0, on: publisher, now: now) }
        engine.wrote(engine.output(of: publisher).count, on: publisher, now: now)
    }

    // MARK: - Time

    /// Lets time pass as an event loop does: the engine is called when it says so, and not before.
    /// - Returns: how often it was called.
    mutating func pass(_ duration: Duration) -> Int {
        let end = instant + duration
        var calls = 0
        while let deadline = engine.nextDeadline, deadline <= end {
            instant = max(instant, deadline)
            engine.advance(to: now)
            calls += 1
        }
        instant = end
        return calls
    }

    /// How many devices there are of each kind.
    var asleep: Int { engine.gateway.counters[.asleep] }

    mutating func tearDown() {
        engine.tearDown()
        datagram.deallocate()
    }
}
