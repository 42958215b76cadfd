internal import Bytes
internal import Clockwork
internal import Messaging

/// What was published in a field, who is to get it and who got it, in a form that bears a million messages.
struct FieldLedger {
    /// Messages of one publisher on one topic at one quality: what comes in order [MQTT-4.6.0-6].
    struct Stream: Hashable {
        let publisher: Int
        let topic: ByteString
        let qos: QoS
    }

    /// One who may get a message.
    struct Receiver {
        let number: Int
        /// Whether it is subscribed, and its session lasts.
        let isOwed: Bool
        /// Whether it slept when the message was published; nil if neither that nor active.
        let wasAsleep: Bool?
        var times: UInt8 = 0
    }

    private struct Message {
        let stream: Int
        let at: Instant
        let firstReceiver: Int
        var isCompleted = false
        /// Whether it was under way from a device when the gateway ended: the next one takes it for another message.
        var mayRepeat = false
    }

    private struct Place: Hashable {
        let receiver: Int
        let stream: Int
    }

    private var streams: [Stream] = []
    private var numbers: [Stream: Int] = [:]
    private var messages: [Message] = []
    /// Those of all messages, one behind the other.
    private var receivers: [Receiver] = []
    /// The last message of each stream that came to each receiver. Looked up, never walked through.
    private var lasts: [Place: Int] = [:]
    /// The first message of this life of the gateway: only what is published in it is promised to arrive.
    private var first = 0
    private(set) var receipts = 0

    var count: Int { messages.count }

    /// Notes a message about to be published; the payload that names it.
    mutating func publish(_ stream: Stream, to list: [Receiver], at now: Instant) -> (token: Int, payload: ByteString) {
        let number = numbers[stream] ?? streams.count
        if number == streams.count {
            streams.append(stream)
            numbers[stream] = number
        }
        messages.append(Message(stream: number, at: now, firstReceiver: receivers.count))
        receivers += list
        return (messages.count - 1, ByteString("\(messages.count - 1) says the meter"))
    }

    /// Which message a payload names.
    static func token(in payload: ByteString) -> Int? {
        Int(String(decoding: payload.bytes.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self))
    }

    /// The publisher was told that the message got through.
    mutating func complete(_ token: Int) {
        messages[token].isCompleted = true
    }

    /// The gateway is another one from now on. `isDevice` tells which publishers are devices.
    mutating func restart(isDevice: (Int) -> Bool) {
        for token in first..<messages.count
        where !messages[token].isCompleted && isDevice(streams[messages[token].stream].publisher) {
            messages[token].mayRepeat = true
        }
        first = messages.count
    }

    /// A message that came for the first time.
    struct Receipt {
        let stream: Stream
        let at: Instant
        let wasAsleep: Bool?
        /// Whether it belongs to the gateway's present life.
        let isRecent: Bool
    }

    /// Notes a message that came: as a receipt if it is the first copy, or as a fault. Neither for what is not in the
    /// ledger, and for copies that are allowed.
    mutating func receive(
        _ payload: ByteString, _ topic: ByteString, _ qos: QoS, by number: Int
    ) -> (receipt: Receipt?, fault: String?) {
        guard let token = Self.token(in: payload), messages.indices.contains(token) else { return (nil, nil) }
        receipts += 1
        let message = messages[token]
        let stream = streams[message.stream]
        guard stream.topic == topic, stream.qos == qos else {
            return (nil, "message \(token) came under \(topic) at QoS \(qos.rawValue), not as \(stream)")
        }
        guard let place = receivers(of: token).first(where: { receivers[$0].number == number }) else {
            return (nil, "message \(token) came to \(number), who was never subscribed")
        }
        receivers[place].times = min(receivers[place].times, 254) + 1
        if receivers[place].times > 1 {
            let isFault = qos == .exactlyOnce && !message.mayRepeat
            return (nil, isFault ? "message \(token) at QoS 2 came to \(number) again" : nil)
        }
        let receipt = Receipt(
            stream: stream, at: message.at, wasAsleep: receivers[place].wasAsleep, isRecent: token >= first)
        return (receipt, noteOrder(of: token, message, qos, number))
    }

    private mutating func noteOrder(of token: Int, _ message: Message, _ qos: QoS, _ number: Int) -> String? {
        guard qos != .atMostOnce else { return nil }
        let place = Place(receiver: number, stream: message.stream)
        let last = lasts[place] ?? -1
        lasts[place] = token
        return last > token ? "message \(token) came to \(number) behind \(last)" : nil
    }

    private func receivers(of token: Int) -> Range<Int> {
        let end = token + 1 < messages.count ? messages[token + 1].firstReceiver : receivers.count
        return messages[token].firstReceiver..<end
    }

    /// What was promised in this life of the gateway and has not come: who misses which message.
    var missing: [(receiver: Int, token: Int, stream: Stream)] {
        (first..<messages.count).flatMap { token -> [(receiver: Int, token: Int, stream: Stream)] in
            let stream = streams[messages[token].stream]
            guard messages[token].isCompleted, stream.qos != .atMostOnce else { return [] }
            return receivers(of: token).filter { receivers[$0].isOwed && receivers[$0].times == 0 }
                .map { (receivers[$0].number, token, stream) }
        }
    }
}
