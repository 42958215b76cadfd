package import Bytes
package import Clockwork
internal import MQTTSNWire
internal import Messaging

/// An MQTT-SN 1.2 client: the other end of the gateway, for `dormouse sn` and for the simulation.
///
/// Commands and datagrams go in with the time, effects come out; `nextDeadline` says when to call `advance(to:)`. No
/// socket, no clock, no chance: the caller owns those. Everything that expects an answer is repeated as §6.13 says,
/// and one thing at a time is asked of the gateway, as tiny devices do.
///
/// The value is the device's memory. `restart` forgets what a device without power forgets.
package struct Device {
    package let settings: Settings
    package internal(set) var state = State.disconnected

    /// The session as CONNECT last asked for it; nil before the first one.
    var session: Connect?
    /// What is to be done, in order; the first item is under way while the device is active.
    var work: [Work] = []
    /// The supervision of what was sent last (§6.13).
    var retry: Retry?
    var lastSentAt = Instant(nanoseconds: 0)
    var lastMsgID: UInt16 = 0

    /// Normal topic ids, both ways. Looked up, never walked through.
    var names: [UInt16: ByteString] = [:]
    var ids: [ByteString: UInt16] = [:]
    /// MsgIds at QoS 2 that have come and are not released, and the last ones that were: a late copy of their PUBLISH
    /// must not pass for a new one.
    var received = ReceivedIdentifiers()

    /// The time of the event being handled.
    var now = Instant(nanoseconds: 0)
    /// The effects of the event being handled; empty in between.
    var effects: [Effect] = []

    package init(settings: Settings = Settings()) {
        self.settings = settings
        lastMsgID = settings.firstMsgID &- 1
    }

    /// Where the device stands, in its own eyes (§6.14).
    package enum State: Equatable, Sendable {
        /// Without a connection. Can transition to: `connecting`.
        case disconnected
        /// CONNECT was sent. Can transition to: `active`, `disconnected`.
        case connecting
        /// Can transition to: `leaving`, `disconnected`.
        case active
        /// DISCONNECT was sent, for sleep of so many seconds or for good. Can transition to: `asleep`, `disconnected`.
        case leaving(sleepSeconds: UInt16?)
        /// Can transition to: `awake`, `connecting`, `leaving`.
        case asleep
        /// PINGREQ with the client id was sent. Can transition to: `asleep`, `connecting`, `leaving`.
        case awake
    }

    /// When to repeat, and how often that may still happen.
    struct Retry {
        var due: Instant
        var left: Int
    }
}

// MARK: - In and out

extension Device {
    /// Does what the application wants. Appends what must happen because of it.
    package mutating func handle(_ command: Command, now: Instant, into effects: inout [Effect]) {
        self.now = now
        swap(&self.effects, &effects)
        switch command {
        case .connect(let connect): self.connect(connect)
        case .publish(let token, let publication): publish(token, publication)
        case .register(let token, let name): append(Work(token: token, kind: .register(name)))
        case .subscribe(let token, let topic, let qos): append(Work(token: token, kind: .subscribe(topic, qos)))
        case .unsubscribe(let token, let topic): append(Work(token: token, kind: .unsubscribe(topic)))
        case .updateWillTopic(let token, let topic): append(Work(token: token, kind: .willTopic(topic)))
        case .updateWillMessage(let token, let message): append(Work(token: token, kind: .willMessage(message)))
        case .ping: ping()
        case .sleep(let seconds): leave(sleepSeconds: seconds)
        case .wake: wake()
        case .disconnect: leave(sleepSeconds: nil)
        case .restart: restart()
        }
        swap(&self.effects, &effects)
    }

    /// Takes a datagram. What is no message of a gateway is passed over.
    package mutating func received(_ datagram: ByteView, now: Instant, into effects: inout [Effect]) {
        guard let packet = try? SNPacket.decode(datagram), packet.isFromGateway else { return }
        self.now = now
        swap(&self.effects, &effects)
        switch packet {
        case .connack(let code): connackReceived(code)
        case .willTopicReq: willTopicReqReceived()
        case .willMsgReq: willMsgReqReceived()
        case .register(let topicID, let msgID, let name): registerReceived(topicID, msgID, name)
        case .publish(let publish): publishReceived(publish)
        case .pubrel(let msgID): pubrelReceived(msgID)
        case .regack(let topicID, let msgID, let code): regackReceived(topicID, msgID, code)
        case .puback(let topicID, let msgID, let code): pubackReceived(topicID, msgID, code)
        case .pubrec(let msgID): pubrecReceived(msgID)
        case .pubcomp(let msgID): pubcompReceived(msgID)
        case .suback(let qos, let topicID, let msgID, let code): subackReceived(qos, topicID, msgID, code)
        case .unsuback(let msgID): unsubackReceived(msgID)
        case .pingreq: pingreqReceived()
        case .pingresp: pingrespReceived()
        case .disconnect: disconnectReceived()
        case .willTopicResp(let code): willTopicRespReceived(code)
        case .willMsgResp(let code): willMsgRespReceived(code)
        case .advertise, .searchGW, .gwInfo, .connect, .willTopic, .willMsg, .subscribe, .unsubscribe, .willTopicUpd,
            .willMsgUpd, .encapsulated:
            break
        }
        swap(&self.effects, &effects)
    }

    /// When to call `advance`; nil if only a command or a datagram can change anything.
    package var nextDeadline: Deadline? {
        guard let due = retry?.due else { return keepAliveDue }
        guard let keepAliveDue else { return due }
        return min(due, keepAliveDue)
    }

    /// Does what is due at `now`.
    package mutating func advance(to now: Instant, into effects: inout [Effect]) {
        self.now = now
        swap(&self.effects, &effects)
        if let due = retry?.due, due <= now { retryReached() }
        if let due = keepAliveDue, due <= now { ping() }
        swap(&self.effects, &effects)
    }

    /// Whether nothing is waiting to be said to the gateway.
    package var isIdle: Bool { work.isEmpty }

    /// The topic name behind a normal id; nil if the device does not know it.
    package func name(of topicID: UInt16) -> ByteString? { names[topicID] }
}

// MARK: - Words for the rest

extension Device {
    /// Sends a message; false if it is too long for its length field.
    @discardableResult
    mutating func send(_ packet: SNPacket) -> Bool {
        var buffer = OutputBuffer()
        defer { buffer.deallocate() }
        guard packet.encode(into: &buffer) else { return false }
        effects.append(.send(ByteString(buffer.pending)))
        lastSentAt = now
        return true
    }

    /// Expects an answer to what was just sent for the first time.
    mutating func supervise() {
        retry = Retry(due: now + settings.retryInterval, left: settings.retryCount)
    }

    /// The next MsgId; never 0 (§5.3.8).
    mutating func nextMsgID() -> UInt16 {
        lastMsgID &+= 1
        if lastMsgID == 0 { lastMsgID = 1 }
        return lastMsgID
    }
}
