import Bytes
import Clockwork
import Engine
import GatewayCore
import MQTTSNWire
import Messaging

/// An engine, the clients of a workload, and what they say in a turn.
struct Bench {
    let workload: Workload
    /// Messages that have reached whom they are for.
    private(set) var delivered = 0
    private var engine: Engine
    private var instant = Instant(nanoseconds: 1_000_000_000)
    private var dirty: [Int] = []
    private var publisher = 0
    private var subscribers: [Int] = []
    /// What the publisher sends in a turn.
    private var publishes: [UInt8] = []
    /// What the subscriber has to answer.
    private var answers: [UInt8] = []
    private var datagram = OutputBuffer()

    private static let payload = [UInt8](repeating: 0x78, count: 64)
    private static let topic = Array("plant/hall-7/temperature".utf8)
    private static let device = DatagramPath(
        remote: PeerAddress(ipv4: 0x0A00_0001, port: 2_000), local: PeerAddress(ipv4: 0x0A01_0001, port: 0))

    private var now: Now { Now(instant: instant, unixSeconds: 1_700_000_000) }

    init(_ workload: Workload) {
        self.workload = workload
        var settings = EngineSettings()
        settings.sysInterval = nil
        engine = Engine(settings: settings, seed: 1, now: Now(instant: instant, unixSeconds: 1_700_000_000))
        if workload == .downlink { connectDevice(subscribing: true) }
        if workload == .uplink { connectDevice(subscribing: false) }
        if workload != .downlink {
            for number in 0..<workload.receivers { subscribers.append(connectSubscriber(number)) }
        }
        if workload != .uplink { publisher = connect("p") }
        for number in 1...Workload.batch { publishes += publish(UInt8(number)) }
        // The first messages are not like the others: tables grow, routes are made.
        for _ in 0..<3 { turn() }
        delivered = 0
    }

    mutating func tearDown() {
        engine.tearDown()
        datagram.deallocate()
    }

    // MARK: - A turn

    mutating func turn() {
        instant = instant + .microseconds(100)
        switch workload {
        case .uplink: for number in 1...Workload.batch { sendUp(UInt16(number)) }
        case .downlink: write(publishes, publisher)
        case .mqttQoS0, .mqttQoS1, .mqttQoS2, .fanOut: write(publishes, publisher)
        }
        repeat {
            acknowledgeDatagrams()
            flush()
        } while !engine.outbox.entries.isEmpty
    }

    /// What the sockets do at the end of a turn; clients answer at once.
    private mutating func flush() {
        for _ in 0..<4 {
            engine.takeDirty(into: &dirty)
            guard !dirty.isEmpty else { return }
            for slot in dirty { take(slot) }
        }
    }

    private mutating func take(_ slot: Int) {
        let output = engine.outputToWrite(of: slot)
        answers.removeAll(keepingCapacity: true)
        answer(output, isPublisher: slot == publisher && workload != .uplink)
        engine.wrote(output.count, on: slot, now: now)
        if !answers.isEmpty { write(answers, slot) }
    }

    /// Goes through the packets, all of them short, and says what they ask for.
    private mutating func answer(_ output: ByteView, isPublisher: Bool) {
        var place = 0
        while place < output.count {
            let length = Int(output[place + 1])
            let identifier = place + 2
            switch output[place] & 0xF0 {
            case 0x30:
                delivered += 1
                let qos = output[place] >> 1 & 3
                let behindTopic = identifier + 2 + Self.topic.count
                if qos == 1 { answers += [0x40, 2, output[behindTopic], output[behindTopic + 1]] }
                if qos == 2 { answers += [0x50, 2, output[behindTopic], output[behindTopic + 1]] }
            case 0x50: answers += [0x62, 2, output[identifier], output[identifier + 1]]
            case 0x60: answers += [0x70, 2, output[identifier], output[identifier + 1]]
            default: break
            }
            place += 2 + length
        }
    }

    private mutating func write(_ bytes: [UInt8], _ slot: Int) {
        bytes.withUnsafeBytes { engine.bytesReceived(ByteView($0), on: slot, now: now) }
    }

    // MARK: - MQTT

    private mutating func connect(_ name: String) -> Int {
        guard let slot = engine.connectionOpened(listener: 0, now: now) else { preconditionFailure("no connection") }
        let id = Array(name.utf8)
        write([0x10, UInt8(12 + id.count), 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 0, 0, UInt8(id.count)] + id, slot)
        flush()
        return slot
    }

    private mutating func connectSubscriber(_ number: Int) -> Int {
        let slot = connect("s\(number)")
        let filter = [0, UInt8(Self.topic.count)] + Self.topic + [workload.qos]
        write([0x82, UInt8(2 + filter.count), 0, 1] + filter, slot)
        flush()
        return slot
    }

    private func publish(_ identifier: UInt8) -> [UInt8] {
        let body =
            [0, UInt8(Self.topic.count)] + Self.topic + (workload.qos > 0 ? [0, identifier] : []) + Self.payload
        return [0x30 | workload.qos << 1, UInt8(body.count)] + body
    }

    // MARK: - MQTT-SN

    private mutating func connectDevice(subscribing: Bool) {
        ByteString("node-1").withView { clientID in
            say(.connect(SNConnect(will: false, cleanSession: true, duration: .max, clientID: clientID)))
        }
        ByteString(Self.topic).withView { topic in
            if subscribing {
                say(.subscribe(SNSubscribe(qos: .atLeastOnce, msgID: 1, topic: .name(topic))))
            } else {
                say(.register(topicID: 0, msgID: 1, topicName: topic))
            }
        }
    }

    private mutating func sendUp(_ msgID: UInt16) {
        Self.payload.withUnsafeBytes { payload in
            say(
                .publish(
                    SNPublish(qos: .one, topicIDType: .normal, topicID: 1, msgID: msgID, data: ByteView(payload))))
        }
    }

    private mutating func say(_ packet: SNPacket) {
        engine.clearOutbox()
        datagram.truncate(to: 0)
        precondition(packet.encode(into: &datagram))
        engine.datagramReceived(datagram.pending, from: Self.device, now: now)
    }

    /// The device answers what it is sent.
    private mutating func acknowledgeDatagrams() {
        guard workload == .downlink else { return engine.clearOutbox() }
        var acknowledged: [(topicID: UInt16, msgID: UInt16)] = []
        for entry in engine.outbox.entries {
            guard let packet = try? SNPacket.decode(engine.outbox.bytes(of: entry)),
                case .publish(let publish) = packet
            else { continue }
            delivered += 1
            acknowledged.append((publish.topicID, publish.msgID))
        }
        engine.clearOutbox()
        for (topicID, msgID) in acknowledged {
            datagram.truncate(to: 0)
            precondition(SNPacket.puback(topicID: topicID, msgID: msgID, .accepted).encode(into: &datagram))
            engine.datagramReceived(datagram.pending, from: Self.device, now: now)
        }
    }
}
