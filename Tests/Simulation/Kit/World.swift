internal import BrokerCore
internal import Bytes
package import Clockwork
package import DeviceCore
package import Engine
package import Messaging

/// The engine in a made-up world: a clock that jumps from event to event, a network that loses, doubles, delays and
/// reorders datagrams, streams that tear bytes apart and break, clients and devices at the other ends.
///
/// All chance comes from one seed, so that one seed is one course of events. What clients and devices experience is
/// left in `happenings` for whoever drives the world: a test or the simulation.
package struct World {
    package var engine: Engine
    package private(set) var now = Instant(nanoseconds: 1_000_000_000)
    /// What the engine is, and what one that takes its place is given.
    let settings: EngineSettings
    package internal(set) var clients: [WorldClient] = []
    package internal(set) var devices: [WorldDevice] = []
    package var network = Network()
    package var streams = Streams()
    /// Where the engine keeps what has to survive; nil for nowhere.
    package var disk: Disk?
    package var trace: Trace
    /// What clients and devices experienced since it was last taken, in order.
    package var happenings: [Happening] = []
    /// Rules that were broken.
    package var faults: [String] = []
    /// What devices took for something else.
    package internal(set) var mistakes: [Mistake] = []

    var random: SeededGenerator
    var queue = EventQueue()
    /// When devices wake up, the soonest first.
    var alarms = DeviceAlarms()
    /// Who is, or was, at an address. Looked up, never walked through.
    var addresses: [PeerAddress: Int] = [:]
    /// Wakes of sleeping devices that the gateway has not ended.
    var wakes = OpenWakes()
    package internal(set) var traffic = Traffic()
    var links: [WorldLink] = []
    /// The link of each connection of the engine.
    var linkOfSlot: [Int?] = []
    private var dirty: [Int] = []
    private var stepsWithoutTime = 0

    /// Something that a client or a device experienced.
    package enum Happening {
        case client(Int, MQTTClient.Event)
        case device(Int, Device.Effect)
        case turn(agent: Int)
        case healed
    }

    package init(
        settings: EngineSettings = EngineSettings(), seed: UInt64, isPrinting: Bool = false, tracesWords: Bool = true
    ) {
        self.settings = settings
        random = SeededGenerator(seed: seed)
        disk = settings.broker.isDurable ? Disk() : nil
        trace = Trace(isPrinting: isPrinting, notesWords: tracesWords)
        let start = Instant(nanoseconds: 1_000_000_000)
        engine = Engine(settings: settings, seed: random.next(), now: Now(instant: start, unixSeconds: 1_700_000_000))
    }

    /// The time as the engine is told.
    package var time: Now {
        Now(instant: now, unixSeconds: 1_700_000_000 + Int64(now.nanoseconds / 1_000_000_000))
    }

    /// Whether bytes or datagrams are under way.
    package var isBusy: Bool { queue.underWay > 0 }

    // MARK: - Time

    /// Lets an agent act later.
    package mutating func scheduleTurn(of agent: Int, after pause: Duration) {
        queue.add(.turn(agent: agent), at: now + pause)
    }

    /// Ends the trouble later.
    package mutating func scheduleHealing(after pause: Duration) {
        queue.add(.heal, at: now + pause)
    }

    /// Lets the time pass, and everything happen that falls into it.
    package mutating func run(for duration: Duration) {
        let end = now + duration
        while step(until: end) {}
        now = end
    }

    /// Lets the next thing happen; false if there is none until `end`.
    package mutating func step(until end: Instant) -> Bool {
        let queued = queue.nextInstant ?? Instant(nanoseconds: .max)
        let engineDue = engine.nextDeadline ?? Instant(nanoseconds: .max)
        var next = min(queued, engineDue)
        var dueDevice: Int?
        if let alarm = alarms.next(among: devices), alarm.due < next { (next, dueDevice) = (alarm.due, alarm.device) }
        guard next <= end else { return false }
        let isLater = next > now
        stepsWithoutTime = isLater ? 0 : stepsWithoutTime + 1
        guard stepsWithoutTime < 200_000 else {
            faults.append("the world stands still at \(now.nanoseconds / 1_000_000) ms")
            return false
        }
        now = max(now, next)
        if let dueDevice {
            advance(device: dueDevice)
        } else if queued <= engineDue, let event = queue.next() {
            perform(event)
        } else {
            engine.advance(to: time)
        }
        pump()
        superviseWakes()
        return true
    }

    private mutating func perform(_ event: WorldEvent) {
        switch event {
        case .datagramUp(let bytes, let sender): datagramArrived(bytes, from: sender)
        case .datagramDown(let bytes, let receiver): datagramArrived(bytes, at: receiver)
        case .uplink(let link): uplinkArrived(link)
        case .downlink(let link): downlinkArrived(link)
        case .writable(let link):
            links[link].awaitsWritable = false
            write(link)
        case .cutNoticed(let link): end(link)
        case .diskDone(let life): diskDone(life: life)
        case .turn(let agent): happenings.append(.turn(agent: agent))
        case .heal: happenings.append(.healed)
        }
    }

    /// What the transport does at the end of a turn.
    package mutating func pump() {
        submitBatch()
        for _ in 0..<4 {
            engine.takeDirty(into: &dirty)
            if dirty.isEmpty { break }
            for slot in dirty {
                if let link = linkOfSlot[slot] { write(link) }
            }
        }
        sendDatagrams()
        for log in engine.takeLogs() { trace.note("\(log)", "engine", now) }
        for slot in engine.takeClosing() {
            guard let link = linkOfSlot[slot] else { continue }
            flush(link)
            end(link)
        }
        submitBatch()
    }

    /// Ends the engine's life.
    package mutating func shutDown() {
        engine.shutDown(now: time)
        pump()
    }

    package mutating func tearDown() {
        engine.tearDown()
    }
}

// MARK: - What agents do

extension World {
    /// A client that is there to be connected. Its number.
    package mutating func addClient(_ profile: MQTTClient.Profile) -> Int {
        clients.append(WorldClient(client: MQTTClient(profile)))
        return clients.count - 1
    }

    /// A device that is there to be connected, at an address of its own or at the one given. Its number.
    package mutating func addDevice(
        _ settings: Device.Settings = Device.Settings(), at address: PeerAddress? = nil, network: Network? = nil
    ) -> Int {
        let address = address ?? PeerAddress(ipv4: 0x0A00_0001 + UInt32(devices.count), port: 10_000)
        addresses[address] = devices.count
        devices.append(WorldDevice(device: Device(settings: settings), address: address, network: network))
        return devices.count - 1
    }

    /// Opens a socket for the client, and sends CONNECT.
    package mutating func connect(client: Int) {
        guard let slot = engine.connectionOpened(listener: 0, now: time) else {
            faults.append("a connection was turned away")
            return
        }
        while linkOfSlot.count <= slot { linkOfSlot.append(nil) }
        linkOfSlot[slot] = links.count
        clients[client].link = links.count
        links.append(WorldLink(client: client, slot: slot))
        use(client) { $0.opened() }
    }

    /// Lets the client do something; what it writes is sent.
    package mutating func use<Result>(_ client: Int, _ body: (inout MQTTClient) -> Result) -> Result {
        let result = body(&clients[client].client)
        flush(client: client)
        return result
    }

    /// The client's end of the socket is gone. What it wrote before arrives, or not; the engine hears of it later.
    package mutating func cut(client: Int, keepsBytes: Bool, noticedAfter pause: Duration) {
        guard let link = clients[client].link else { return }
        links[link].isClientOpen = false
        clients[client].link = nil
        clients[client].client.closed()
        trace.note("cut", name(ofClient: client), now)
        if keepsBytes, !links[link].uplink.isEmpty {
            links[link].endsAfterUplink = true
        } else {
            links[link].uplink = []
            queue.add(.cutNoticed(link: link), at: now + pause)
        }
    }

    /// DISCONNECT, and the end of the socket.
    package mutating func disconnect(client: Int) {
        use(client) { $0.disconnect() }
        cut(client: client, keepsBytes: true, noticedAfter: .zero)
    }

    /// Lets the device do something.
    package mutating func perform(_ command: Device.Command, device: Int) {
        trace.note("\(command)", name(ofDevice: device), now)
        if case .connect(let connect) = command { devices[device].clientID = connect.clientID }
        var effects: [Device.Effect] = []
        devices[device].device.handle(command, now: now, into: &effects)
        alarms.set(device, among: devices)
        take(effects, of: device)
        pump()
    }

    /// The device turns up at another port, as behind a NAT.
    package mutating func rebind(device: Int) {
        let address = devices[device].address
        devices[device].address = address.with(port: address.port &+ 1)
        addresses[devices[device].address] = device
        trace.note("rebound", name(ofDevice: device), now)
    }

    func name(ofClient index: Int) -> String { "c\(index)" }
    func name(ofDevice index: Int) -> String { "d\(index)" }
}

/// A client, and the link it uses.
package struct WorldClient {
    package var client: MQTTClient
    var link: Int?
}

/// A device, and where it is.
package struct WorldDevice {
    package var device: Device
    package var address: PeerAddress
    /// How its own datagrams fare; nil for the world's.
    var network: Network?
    /// What it last called itself.
    var clientID = ClientID()
    /// Where the gateway last kept its record.
    var slot = 0
    /// What the gateway told it and may therefore count on.
    var told = ToldTopics()
    /// What came to it at QoS 2.
    var taken = TakenMessages()
}
