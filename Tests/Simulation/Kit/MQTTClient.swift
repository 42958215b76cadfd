package import Bytes
package import MQTTWire
package import Messaging

/// A model of an MQTT client: bytes in, bytes out, events. It keeps its session over connections, as the standard
/// asks of one that connects with CleanSession 0, and holds the server to the rules.
package struct MQTTClient {
    /// How the client introduces itself.
    package struct Profile: Sendable {
        package var clientID: ClientID
        package var version: ProtocolVersion
        package var cleanStart: Bool
        package var keepAlive: UInt16
        /// Receive Maximum as announced with MQTT 5; before, what the server is set to.
        package var receiveMaximum: Int
        package var will: Will?

        package init(
            _ clientID: ClientID, _ version: ProtocolVersion = .v3_1_1, cleanStart: Bool = true, keepAlive: UInt16 = 0,
            receiveMaximum: Int = 20, will: Will? = nil
        ) {
            self.clientID = clientID
            self.version = version
            self.cleanStart = cleanStart
            self.keepAlive = keepAlive
            self.receiveMaximum = receiveMaximum
            self.will = will
        }
    }

    package enum Event: Equatable {
        case connected(sessionPresent: Bool)
        case refused(ReasonCode)
        /// Sent at QoS 0, acknowledged at QoS 1, completed at QoS 2.
        case published(token: Int)
        case publishRefused(token: Int, ReasonCode)
        /// Given up: whether it got through is unknown.
        case abandoned(token: Int)
        case subscribed(packetIdentifier: UInt16, [ReasonCode])
        case unsubscribed(packetIdentifier: UInt16)
        case received(Message)
        case ponged
        /// DISCONNECT of an MQTT 5 server.
        case disconnected(ReasonCode)
        /// The server broke a rule.
        case violation(String)
    }

    /// A message that came.
    package struct Message: Equatable {
        package var topic: ByteString
        package var payload: ByteString
        package var qos: QoS
        package var retain: Bool
        package var isDuplicate: Bool
    }

    enum Phase { case offline, connecting, online }

    /// A message at QoS 1 or 2 on its way out.
    struct Outgoing {
        var token: Int
        var topic: ByteString
        var payload: ByteString
        var qos: QoS
        var retain: Bool
        var packetIdentifier: UInt16 = 0
        var isReleasing = false
    }

    package let profile: Profile
    /// What is to be written to the socket.
    package var output: [UInt8] = []
    /// What happened since it was last taken.
    package var events: [Event] = []
    /// Whether acknowledgements wait for `acknowledge`.
    package var holdsAcknowledgements = false

    var phase = Phase.offline
    private var input: [UInt8] = []
    private var lastIdentifier: UInt16 = 0
    /// Messages at QoS 1 and 2 that are not acknowledged, in the order in which they were first sent.
    var inflight: [Outgoing] = []
    /// Messages that wait for the window.
    var waiting: [Outgoing] = []
    /// The server's Receive Maximum.
    var window = 10
    /// Messages at QoS 2 that came and are not released.
    var received: [UInt16] = []
    /// Messages that came on this connection and are not acknowledged.
    var unacknowledged: [UInt16] = []
    private var held: [MQTTPacket] = []
    var hasSession = false

    package init(_ profile: Profile) {
        self.profile = profile
    }

    package var isOnline: Bool { phase == .online }
    package var isOffline: Bool { phase == .offline }
    /// Whether nothing is on its way out, nor half received.
    package var isIdle: Bool { inflight.isEmpty && waiting.isEmpty && received.isEmpty && unacknowledged.isEmpty }

    // MARK: - Commands

    /// The socket is open: CONNECT.
    package mutating func opened() {
        phase = .connecting
        input = []
        output = []
        held = []
        unacknowledged = []
        var properties = OutputBuffer()
        defer { properties.deallocate() }
        if profile.version == .v5 {
            if !profile.cleanStart { properties.append(property: .sessionExpiryInterval, uint32: .max) }
            properties.append(property: .receiveMaximum, uint16: UInt16(clamping: profile.receiveMaximum))
        }
        if profile.cleanStart {
            received = []
            hasSession = false
        }
        let profile = profile
        profile.clientID.withView { clientID in
            profile.withWill { will in
                write(
                    .connect(
                        ConnectPacket(
                            version: profile.version, cleanStart: profile.cleanStart, keepAlive: profile.keepAlive,
                            clientID: clientID, will: will, properties: PropertyList(raw: properties.pending))))
            }
        }
    }

    /// The socket is gone.
    package mutating func closed() {
        phase = .offline
        input = []
        output = []
        held = []
        unacknowledged = []
    }

    package mutating func publish(
        token: Int, topic: ByteString, payload: ByteString, qos: QoS, retain: Bool = false
    ) {
        let message = Outgoing(token: token, topic: topic, payload: payload, qos: qos, retain: retain)
        guard qos != .atMostOnce else {
            send(message, isDuplicate: false)
            events.append(.published(token: token))
            return
        }
        waiting.append(message)
        fillWindow()
    }

    package mutating func subscribe(_ filters: [(ByteString, QoS)]) -> UInt16 {
        let identifier = nextIdentifier()
        var list = OutputBuffer()
        defer { list.deallocate() }
        for (filter, qos) in filters {
            filter.withView {
                list.append(
                    filter: $0, options: SubscriptionOptions(maximumQoS: qos), version: profile.version)
            }
        }
        write(
            .subscribe(
                SubscribePacket(
                    packetIdentifier: identifier,
                    filters: SubscriptionFilters(raw: list.pending, count: filters.count))))
        return identifier
    }

    package mutating func ping() { write(.pingreq) }

    /// DISCONNECT; the caller closes the socket.
    package mutating func disconnect() {
        write(.disconnect(DisconnectPacket()))
    }

    /// Sends the acknowledgements that were held.
    package mutating func acknowledge() {
        let packets = held
        held = []
        for packet in packets { sendAcknowledgement(packet) }
    }

    // MARK: - Input

    /// Bytes came, in order.
    package mutating func receive(_ bytes: ByteView) {
        input.append(contentsOf: bytes.memory)
        let all = ByteString(input)
        var used = 0
        all.withView { view in
            while let packet = next(view, &used) { handle(packet) }
        }
        input.removeFirst(used)
    }

    private mutating func next(_ view: ByteView, _ used: inout Int) -> MQTTPacket? {
        do throws(MQTTDecodeError) {
            guard let frame = try MQTTFrame.next(in: view.dropFirst(used), maximumPacketSize: 1 << 20) else {
                return nil
            }
            used += frame.byteCount
            return try MQTTPacket.decode(frame, version: profile.version)
        } catch {
            events.append(.violation("malformed: \(error)"))
            used = view.count
            return nil
        }
    }

    private mutating func handle(_ packet: MQTTPacket) {
        switch packet {
        case .connack(let connack): connackReceived(connack)
        case .publish(let publish): publishReceived(publish)
        case .pubrel(let ack):
            received.removeAll { $0 == ack.packetIdentifier }
            answer(.pubcomp(AckPacket(packetIdentifier: ack.packetIdentifier)))
        case .puback(let ack): finished(ack, .atLeastOnce)
        case .pubcomp(let ack): finished(ack, .exactlyOnce)
        case .pubrec(let ack): pubrecReceived(ack)
        case .suback(let suback):
            events.append(
                .subscribed(packetIdentifier: suback.packetIdentifier, Array(suback.reasonCodes)))
        case .unsuback(let unsuback): events.append(.unsubscribed(packetIdentifier: unsuback.packetIdentifier))
        case .pingresp: events.append(.ponged)
        case .disconnect(let disconnect): events.append(.disconnected(disconnect.reasonCode))
        case .connect, .subscribe, .unsubscribe, .pingreq, .auth:
            events.append(.violation("a packet that only clients send"))
        }
    }

    private mutating func connackReceived(_ connack: ConnackPacket) {
        guard phase == .connecting else { return events.append(.violation("a second CONNACK")) }
        guard connack.reasonCode == .success else { return events.append(.refused(connack.reasonCode)) }
        phase = .online
        if let maximum = connack.properties.uint16(.receiveMaximum) { window = Int(maximum) }
        if hasSession, !connack.sessionPresent { events.append(.violation("the session is gone")) }
        if profile.cleanStart, connack.sessionPresent { events.append(.violation("a session after a clean start")) }
        hasSession = !profile.cleanStart
        events.append(.connected(sessionPresent: connack.sessionPresent))
        connack.sessionPresent ? resend() : beginAnew()
    }

    private mutating func publishReceived(_ publish: PublishPacket) {
        let message = Message(
            topic: ByteString(publish.topic), payload: ByteString(publish.payload), qos: publish.qos,
            retain: publish.retain, isDuplicate: publish.dup)
        let identifier = publish.packetIdentifier
        if publish.qos != .atMostOnce {
            if !unacknowledged.contains(identifier) { unacknowledged.append(identifier) }
            if unacknowledged.count > profile.receiveMaximum {
                events.append(.violation("\(unacknowledged.count) messages in flight"))
            }
        }
        switch publish.qos {
        case .atMostOnce:
            events.append(.received(message))
        case .atLeastOnce:
            events.append(.received(message))
            answer(.puback(AckPacket(packetIdentifier: identifier)))
        case .exactlyOnce:
            if received.contains(identifier) {
                if !publish.dup { events.append(.violation("packet identifier \(identifier) used twice")) }
            } else {
                received.append(identifier)
                events.append(.received(message))
            }
            answer(.pubrec(AckPacket(packetIdentifier: identifier)))
        }
    }

    private mutating func answer(_ packet: MQTTPacket) {
        if holdsAcknowledgements { held.append(packet) } else { sendAcknowledgement(packet) }
    }

    private mutating func sendAcknowledgement(_ packet: MQTTPacket) {
        switch packet {
        case .puback(let ack), .pubcomp(let ack): unacknowledged.removeAll { $0 == ack.packetIdentifier }
        default: break
        }
        write(packet)
    }

    mutating func nextIdentifier() -> UInt16 {
        repeat {
            lastIdentifier = lastIdentifier == .max ? 1 : lastIdentifier + 1
        } while inflight.contains { $0.packetIdentifier == lastIdentifier }
        return lastIdentifier
    }

    mutating func write(_ packet: MQTTPacket) {
        guard phase != .offline else { return }
        var buffer = OutputBuffer()
        defer { buffer.deallocate() }
        packet.encode(version: profile.version, into: &buffer)
        output.append(contentsOf: buffer.pending.memory)
    }
}

extension MQTTClient.Profile {
    fileprivate func withWill(_ body: (WillFields?) -> Void) {
        guard let will else { return body(nil) }
        will.topic.withView { topic in
            will.payload.withView { payload in
                body(WillFields(qos: will.qos, retain: will.retain, topic: topic, payload: payload))
            }
        }
    }
}
