internal import Bytes
internal import Messaging

/// What was published and who got it: the promises of the standard are checked against it.
struct Ledger {
    struct Publication {
        let publisher: Int
        let topic: ByteString
        let qos: QoS
        let retain: Bool
        /// Whether the network may double it on its way to the gateway: at QoS 0 each copy is a message.
        let mayMultiply: Bool
        /// Whether the publisher was told that it got through.
        var isCompleted = false
    }

    struct Subscription {
        let filter: ByteString
        var qos: QoS
        /// The publications before this one are not owed; nil while SUBACK has not come.
        var since: Int?
    }

    /// One who receives.
    struct Subscriber {
        let name: String
        /// Whether the session lasts to the end.
        let isPersistent: Bool
        /// Whether its session can outlive its memory: a device that restarts with CleanSession=1 sends the CONNECT
        /// that it sent before, which the gateway takes for a repetition [D-01].
        let forgets: Bool
        /// Whether its network doubles datagrams: then QoS 0 comes in copies.
        let isMultiplied: Bool
        var subscriptions: [Subscription] = []
        /// How often each publication came, retained copies aside.
        var counts: [Int] = []
        /// Publications in the order in which they first came.
        var firsts: [Int] = []
    }

    private(set) var publications: [Publication] = []
    var subscribers: [Subscriber] = []
    /// Messages received, retained copies included.
    private(set) var receipts = 0

    /// Notes a message about to be published; the payload that names it.
    mutating func publish(_ publication: Publication) -> (token: Int, payload: ByteString) {
        publications.append(publication)
        let token = publications.count - 1
        return (token, ByteString("\(token) ") + publication.topic)
    }

    mutating func complete(_ token: Int) {
        publications[token].isCompleted = true
    }

    /// Notes a message that came; what is wrong with it.
    mutating func receive(
        _ payload: ByteString, topic: ByteString, qos: QoS, retain: Bool, by subscriber: Int
    ) -> String? {
        let digits = payload.bytes.prefix { $0 != UInt8(ascii: " ") }
        guard let token = Int(String(decoding: digits, as: UTF8.self)), publications.indices.contains(token) else {
            // A will or a figure of the broker's.
            return nil
        }
        receipts += 1
        let publication = publications[token]
        guard publication.topic == topic, payload == ByteString("\(token) ") + topic else {
            return "\(subscribers[subscriber].name) got message \(token) under \(topic) instead of \(publication.topic)"
        }
        guard !retain else { return nil }
        if subscribers[subscriber].counts.count <= token {
            let missing = token + 1 - subscribers[subscriber].counts.count
            subscribers[subscriber].counts += [Int](repeating: 0, count: missing)
        }
        // A copy that the network made.
        if qos == .atMostOnce, subscribers[subscriber].isMultiplied, subscribers[subscriber].counts[token] > 0 {
            return nil
        }
        subscribers[subscriber].counts[token] += 1
        if subscribers[subscriber].counts[token] == 1 { subscribers[subscriber].firsts.append(token) }
        return nil
    }
}

extension ByteString {
    static func + (left: ByteString, right: ByteString) -> ByteString { ByteString(left.bytes + right.bytes) }
}

// MARK: - The promises

extension Ledger {
    /// What was broken, when everything has been delivered.
    ///
    /// - Parameter isComplete: whether queues were large enough for everything.
    func faults(isComplete: Bool) -> [String] {
        var faults: [String] = []
        for subscriber in subscribers {
            for token in publications.indices {
                if let fault = fault(of: token, subscriber, isComplete) { faults.append(fault) }
            }
            faults += orderFaults(of: subscriber)
        }
        return faults
    }

    private func fault(of token: Int, _ subscriber: Subscriber, _ isComplete: Bool) -> String? {
        let publication = publications[token]
        let count = token < subscriber.counts.count ? subscriber.counts[token] : 0
        let owed = owedQoS(of: token, subscriber)
        let matching = subscriber.subscriptions.filter { $0.filter.matches(publication.topic) }
        // Whatever the subscription's time: at QoS 2 and 0 there is never a second copy.
        if count > 1, !publication.mayMultiply, let highest = matching.map(\.qos).max() {
            let qos = min(highest, publication.qos)
            let isOnce = qos == .exactlyOnce && !subscriber.forgets || qos == .atMostOnce
            // What is published at QoS 1 can be published twice.
            if isOnce, publication.qos != .atLeastOnce {
                return "message \(token) at QoS \(qos.rawValue) came \(count) times to \(subscriber.name)"
            }
        }
        guard count == 0, isComplete, subscriber.isPersistent, publication.isCompleted,
            let owed, min(owed, publication.qos) != .atMostOnce
        else { return nil }
        let message = "message \(token) (\(publication.topic), QoS \(publication.qos.rawValue))"
        return "\(message) never came to \(subscriber.name)"
    }

    /// The quality at which the subscriber is owed the message; nil if its subscriptions came later.
    private func owedQoS(of token: Int, _ subscriber: Subscriber) -> QoS? {
        subscriber.subscriptions.filter { subscription in
            guard let since = subscription.since else { return false }
            return since <= token && subscription.filter.matches(publications[token].topic)
        }.map(\.qos).max()
    }

    /// Messages of one publisher on one topic at one QoS of 1 or 2 come in their order [MQTT-4.6.0-6].
    private func orderFaults(of subscriber: Subscriber) -> [String] {
        var faults: [String] = []
        var lasts: [(key: Publication, token: Int)] = []
        for token in subscriber.firsts {
            let publication = publications[token]
            guard publication.qos != .atMostOnce, let owed = owedQoS(of: token, subscriber), owed != .atMostOnce else {
                continue
            }
            let place = lasts.firstIndex {
                $0.key.publisher == publication.publisher && $0.key.topic == publication.topic
                    && $0.key.qos == publication.qos
            }
            guard let place else {
                lasts.append((publication, token))
                continue
            }
            if lasts[place].token > token {
                faults.append("message \(token) came to \(subscriber.name) after \(lasts[place].token)")
            }
            lasts[place].token = token
        }
        return faults
    }
}

extension ByteString {
    /// Whether this filter matches a topic: level by level, as the standard tells it.
    func matches(_ topic: ByteString) -> Bool {
        let filter = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let levels = topic.bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, level) in filter.enumerated() {
            if level.elementsEqual("#".utf8) { return true }
            guard index < levels.count, level.elementsEqual("+".utf8) || level == levels[index] else { return false }
        }
        return filter.count == levels.count
    }
}
