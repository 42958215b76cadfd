import Bytes
import Clockwork
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

/// A gateway with a virtual clock, and its effects as lines of text: `1 CONNACK 0` went to port 1, `0? open` asked the
/// broker in the name of slot 0. The test plays devices and broker.
struct World {
    var gateway: Gateway
    var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_000)
    /// What was logged since the start.
    var logs: [GatewayLog] = []
    /// MsgId of the last REGISTER that was sent.
    var registerID: UInt16 = 0

    init(_ edit: (inout Gateway.Configuration) -> Void = { _ in }) {
        var configuration = Gateway.Configuration()
        configuration.retryJitterPercent = 0
        edit(&configuration)
        gateway = Gateway(configuration: configuration, seed: 1)
    }

    /// A world whose only listener is changed.
    init(listener edit: (inout Gateway.Configuration.Listener) -> Void) {
        self.init { configuration in
            var listener = Gateway.Configuration.Listener()
            edit(&listener)
            configuration.listeners = [listener]
        }
    }

    /// A device's address: the port tells devices apart, the host NATs.
    static func path(_ port: Int, host: Int = 1, listener: UInt16 = 0) -> DatagramPath {
        DatagramPath(
            remote: PeerAddress(ipv4: 0x0A00_0000 + UInt32(host), port: UInt16(port)), listener: listener)
    }

    mutating func receive(_ packet: SNPacket, from port: Int = 1, host: Int = 1, listener: UInt16 = 0) -> [String] {
        handle(.received(packet, from: Self.path(port, host: host, listener: listener)))
    }

    mutating func answer(_ answer: LinkAnswer, slot: Int = 0) -> [String] {
        handle(.answered(slot: slot, answer, nil))
    }

    mutating func handle(_ event: Gateway.Event) -> [String] {
        var effects: [Gateway.Effect] = []
        gateway.handle(event, now: now, into: &effects)
        return lines(effects)
    }

    /// Lets time go by, deadline by deadline.
    mutating func pass(_ duration: Duration) -> [String] {
        let end = now.instant + duration
        var result: [String] = []
        var turns = 0
        while let deadline = gateway.nextDeadline, deadline <= end, turns < 100_000 {
            moveClock(to: max(deadline, now.instant))
            var effects: [Gateway.Effect] = []
            gateway.advance(to: now, into: &effects)
            result += lines(effects)
            turns += 1
        }
        moveClock(to: end)
        return result
    }

    private mutating func moveClock(to instant: Instant) {
        now = Now(instant: instant, unixSeconds: 1_000 + Int64(instant.nanoseconds / 1_000_000_000))
    }

    // MARK: - Whole procedures

    /// CONNECT and the broker's consent.
    mutating func connect(
        _ id: String = "dev", clean: Bool = true, duration: UInt16 = 60, port: Int = 1, host: Int = 1, slot: Int = 0,
        sessionPresent: Bool = false, expiry: UInt32? = nil
    ) -> [String] {
        let asked = receive(.connect(SNConnect(id, clean: clean, duration: duration)), from: port, host: host)
        return asked + attach(slot: slot, sessionPresent: sessionPresent, expiry: expiry ?? (clean ? 0 : .max))
    }

    mutating func attach(slot: Int = 0, sessionPresent: Bool = false, expiry: UInt32 = 0) -> [String] {
        answer(.attached(Attached(sessionPresent: sessionPresent, sessionExpiryInterval: expiry)), slot: slot)
    }

    /// REGISTER and the broker's answer: the device then has an id for the topic.
    mutating func register(_ name: String, topic: UInt32, msgID: UInt16 = 1, port: Int = 1, slot: Int = 0) -> [String] {
        receive(.register(topicID: 0, msgID: msgID, topicName: view(name)), from: port)
            + answer(.resolved(token: msgID, TopicID(index: topic), nil), slot: slot)
    }

    mutating func deliver(
        _ message: UInt32 = 7, topic: UInt32, name: String = "a/b", id: UInt16 = 1, qos: QoS = .atLeastOnce,
        payload: String = "hello", duplicate: Bool = false, retain: Bool = false, slot: Int = 0
    ) -> [String] {
        let delivery = Delivery(
            message: MessageHandle(index: message), topic: TopicID(index: topic),
            packetIdentifier: qos == .atMostOnce ? 0 : id, qos: qos, isDuplicate: duplicate, retain: retain)
        let shown = MessageView(
            serial: UInt64(message), topic: delivery.topic, topicName: view(name), properties: .empty,
            payload: view(payload), messageExpiryInterval: nil)
        return handle(.answered(slot: slot, .deliver(delivery), shown))
    }

    mutating func acknowledge(
        _ kind: Acknowledgement.Kind, _ id: UInt16, _ outcome: PublishOutcome = .success, slot: Int = 0
    ) -> [String] {
        answer(.acknowledge(Acknowledgement(kind, id, outcome)), slot: slot)
    }

    func state(_ slot: Int = 0) -> DeviceState? { gateway.state(of: slot) }

    // MARK: - Effects as text

    private mutating func lines(_ effects: [Gateway.Effect]) -> [String] {
        var result: [String] = []
        for effect in effects {
            switch effect {
            case .log(let log):
                logs.append(log)
                continue
            case .sendRegister(_, let msgID, _, _):
                registerID = msgID
            case .send, .sendPublish, .multicast, .request, .anonymousPublish:
                break
            }
            result.append(text(effect))
        }
        return result
    }
}

extension SNConnect {
    init(_ id: String, will: Bool = false, clean: Bool = true, duration: UInt16 = 60, protocolID: UInt8 = 1) {
        self.init(will: will, cleanSession: clean, protocolID: protocolID, duration: duration, clientID: view(id))
    }
}

extension SNPublish {
    /// Under a normal topic id.
    init(
        _ qos: SNQoS, _ id: UInt16, msgID: UInt16 = 0, _ data: String = "x", dup: Bool = false, retain: Bool = false
    ) {
        self.init(qos, .normal, id, msgID: msgID, data, dup: dup, retain: retain)
    }

    init(
        _ qos: SNQoS, _ type: SNTopicIDType, _ id: UInt16, msgID: UInt16 = 0, _ data: String = "x",
        dup: Bool = false, retain: Bool = false
    ) {
        self.init(
            dup: dup, qos: qos, retain: retain, topicIDType: type, topicID: id, msgID: msgID, data: view(data))
    }
}

/// The bytes of a text, for as long as the tests run.
func view(_ text: String) -> ByteView {
    view(Array(text.utf8))
}

func view(_ bytes: [UInt8]) -> ByteView {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
    memory.copyBytes(from: bytes)
    return ByteView(start: UnsafeRawPointer(memory.baseAddress), count: bytes.count)
}

/// Two characters as a short topic name.
func short(_ name: String) -> UInt16 {
    let bytes = Array(name.utf8)
    return UInt16(bytes[0]) << 8 | UInt16(bytes[1])
}

/// A packet as a test's argument. Unchecked, since its views are of memory that is never written again nor freed.
struct Sample: @unchecked Sendable, CustomTestStringConvertible {
    let packet: SNPacket

    init(_ packet: SNPacket) { self.packet = packet }

    var testDescription: String { "\(packet)" }
}

func samples(_ packets: SNPacket...) -> [Sample] {
    packets.map(Sample.init)
}
