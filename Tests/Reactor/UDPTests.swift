import Bytes
import CFaults
import Glibc
import Messaging
import Reactor
import Testing

@Suite struct UDPTests {
    /// A loop with one UDP socket that sends back what it gets, to where it came from.
    private final class Echo {
        let world: Recorder
        let socket: Token
        let address: PeerAddress
        let inbox = DatagramInbox()
        let batch = DatagramBatch()
        var paths: [DatagramPath] = []
        var receives: [Int] = []

        init(_ host: String, listener: UInt16 = 0, receiveBufferBytes: Int32 = 4 << 20) throws {
            world = try Recorder()
            socket = try world.loop.bindDatagrams(
                on: Recorder.anyPort(host), listener: listener, receiveBufferBytes: receiveBufferBytes)
            address = world.loop.localAddress(of: socket) ?? .unspecified
            world.onDatagrams = { [unowned self] _ in
                receives.append(world.loop.receive(socket, into: inbox))
                for index in 0..<inbox.count {
                    paths.append(inbox.path(index))
                    batch.append(inbox.bytes(index), to: inbox.path(index))
                }
            }
            world.onTurnEnded = { [unowned self] in world.loop.send(socket, batch) }
        }
    }

    @Test(
        "A datagram is answered from the address that was asked, whatever the socket is bound to",
        arguments: [
            ("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("0.0.0.0", "127.0.0.1"),
            ("0.0.0.0", "127.0.0.2"), ("::1", "::1"), ("::", "::1"),
        ])
    func echo(bound: String, asked: String) throws {
        let echo = try Echo(bound, listener: 5)
        let target = try #require(PeerAddress(host: asked, port: echo.address.port))
        // A connected socket takes answers from the asked address alone.
        let client = try Client(datagramsTo: target)
        client.send([1, 2, 3])
        #expect(echo.world.turn { echo.paths.count == 1 })
        #expect(client.receive() == [1, 2, 3])
        let path = echo.paths[0]
        #expect(path.remote.port == client.port)
        #expect(path.local == target.with(port: 0))
        #expect(path.listener == 5)
        #expect((path.interface != 0) == (bound != asked), "the loopback interface, where it was told")
    }

    @Test("The largest datagrams pass whole, and so does an empty one", arguments: [0, 1, 2048, 65_506, 65_507])
    func sizes(count: Int) throws {
        let echo = try Echo("127.0.0.1")
        let client = try Client(datagramsTo: echo.address)
        let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        for _ in 0..<3 { client.send(content) }
        #expect(echo.world.turn { echo.paths.count == 3 })
        for _ in 0..<3 { #expect(client.receive() == content) }
    }

    @Test("Two hundred peers at once are served in batches of 64, each with its own answer")
    func manySources() throws {
        let echo = try Echo("127.0.0.1")
        let clients = try (0..<200).map { try Client(datagramsTo: echo.address, from: "127.0.1.\($0)") }
        for (number, client) in clients.enumerated() { client.send([UInt8(number)]) }
        #expect(echo.world.turn { echo.paths.count == 200 })
        #expect(echo.receives == [64, 64, 64, 8])
        for (number, client) in clients.enumerated() { #expect(client.receive() == [UInt8(number)]) }
        #expect(Set(echo.paths.map(\.remote)).count == 200)
        #expect(echo.world.loop.counters.datagramsReceived == 200)
        #expect(echo.world.loop.counters.datagramsSent == 200)
    }

    @Test("A datagram that cannot leave does not cost the others of its batch theirs")
    func refused() throws {
        let echo = try Echo("127.0.0.1")
        let client = try Client(datagramsTo: echo.address)
        let good = DatagramPath(remote: PeerAddress(ipv4: 0x7F00_0001, port: client.port))
        let bad = [
            // Nobody listens there; the error may come back later.
            "127.0.0.1:9",
            // Broadcast is not allowed on this socket, and the other family is not spoken.
            "255.255.255.255:9", "[::1]:9",
        ]
        for _ in 0..<3 {
            for text in bad {
                echo.batch.append(ByteString("x").bytesView, to: DatagramPath(remote: try #require(PeerAddress(text))))
                echo.batch.append(ByteString("y").bytesView, to: good)
            }
        }
        // Longer than an IPv4 datagram can be.
        let long = [UInt8](repeating: 0, count: 65_520)
        ByteString(long).withView { _ = echo.batch.append($0, to: good) }
        echo.batch.append(ByteString("y").bytesView, to: good)
        echo.world.loop.turn(echo.world)
        #expect(echo.batch.isEmpty)
        for _ in 0..<10 { #expect(client.receive() == Array("y".utf8)) }
        #expect(echo.world.loop.counters.datagramsRefused == 7)
        client.send([7])
        #expect(echo.world.turn { echo.paths.count == 1 })
        #expect(client.receive() == [7])
    }

    @Test("An error that an earlier datagram provoked is counted, and the next datagrams are still received")
    func provokedError() throws {
        let echo = try Echo("127.0.0.1")
        let client = try Client(datagramsTo: echo.address)
        defer { faults_clear() }
        faults_fail(FAULT_RECVMMSG, 0, 2, ECONNREFUSED)
        client.send([1])
        #expect(echo.world.turn { echo.paths.count == 1 })
        #expect(echo.world.loop.counters.receiveErrors == 2)
        faults_fail(FAULT_RECVMMSG, 0, 1, EINTR)
        client.send([2])
        #expect(echo.world.turn { echo.paths.count == 2 })
        #expect(echo.world.loop.counters.receiveErrors == 2)
    }

    @Test("A socket that reports an error for ever does not hold the loop")
    func endlessError() throws {
        let echo = try Echo("127.0.0.1")
        let client = try Client(datagramsTo: echo.address)
        defer { faults_clear() }
        faults_fail(FAULT_RECVMMSG, 0, .max, EIO)
        client.send([1])
        echo.world.loop.turn(echo.world)
        #expect(echo.receives == [0])
        faults_clear()
        #expect(echo.world.turn { echo.paths.count == 1 })
    }

    @Test("What a full socket does not take stays in order and leaves when there is room")
    func stuck() throws {
        let echo = try Echo("127.0.0.1")
        let client = try Client(datagramsTo: echo.address)
        let path = DatagramPath(remote: PeerAddress(ipv4: 0x7F00_0001, port: client.port))
        defer { faults_clear() }
        faults_limit(FAULT_SENDMMSG, 3)
        faults_fail(FAULT_SENDMMSG, 1, 1, EAGAIN)
        for number in 0..<10 { ByteString([UInt8(number)]).withView { _ = echo.batch.append($0, to: path) } }
        echo.world.loop.send(echo.socket, echo.batch)
        #expect(echo.batch.count == 7)
        let calls = faults_calls(FAULT_SENDMMSG)
        echo.world.loop.send(echo.socket, echo.batch)
        #expect(faults_calls(FAULT_SENDMMSG) == calls, "a full socket costs no calls")
        #expect(echo.world.turn { echo.batch.isEmpty })
        for number in 0..<10 { #expect(client.receive() == [UInt8(number)]) }
        echo.world.settle()
        #expect(echo.world.events == [.datagramsWritable(echo.socket)])
        #expect(echo.world.loop.counters.datagramsSent == 10)
    }

    @Test("Interrupted and partial sends lose and double nothing")
    func partialSends() throws {
        let echo = try Echo("127.0.0.1")
        let client = try Client(datagramsTo: echo.address)
        let path = DatagramPath(remote: PeerAddress(ipv4: 0x7F00_0001, port: client.port))
        defer { faults_clear() }
        faults_limit(FAULT_SENDMMSG, 7)
        faults_fail(FAULT_SENDMMSG, 2, 2, EINTR)
        for number in 0..<150 { ByteString([UInt8(number)]).withView { _ = echo.batch.append($0, to: path) } }
        echo.world.loop.send(echo.socket, echo.batch)
        for number in 0..<150 { #expect(client.receive() == [UInt8(number)]) }
        #expect(echo.batch.isEmpty)
    }

    @Test("What the system drops for want of room is counted")
    func overflow() throws {
        let echo = try Echo("127.0.0.1", receiveBufferBytes: 8192)
        let client = try Client(datagramsTo: echo.address)
        for _ in 0..<500 { client.send([1]) }
        echo.world.settle()
        client.send([2])
        echo.world.settle()
        let counters = echo.world.loop.counters
        #expect(counters.datagramsOverflowed > 0)
        #expect(counters.datagramsReceived + counters.datagramsOverflowed == 501)
    }

    @Test("A datagram from port 0 is ignored: nobody could be answered", .enabled(if: RawSocket() != nil))
    func sourcePortZero() throws {
        let echo = try Echo("127.0.0.1")
        try #require(RawSocket()).send(from: 0, to: echo.address.port, [1])
        let client = try Client(datagramsTo: echo.address)
        client.send([2])
        #expect(echo.world.turn { echo.paths.count == 1 })
        #expect(echo.paths[0].remote.port == client.port)
        #expect(echo.world.loop.counters.datagramsUnanswerable == 1)
    }

    @Test("A closed socket's token receives and sends nothing, and its place is used again")
    func closed() throws {
        let echo = try Echo("127.0.0.1", listener: 1)
        echo.world.loop.close(echo.socket)
        #expect(echo.world.loop.receive(echo.socket, into: echo.inbox) == 0)
        echo.batch.append(.empty, to: DatagramPath(remote: echo.address))
        echo.world.loop.send(echo.socket, echo.batch)
        #expect(echo.batch.count == 1)
        let next = try echo.world.loop.bindDatagrams(on: Recorder.anyPort("127.0.0.1"), listener: 2)
        let client = try Client(datagramsTo: try #require(echo.world.loop.localAddress(of: next)))
        client.send([1])
        var listener: UInt16 = 0
        echo.world.onDatagrams = { socket in
            #expect(echo.world.loop.receive(socket, into: echo.inbox) == 1)
            listener = echo.inbox.path(0).listener
        }
        #expect(echo.world.turn { listener == 2 })
    }
}

extension ByteString {
    /// The bytes of a constant, for as long as the test runs.
    var bytesView: ByteView {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        memory.copyBytes(from: bytes)
        return ByteView(UnsafeRawBufferPointer(memory))
    }
}

/// Sends datagrams with a forged source port, where the process may.
struct RawSocket {
    let descriptor: Int32

    init?() {
        descriptor = socket(AF_INET, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_UDP))
        if descriptor < 0 { return nil }
    }

    func send(from source: UInt16, to target: UInt16, _ content: [UInt8]) {
        let numbers = [source, target, UInt16(8 + content.count), 0]
        let packet = numbers.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } + content
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        _ = withUnsafeBytes(of: name) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) {
                sendto(descriptor, packet, packet.count, 0, $0.baseAddress!, socklen_t(bytes.count))
            }
        }
        close(descriptor)
    }
}
