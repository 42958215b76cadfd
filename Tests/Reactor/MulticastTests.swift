import Bytes
import Messaging
import Reactor
import Testing

@Suite struct MulticastTests {
    /// A group that is for this machine's own use (RFC 2365).
    private let group = PeerAddress(ipv4: 0xEFC0_0707, port: 0)

    /// A loop with a listener's socket and a socket in a group on the loopback interface, as a gateway has them.
    private final class Member {
        let world: Recorder
        let speaker: Token
        let ear: Token
        let group: PeerAddress
        let inbox = DatagramInbox()
        var heard: [(socket: Token, text: String, path: DatagramPath)] = []

        init(_ host: String, port: UInt16 = 0, group wanted: PeerAddress) throws {
            world = try Recorder()
            let address = Recorder.anyPort(host).with(port: port)
            speaker = try world.loop.bindDatagrams(on: address)
            let bound = world.loop.localAddress(of: speaker) ?? .unspecified
            group = wanted.with(port: bound.port)
            ear = try world.loop.join(group, on: world.loop.interface(named: "lo"), beside: speaker)
            world.onDatagrams = { [unowned self] socket in
                _ = world.loop.receive(socket, into: inbox)
                for index in 0..<inbox.count {
                    heard.append((socket, "\(ByteString(inbox.bytes(index)))", inbox.path(index)))
                }
            }
        }

        func say(_ text: ByteString) throws {
            let lo = try world.loop.interface(named: "lo")
            _ = text.withView { world.loop.send(speaker, $0, toGroup: group, by: lo, hops: 1) }
        }

        /// Who hears what, after everything has arrived.
        func listen() -> [String] {
            _ = world.turn { !heard.isEmpty }
            world.settle()
            return heard.map { ($0.socket == ear ? "group " : "own ") + $0.text }
        }
    }

    @Test("What is said to a group is heard by its members' sockets for the group, once, the speaker's own included")
    func hearsGroup() throws {
        let first = try Member("127.0.0.1", group: group)
        let port = first.group.port
        let second = try Member("127.0.0.2", port: port, group: group)
        try first.say("hello")
        #expect(second.listen() == ["group hello"])
        #expect(first.listen() == ["group hello"])
        let path = try #require(second.heard.first).path
        #expect(path.remote == PeerAddress(ipv4: 0x7F00_0001, port: port))
        #expect(path.local == group)
        #expect(path.interface != 0)
    }

    @Test("A listener on every address has a socket for the group beside it, and hears each datagram once")
    func wildcard() throws {
        let member = try Member("0.0.0.0", group: group)
        try member.say("hello")
        #expect(member.listen() == ["group hello"])
        #expect(member.world.loop.isOwn(try #require(member.heard.first).path.remote))
    }

    @Test("Nobody takes the port of a listener on every address, though it has shared it with its group [D-69]")
    func portStaysOwn() throws {
        let member = try Member("0.0.0.0", group: group)
        let other = try Recorder()
        for host in ["0.0.0.0", "127.0.0.1"] {
            #expect(throws: ReactorError.self) {
                try other.loop.bindDatagrams(on: Recorder.anyPort(host).with(port: member.group.port))
            }
        }
    }

    @Test("A group that others of this machine joined is not heard by a listener on every address")
    func notOthersGroups() throws {
        let member = try Member("127.0.0.1", group: group)
        let other = try Recorder()
        let stranger = try other.loop.bindDatagrams(on: Recorder.anyPort("0.0.0.0"))
        let port = try #require(other.loop.localAddress(of: stranger)).port
        let inbox = DatagramInbox()
        let lo = try member.world.loop.interface(named: "lo")
        _ = ByteString("hello").withView {
            member.world.loop.send(member.speaker, $0, toGroup: group.with(port: port), by: lo, hops: 1)
        }
        other.settle()
        #expect(other.loop.receive(stranger, into: inbox) == 0)
    }

    @Test("An interface that is not there is an error that names it")
    func unknownInterface() throws {
        let world = try Recorder()
        let error = #expect(throws: ReactorError.self) { try world.loop.interface(named: "nosuch0") }
        let text = try #require(error).description
        #expect(text.hasPrefix("if_nametoindex nosuch0: "))
        #expect(text.contains("no interface of this machine has that name"))
    }

    @Test("A group that cannot be joined says so and where; so does what cannot be said there [attack 130]")
    func notJoined() throws {
        let world = try Recorder()
        let speaker = try world.loop.bindDatagrams(on: Recorder.anyPort("127.0.0.1"))
        let address = group.with(port: try #require(world.loop.localAddress(of: speaker)).port)
        let error = #expect(throws: ReactorError.self) {
            try world.loop.join(address, on: 0x7FFF_FFFF, beside: speaker)
        }
        let text = error?.on(interface: "gone0").description ?? ""
        #expect(text.hasPrefix("joining the multicast group \(address) gone0: No such device ("))
        let refusal = ByteString("x").withView {
            world.loop.send(speaker, $0, toGroup: address, by: 0x7FFF_FFFF, hops: 1)
        }
        #expect(refusal?.isMomentary == false)
        #expect(refusal?.address == address)
        #expect(world.loop.counters.datagramsRefused == 1)
        let lo = try world.loop.interface(named: "lo")
        #expect(ByteString("x").withView { world.loop.send(speaker, $0, toGroup: address, by: lo, hops: 1) } == nil)
    }

    @Test("The interface of an address is the one that has it, and an address that stands for all has none")
    func interfaceOfAddress() throws {
        let world = try Recorder()
        let lo = try world.loop.interface(named: "lo")
        #expect(world.loop.interface(of: PeerAddress(ipv4: 0x7F00_0001, port: 1)) == lo)
        #expect(world.loop.interface(of: PeerAddress(ipv4: 0, port: 1)) == 0)
        #expect(world.loop.interface(of: PeerAddress(high: 0, low: 1, port: 1)) == lo)
        #expect(world.loop.interface(of: PeerAddress(ipv4: 0xC633_6401, port: 1)) == 0)
    }

    @Test("This machine's addresses are told from others")
    func ownAddresses() throws {
        let world = try Recorder()
        #expect(world.loop.isOwn(PeerAddress(ipv4: 0x7F00_0001, port: 53)))
        #expect(!world.loop.isOwn(PeerAddress(ipv4: 0xC633_6401, port: 53)))
    }

    @Test("A group of IPv6 is joined on the interface named, and what cannot be sent there is counted")
    func ipv6() throws {
        let world = try Recorder()
        let speaker = try world.loop.bindDatagrams(on: Recorder.anyPort("::1"))
        let port = try #require(world.loop.localAddress(of: speaker)).port
        let lo = try world.loop.interface(named: "lo")
        for host in ["ff01::5a", "ff02::5a", "ff05::5a"] {
            let group = try #require(PeerAddress(host: host, port: port))
            let ear = try world.loop.join(group, on: lo, beside: speaker)
            let address = try #require(world.loop.localAddress(of: ear))
            #expect(address.with(port: 0).high == group.high && address.low == group.low)
            _ = ByteString("hello").withView { world.loop.send(speaker, $0, toGroup: address, by: lo, hops: 1) }
        }
        #expect(world.loop.counters.datagramsSent + world.loop.counters.datagramsRefused == 3)
    }
}
