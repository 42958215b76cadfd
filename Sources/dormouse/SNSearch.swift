import ArgumentParser
import Bytes
import Clockwork
import DeviceCore
import Glibc
import Messaging
import Reactor

/// `dormouse sn search`: finds gateways, as a device would (§6.1).
struct SNSearch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Search for MQTT-SN gateways, by SEARCHGW or by listening for ADVERTISE.",
        discussion: "Prints the id and address of each gateway found. Exit code 1 if there is none.",
        helpNames: [.long])

    @Option(name: .shortAndLong, help: "Ask this name or address (default: 127.0.0.1).")
    var host: String?

    @Option(help: "Ask this multicast group, and hear what comes there.")
    var group: String?

    @Option(name: .shortAndLong, help: "The UDP port of gateway or group.")
    var port: UInt16 = 1883

    @Option(help: "The network interface for the group (default: the system's choice).")
    var interface: String?

    @Option(help: "How many hops SEARCHGW and its answer go; 0 for the whole network.")
    var radius: UInt8 = 1

    @Flag(help: "Do not ask: wait for ADVERTISE in the group.")
    var listen = false

    @Option(
        name: .customLong("random-delay"),
        help: "Wait a random time up to so many seconds before asking, as devices do (§6.1: 5).")
    var delayMax = Seconds(0)

    @Option(
        name: [.customShort("C"), .customLong("count")],
        help: "End when so many gateways are found (default: 1 of a host, all of a group).")
    var countMax: Int?

    @Option(
        name: [.customShort("W"), .customLong("timeout")],
        help: "End after so many seconds (default: 5 and the random delay; with --listen no limit).")
    var timeout: Seconds?

    @OptionGroup var talk: SNTalkOptions
    @OptionGroup(title: "Radio") var radio: SNRadioOptions

    func validate() throws {
        guard host == nil || group == nil else { throw ValidationError("Give one of -h and --group.") }
        if group == nil, listen || interface != nil {
            throw ValidationError("--listen and --interface go with --group.")
        }
        if let countMax, countMax < 1 { throw ValidationError("-C is 1 or more.") }
    }

    func run() throws {
        try talk.reporting {
            let watch = try SNWatch()
            let sockets: [SNSocket]
            if let group {
                let place = try SNGroup(group, port: port, interface: interface, hops: radius)
                sockets = [try place.askingSocket(), try place.hearingSocket()]
            } else {
                sockets = [try SNSocket(host: host ?? "127.0.0.1", port: port)]
            }
            var searcher = Searcher(self, sockets, watch)
            guard try searcher.run() > 0 || searcher.isInterrupted else {
                throw Failure.runtime("no gateway answered at \(place): start one, or name another place")
            }
        }
    }

    fileprivate var place: String { "\(group ?? host ?? "127.0.0.1"):\(port) (UDP)" }
}

/// A search at work.
private struct Searcher {
    private let options: SNSearch
    private let sockets: [SNSocket]
    private let watch: SNWatch
    private let talk: SNTalk
    private var search: GatewaySearch
    private var link: BadLink
    private var effects: [GatewaySearch.Effect] = []
    private var found = 0
    private(set) var isInterrupted = false

    init(_ options: SNSearch, _ sockets: [SNSocket], _ watch: SNWatch) {
        self.options = options
        self.sockets = sockets
        self.watch = watch
        talk = SNTalk(options.talk)
        let seed = options.radio.seed ?? Process.seed
        if let words = options.radio.words { talk.debug("\(words) (--seed \(seed))") }
        link = options.radio.link(seed: seed)
        var settings = GatewaySearch.Settings()
        settings.radius = options.radius
        settings.delayMax = options.delayMax.duration
        settings.asks = !options.listen
        search = GatewaySearch(settings, seed: seed, now: SystemClock.monotonic())
    }

    /// The number of gateways found.
    mutating func run() throws -> Int {
        let countMax = options.countMax ?? (options.group == nil ? 1 : Int.max)
        let end = endAt
        while found < countMax {
            let now = SystemClock.monotonic()
            search.advance(to: now, into: &effects)
            try takeEffects()
            try carry()
            if let end, end <= now { break }
            let due = [search.nextDeadline, link.nextDeadline, end].compactMap { $0 }.min()
            let notice = watch.wait(sockets, for: .outputEnd, until: due)
            if notice.contains(.datagram) { try receive() }
            guard notice.isDisjoint(with: [.interruption, .outputEnd]) else {
                isInterrupted = true
                break
            }
        }
        return found
    }

    private var endAt: Instant? {
        if let timeout = options.timeout { return SystemClock.monotonic() + timeout.duration }
        return options.listen ? nil : SystemClock.monotonic() + .seconds(5) + options.delayMax.duration
    }

    private mutating func receive() throws {
        for socket in sockets {
            switch socket.receive() {
            case .datagram(let bytes, let peer):
                talk.debug(bytes, .down, link.take(bytes, .down, from: peer, now: SystemClock.monotonic()))
            case .refused:
                throw Failure.runtime("nobody listens at \(options.place): start the gateway, or name another place")
            case .nothing: break
            }
        }
        try carry()
    }

    private mutating func carry() throws {
        while let passage = link.arrived(by: SystemClock.monotonic()) {
            switch passage.direction {
            case .up: sockets[0].send(passage.datagram)
            case .down:
                passage.datagram.withView { view in
                    search.received(view, from: passage.peer, now: SystemClock.monotonic(), into: &effects)
                }
                try takeEffects()
            }
        }
    }

    private mutating func takeEffects() throws {
        for effect in effects {
            switch effect {
            case .send(let bytes): talk.debug(bytes, .up, link.take(bytes, .up, now: SystemClock.monotonic()))
            case .found(let gateway):
                found += 1
                Console.output(words(gateway))
            }
        }
        effects.removeAll(keepingCapacity: true)
    }

    private func words(_ gateway: GatewaySearch.Gateway) -> String {
        var words = "gateway \(gateway.gwID) at "
        if gateway.address.isEmpty {
            words += "\(gateway.speaker)"
        } else {
            words += "\(ipv4Address(gateway.address) ?? "'\(gateway.address)'"), says the client at \(gateway.speaker)"
        }
        if let seconds = gateway.advertisedSeconds { words += ", advertised every \(seconds) s" }
        return words
    }

    /// GwAdd has the form of the network below (§5.3.5). Over UDP that is mostly an IPv4 address and a port.
    private func ipv4Address(_ address: ByteString) -> String? {
        guard address.count == 6 else { return nil }
        let number = address.bytes[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let port = UInt16(address.bytes[4]) << 8 | UInt16(address.bytes[5])
        return PeerAddress(ipv4: number, port: port).description
    }
}

/// A multicast group on an interface.
struct SNGroup {
    private let address: SystemAddress
    private let interface: UInt32
    private let hops: Int32
    private let words: String

    init(_ group: String, port: UInt16, interface name: String?, hops: UInt8) throws {
        interface = name.map { if_nametoindex($0) } ?? 0
        if let name, interface == 0 {
            throw Failure.usage("there is no interface '\(name)': `ip link` lists them")
        }
        // The address of an IPv6 group needs its interface.
        let isIPv6 = group.utf8.contains(UInt8(ascii: ":")) && !group.utf8.contains(UInt8(ascii: "%"))
        let host = isIPv6 ? name.map { "\(group)%\($0)" } ?? group : group
        address = try SystemAddress(host: host, port: port, isNumeric: true)
        guard address.peer.isMulticast else {
            throw Failure.usage("'\(group)' is no multicast group: these are 224.0.0.0 to 239.255.255.255 and ff00::/8")
        }
        self.hops = hops == 0 ? 255 : Int32(hops)
        words = "\(group):\(port) (UDP)"
    }

    /// The socket that asks, and hears answers to itself.
    func askingSocket() throws -> SNSocket {
        let descriptor = try open()
        try set(descriptor, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, hops)
        if interface != 0 {
            var request = ip_mreqn()
            request.imr_ifindex = Int32(interface)
            if address.family == AF_INET {
                try set(descriptor, IP_MULTICAST_IF, 0, request)
            } else {
                try set(descriptor, 0, IPV6_MULTICAST_IF, Int32(interface))
            }
        }
        return SNSocket(descriptor: descriptor, to: address)
    }

    /// The socket that hears the group, beside others on this machine that do.
    func hearingSocket() throws -> SNSocket {
        let descriptor = try open()
        var isShared: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isShared, socklen_t(MemoryLayout<Int32>.size))
        guard address.withPointer({ bind(descriptor, $0, $1) }) == 0 else { throw failure() }
        var request = group_req()
        request.gr_interface = interface
        request.gr_group = address.raw
        try set(descriptor, Int32(MCAST_JOIN_GROUP), Int32(MCAST_JOIN_GROUP), request)
        return SNSocket(descriptor: descriptor, to: address)
    }

    private func open() throws -> Int32 {
        let descriptor = socket(address.family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure() }
        return descriptor
    }

    /// Sets an option that has a number of its own in each family.
    private func set<Value>(_ descriptor: Int32, _ ipv4: Int32, _ ipv6: Int32, _ value: Value) throws {
        let isIPv4 = address.family == AF_INET
        let level = Int32(isIPv4 ? IPPROTO_IP : IPPROTO_IPV6)
        let size = socklen_t(MemoryLayout<Value>.size)
        let result = withUnsafePointer(to: value) { setsockopt(descriptor, level, isIPv4 ? ipv4 : ipv6, $0, size) }
        guard result == 0 else { throw failure() }
    }

    private func failure() -> Failure {
        let reason = String(cString: strerror(errno))
        return .runtime("cannot use the group \(words) (\(reason)): name an interface with --interface")
    }
}
