import Bytes
import Clockwork
import Engine
import MQTTWire
import Messaging

/// The MQTT side of a script: a client that publishes and is subscribed to everything, and one that takes the names of
/// devices. Both are there whenever they have something to do.
struct FuzzClients {
    private var clients = [Client(name: "mq", isSubscribed: true), Client(name: "", isSubscribed: false)]

    private struct Client {
        var name: ByteString
        let isSubscribed: Bool
        var slot: Int?
        /// What was read and not yet understood.
        var input: [UInt8] = []
        /// Acknowledgements that were not sent yet.
        var owed: [UInt8] = []
        var lastIdentifier: UInt16 = 0
    }

    mutating func take(_ step: DeviceScript.ClientStep, _ engine: inout Engine, _ now: Now) {
        switch step {
        case .publish(let topic, let qos, let retain, let count):
            connect(0, &engine, now)
            publish(topic, qos, retain, count, &engine, now)
        case .acknowledge:
            for index in clients.indices {
                write(clients[index].owed, index, &engine, now)
                clients[index].owed = []
            }
        case .disconnect: end(0, &engine, now)
        case .takeOver(let device):
            end(1, &engine, now)
            clients[1].name = DeviceScript.names[device]
            connect(1, &engine, now)
        }
    }

    /// Reads what the engine wrote, and closes what it wants closed.
    mutating func look(_ engine: inout Engine, _ now: Now) {
        for index in clients.indices { read(index, &engine, now) }
        for slot in engine.takeClosing() {
            guard let index = clients.firstIndex(where: { $0.slot == slot }) else { fail("\(slot) is not open") }
            end(index, &engine, now)
        }
        var dirty: [Int] = []
        engine.takeDirty(into: &dirty)
    }

    mutating func endAll(_ engine: inout Engine, _ now: Now) {
        for index in clients.indices { end(index, &engine, now) }
    }

    // MARK: - Out

    private mutating func connect(_ index: Int, _ engine: inout Engine, _ now: Now) {
        guard clients[index].slot == nil else { return }
        clients[index].slot = engine.connectionOpened(listener: 0, now: now)
        let name = clients[index].name
        name.withView { clientID in
            let connect = ConnectPacket(version: .v3_1_1, cleanStart: true, keepAlive: 0, clientID: clientID)
            write(.connect(connect), index, &engine, now)
        }
        guard clients[index].isSubscribed else { return }
        // SUBSCRIBE to everything at QoS 2.
        write([0x82, 0x06, 0x00, 0x01, 0x00, 0x01, UInt8(ascii: "#"), 0x02], index, &engine, now)
    }

    private mutating func publish(
        _ topic: Int, _ qos: QoS, _ retain: Bool, _ count: Int, _ engine: inout Engine, _ now: Now
    ) {
        clients[0].lastIdentifier = clients[0].lastIdentifier % 200 + 1
        let identifier = qos == .atMostOnce ? 0 : clients[0].lastIdentifier
        let payload = ByteString([UInt8](repeating: UInt8(ascii: "m"), count: count))
        DeviceScript.topics[topic % DeviceScript.topics.count].withView { topic in
            payload.withView { payload in
                let publish = PublishPacket(
                    topic: topic, packetIdentifier: identifier, qos: qos, dup: false, retain: retain, payload: payload)
                write(.publish(publish), 0, &engine, now)
            }
        }
    }

    private mutating func write(_ packet: MQTTPacket, _ index: Int, _ engine: inout Engine, _ now: Now) {
        write(encoded(packet), index, &engine, now)
    }

    private func encoded(_ packet: MQTTPacket) -> [UInt8] {
        var output = OutputBuffer()
        defer { output.deallocate() }
        packet.encode(version: .v3_1_1, into: &output)
        return Array(output.pending.memory)
    }

    private func write(_ bytes: [UInt8], _ index: Int, _ engine: inout Engine, _ now: Now) {
        guard let slot = clients[index].slot, !bytes.isEmpty else { return }
        bytes.withUnsafeBytes { engine.bytesReceived(ByteView($0), on: slot, now: now) }
    }

    private mutating func end(_ index: Int, _ engine: inout Engine, _ now: Now) {
        guard let slot = clients[index].slot else { return }
        clients[index].slot = nil
        clients[index].input = []
        clients[index].owed = []
        engine.connectionEnded(slot, now: now)
    }

    // MARK: - In

    private mutating func read(_ index: Int, _ engine: inout Engine, _ now: Now) {
        guard let slot = clients[index].slot else { return }
        let output = Array(engine.output(of: slot).memory)
        guard !output.isEmpty else { return }
        clients[index].input += output
        engine.wrote(output.count, on: slot, now: now)
        var used = 0
        let input = ByteString(clients[index].input)
        input.withView { view in
            while let frame = try? MQTTFrame.next(in: view.dropFirst(used), maximumPacketSize: .max) {
                guard let packet = try? MQTTPacket.decode(frame, version: .v3_1_1) else {
                    fail("the server sent \(Array(view.dropFirst(used).memory))")
                }
                used += frame.byteCount
                clients[index].owed += acknowledgement(of: packet)
            }
        }
        clients[index].input.removeFirst(used)
    }

    private func acknowledgement(of packet: MQTTPacket) -> [UInt8] {
        switch packet {
        case .publish(let publish) where publish.qos == .atLeastOnce:
            encoded(.puback(AckPacket(packetIdentifier: publish.packetIdentifier)))
        case .publish(let publish) where publish.qos == .exactlyOnce:
            encoded(.pubrec(AckPacket(packetIdentifier: publish.packetIdentifier)))
        case .pubrec(let ack): encoded(.pubrel(AckPacket(packetIdentifier: ack.packetIdentifier)))
        case .pubrel(let ack): encoded(.pubcomp(AckPacket(packetIdentifier: ack.packetIdentifier)))
        default: []
        }
    }
}
