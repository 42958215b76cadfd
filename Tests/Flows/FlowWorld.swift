import Bytes
import Clockwork
import Configuration
import Engine
import GatewayCore
import MQTTWire
import Messaging
import SimulationKit

@testable import dormouse

/// An engine with a clock of its own, and around it devices, which are nothing but addresses, and MQTT clients.
struct FlowWorld {
    /// What came to a party.
    enum Heard: CustomStringConvertible {
        case datagram([UInt8])
        /// What was said in a group, and how far it goes.
        case multicast([UInt8], hops: UInt8)
        /// A message, as `'topic' 'payload' qos=1 retain`; or `closed`, `refused`.
        case word(String)

        var description: String {
            switch self {
            case .datagram(let bytes): SNWords(bytes)?.description ?? "hex \(Words.quoted(bytes))"
            case .multicast(let bytes, let hops): "\(Heard.datagram(bytes)) within \(hops) hops"
            case .word(let word): word
            }
        }
    }

    private struct App {
        var client: MQTTClient
        var connection: Int?
    }

    private var engine: Engine
    private let settings: EngineSettings
    private var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_700_000_001)
    /// Numbers of the MQTT-SN listeners.
    private let deviceListeners: [UInt16]
    /// Devices in the order of their appearance: the place is the port.
    private var devices: [String] = []
    /// Those that hear a multicast group, from the start on.
    private let members: [String]
    private var apps: [String: App] = [:]
    private var heard: [(party: String, what: Heard)] = []
    /// Something that no flow can mean.
    private(set) var trouble: String?

    init(_ flow: Flow) throws {
        let text = Flow.configuration + (flow.configuration ?? []).map { $0 + "\n" }.joined()
        let outcome = ConfigurationParser.parse("gateway.conf", from: OneFile(text: text))
        guard let configuration = outcome.configuration else {
            throw SNWords.Malformed(description: outcome.diagnostics.map(\.message).joined(separator: "; "))
        }
        var settings = EngineSettings(configuration)
        // Without chance, time in a flow is exact.
        settings.gateway.retryJitterPercent = 0
        for (name, value) in (flow.beyond ?? [:]).sorted(by: { $0.key < $1.key }) {
            try settings.gateway.set(name, value)
        }
        deviceListeners = configuration.listeners.indices.compactMap { index in
            if case .mqttsn = configuration.listeners[index].kind { return UInt16(index) }
            return nil
        }
        self.settings = settings
        let parties = flow.lines.compactMap { $0.split(separator: " ").first.map(String.init) }
        members = Set(parties.filter { Place($0).group != nil }).sorted()
        engine = Engine(settings: settings, seed: 1, now: now)
        engine.startServing(now: now)
    }

    mutating func end() {
        engine.tearDown()
    }

    /// The gateway's process ends as if its power were cut, and starts anew.
    mutating func restart() {
        engine.tearDown()
        engine = Engine(settings: settings, seed: 2, now: now)
        engine.startServing(now: now)
        for name in apps.keys.sorted() where apps[name]?.connection != nil {
            apps[name]?.connection = nil
            apps[name]?.client.closed()
            heard.append((name, .word("closed")))
        }
    }

    // MARK: - What came

    mutating func takeHeard(by party: String) -> Heard? {
        guard let place = heard.firstIndex(where: { $0.party == party }) else { return nil }
        return heard.remove(at: place).what
    }

    var nextHeard: (String, Heard)? { heard.first.map { ($0.party, $0.what) } }

    // MARK: - Time

    mutating func advance(by duration: Duration) {
        let end = now.instant + duration
        var turns = 0
        while let deadline = engine.nextDeadline, deadline <= end, turns < 100_000 {
            moveClock(to: max(deadline, now.instant))
            engine.advance(to: now)
            collect()
            turns += 1
        }
        moveClock(to: end)
        engine.advance(to: now)
        collect()
    }

    private mutating func moveClock(to instant: Instant) {
        now = Now(instant: instant, unixSeconds: 1_700_000_000 + Int64(instant.nanoseconds / 1_000_000_000))
    }

    // MARK: - Devices

    /// Sends a datagram from the party's address, or for a node behind a forwarder from the forwarder's; to the group
    /// from one that is in it.
    mutating func send(_ bytes: [UInt8], from party: String) {
        let place = Place(party)
        let datagram = place.node.map { [UInt8($0.utf8.count + 3), 0xFE, 0] + Array($0.utf8) + bytes } ?? bytes
        let path = knownPath(of: place.device)
        ByteString(datagram).withView { view in
            if let link = link(of: place) {
                engine.datagramReceived(view, inGroup: link, from: path, isOwn: false, now: now)
            } else {
                engine.datagramReceived(view, from: path, now: now)
            }
        }
        collect()
    }

    /// Where the gateway says that a party is.
    mutating func address(of party: String) -> String {
        let place = Place(party)
        let node = ByteString(place.node ?? "")
        return DeviceAddress(knownPath(of: place.device).remote, nodeID: node).description
    }

    private mutating func knownPath(of device: String) -> DatagramPath {
        if !devices.contains(device) { devices.append(device) }
        return path(of: device)
    }

    private func path(of device: String) -> DatagramPath {
        let place = Place(device)
        let port = 10_000 + (devices.firstIndex(of: device) ?? 0)
        return DatagramPath(
            remote: PeerAddress(ipv4: 0x7F00_0000 + UInt32(place.host), port: UInt16(port)),
            listener: listener(of: place))
    }

    /// Whether what is sent there comes to the device, or to the forwarder that it is behind.
    private func leads(_ path: DatagramPath, to device: String) -> Bool {
        let own = self.path(of: device)
        return own.remote == path.remote && own.listener == path.listener
    }

    private func listener(of place: Place) -> UInt16 {
        deviceListeners[min(place.listener, deviceListeners.count) - 1]
    }

    private func link(of place: Place) -> Gateway.GroupLink? {
        place.group.map { Gateway.GroupLink(listener: listener(of: place), number: $0 - 1) }
    }

    // MARK: - Applications

    /// `connect keep will='t' message='x' qos=1 retain`, `subscribe 'a' qos=1`, `publish 'a' 'x' qos=1 retain`,
    /// `disconnect`, `vanish`. Who has not said `connect` before something else does so with a clean session.
    mutating func act(_ words: [String], as party: String) throws {
        let fields = Dictionary(words.compactMap { SNWords.Field($0) }.map { ($0.name, $0.value) }) { first, _ in first
        }
        let qos = QoS(rawValue: UInt8(fields["qos"] ?? "0") ?? 0) ?? .atMostOnce
        let isRetained = words.contains("retain")
        func bytes(_ index: Int) throws -> ByteString {
            guard index < words.count else { throw SNWords.Malformed(description: "what to \(words[0])?") }
            return ByteString(try Words.bytes(words[index]))
        }
        if words[0] == "connect" {
            var will: Will?
            if let topic = fields["will"] {
                will = Will(
                    topic: ByteString(try Words.bytes(topic)),
                    payload: ByteString(try Words.bytes(fields["message"] ?? "''")), qos: qos, retain: isRetained)
            }
            let id = ByteString(try fields["clientID"].map { try Words.bytes($0) } ?? Array(party.utf8))
            return connect(party, cleanStart: !words.contains("keep"), will, id)
        }
        if apps[party]?.connection == nil { connect(party, cleanStart: true, nil, ByteString(party)) }
        switch words[0] {
        case "subscribe": _ = apps[party]?.client.subscribe([(try bytes(1), qos)])
        case "publish":
            apps[party]?.client.publish(
                token: 0, topic: try bytes(1), payload: try bytes(2), qos: qos, retain: isRetained)
        case "disconnect": apps[party]?.client.disconnect()
        case "vanish": break
        default: throw SNWords.Malformed(description: "an application cannot \(words[0])")
        }
        flush(party)
        if words[0] == "disconnect" || words[0] == "vanish" { close(party) }
        collect()
    }

    private mutating func connect(_ party: String, cleanStart: Bool, _ will: Will?, _ clientID: ByteString) {
        let profile = MQTTClient.Profile(clientID, .v3_1_1, cleanStart: cleanStart, will: will)
        apps[party] = App(
            client: MQTTClient(profile), connection: engine.connectionOpened(listener: 0, now: now))
        apps[party]?.client.opened()
        flush(party)
        collect()
    }

    /// Hands over what a client wrote.
    private mutating func flush(_ party: String) {
        guard let app = apps[party], let connection = app.connection, !app.client.output.isEmpty else { return }
        apps[party]?.client.output = []
        ByteString(app.client.output).withView { engine.bytesReceived($0, on: connection, now: now) }
    }

    private mutating func close(_ party: String) {
        guard let connection = apps[party]?.connection else { return }
        apps[party]?.connection = nil
        apps[party]?.client.closed()
        engine.connectionEnded(connection, now: now)
    }

    // MARK: - Everything that follows

    /// Takes what the engine has for everybody, and hands answers back, until there is nothing more.
    private mutating func collect() {
        var isBusy = true
        while isBusy {
            isBusy = false
            // What is due now is due at the end of the turn, such as news of devices.
            if let due = engine.nextDeadline, due <= now.instant { engine.advance(to: now) }
            takeDatagrams()
            takeMulticasts()
            var dirty: [Int] = []
            engine.takeDirty(into: &dirty)
            for connection in dirty { isBusy = deliver(connection) || isBusy }
            for connection in engine.takeClosing() {
                if let party = party(of: connection) {
                    apps[party]?.connection = nil
                    apps[party]?.client.closed()
                    heard.append((party, .word("closed")))
                }
                engine.connectionEnded(connection, now: now)
                isBusy = true
            }
        }
    }

    private mutating func takeDatagrams() {
        for entry in engine.outbox.entries {
            let bytes = Array(engine.outbox.bytes(of: entry).memory)
            guard let device = devices.first(where: { leads(entry.path, to: $0) }) else {
                trouble = "a datagram to nobody: \(Heard.datagram(bytes))"
                continue
            }
            heard.append(Self.unwrap(bytes, to: device))
        }
        engine.clearOutbox()
    }

    private mutating func takeMulticasts() {
        for multicast in engine.takeMulticasts() {
            for member in members where link(of: Place(member)) == multicast.link {
                heard.append((member, .multicast(Array(multicast.bytes.bytes), hops: multicast.hops)))
            }
        }
    }

    /// What came to a forwarder is for the node behind it, if its Ctrl is 0 [D-61].
    private static func unwrap(_ bytes: [UInt8], to device: String) -> (String, Heard) {
        guard bytes.count > 3, bytes[1] == 0xFE, bytes[2] == 0, Int(bytes[0]) < bytes.count, bytes[0] > 3 else {
            return (device, .datagram(bytes))
        }
        let head = Int(bytes[0])
        let node = String(decoding: bytes[3..<head], as: UTF8.self)
        return ("\(node)/\(device)", .datagram(Array(bytes[head...])))
    }

    /// Gives a client its bytes. True if there were any.
    private mutating func deliver(_ connection: Int) -> Bool {
        let bytes = ByteString(engine.output(of: connection))
        guard !bytes.isEmpty else { return false }
        engine.wrote(bytes.count, on: connection, now: now)
        guard let party = party(of: connection) else { return true }
        bytes.withView { apps[party]?.client.receive($0) }
        for event in apps[party]?.client.events ?? [] { note(event, party) }
        apps[party]?.client.events = []
        flush(party)
        return true
    }

    private func party(of connection: Int) -> String? {
        apps.keys.sorted().first { apps[$0]?.connection == connection }
    }

    private mutating func note(_ event: MQTTClient.Event, _ party: String) {
        switch event {
        case .received(let message):
            let retained = message.retain ? " retain" : ""
            let topic = Words.quoted(message.topic.bytes)
            let level = message.qos == .atMostOnce ? "" : " qos=\(message.qos.rawValue)"
            heard.append((party, .word("\(topic) \(Words.quoted(message.payload.bytes))\(level)\(retained)")))
        case .refused: heard.append((party, .word("refused")))
        case .subscribed(_, let codes) where codes.contains { $0.rawValue >= 0x80 }:
            heard.append((party, .word("refused")))
        case .violation(let text): trouble = "\(party): \(text)"
        case .connected, .published, .publishRefused, .abandoned, .subscribed, .unsubscribed, .ponged, .disconnected:
            break
        }
    }
}

/// A party's name says where it is: `node/name@host:listener`, or `name@host:listener#group` in a multicast group.
/// Host 1 and the first listener go without saying.
private struct Place {
    var node: String?
    /// The whole name without the node.
    var device: String
    var host = 1
    var listener = 1
    /// The listener's groups are counted from 1.
    var group: UInt16?

    init(_ party: String) {
        let parts = party.split(separator: "/", maxSplits: 1).map(String.init)
        node = parts.count > 1 ? parts[0] : nil
        device = parts.last ?? ""
        let sections = device.split(separator: "#")
        if sections.count > 1 { group = UInt16(sections[1]) }
        let ends = (sections.first ?? "").split(separator: ":").map(String.init)
        if ends.count > 1 { listener = Int(ends[1]) ?? 1 }
        let hosts = (ends.first ?? "").split(separator: "@")
        if hosts.count > 1 { host = Int(hosts[1]) ?? 1 }
    }
}

/// A configuration that is no file.
private struct OneFile: ConfigurationSource {
    var text: String

    func read(_ path: String) throws(SourceFailure) -> SourceFile {
        SourceFile(bytes: Array(text.utf8), identity: path)
    }

    func names(in path: String) throws(SourceFailure) -> [String] { [] }
}

extension Gateway.Configuration {
    /// What gateway.conf has no directive for.
    fileprivate mutating func set(_ name: String, _ value: String) throws {
        let malformed = SNWords.Malformed(description: "no such setting: \(name) \(value)")
        switch name {
        case "client_id_prefix":
            for index in listeners.indices { listeners[index].clientIDPrefix = ByteString(value) }
        default: throw malformed
        }
    }
}
