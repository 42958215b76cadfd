import Glibc
import Messaging

struct Failure: Error {
    var what: String
    var code = errno
}

/// The other end of the wire: a plain blocking socket that gives up after five seconds.
final class Client {
    let descriptor: Int32

    /// A TCP connection.
    init(connectedTo address: PeerAddress) throws {
        descriptor = try Client.open(address, SOCK_STREAM)
        guard Client.with(address, { connect(descriptor, $0, $1) }) == 0 else { throw Failure(what: "connect") }
    }

    /// A UDP socket on a free port of `host`, which talks to `address` alone.
    init(datagramsTo address: PeerAddress, from host: String? = nil) throws {
        descriptor = try Client.open(address, SOCK_DGRAM)
        if let host, let local = PeerAddress(host: host, port: 0) {
            guard Client.with(local, { bind(descriptor, $0, $1) }) == 0 else { throw Failure(what: "bind") }
        }
        guard Client.with(address, { connect(descriptor, $0, $1) }) == 0 else { throw Failure(what: "connect") }
    }

    deinit { close(descriptor) }

    private static func open(_ address: PeerAddress, _ type: __socket_type) throws -> Int32 {
        let descriptor = socket(address.isIPv4 ? AF_INET : AF_INET6, Int32(type.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(what: "socket") }
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return descriptor
    }

    /// The address as the system wants it, made without the code under test.
    private static func with(
        _ address: PeerAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var ipv4 = sockaddr_in()
        ipv4.sin_family = sa_family_t(AF_INET)
        ipv4.sin_port = address.port.bigEndian
        ipv4.sin_addr.s_addr = address.ipv4.bigEndian
        var ipv6 = sockaddr_in6()
        ipv6.sin6_family = sa_family_t(AF_INET6)
        ipv6.sin6_port = address.port.bigEndian
        withUnsafeMutableBytes(of: &ipv6.sin6_addr) {
            $0.storeBytes(of: address.high.bigEndian, as: UInt64.self)
            $0.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        func call<Name>(_ name: Name) -> Int32 {
            withUnsafeBytes(of: name) { bytes in
                bytes.withMemoryRebound(to: sockaddr.self) { names in
                    names.baseAddress.map { body($0, socklen_t(bytes.count)) } ?? -1
                }
            }
        }
        return address.isIPv4 ? call(ipv4) : call(ipv6)
    }

    /// The port that the system chose.
    var port: UInt16 {
        var name = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        withUnsafeMutableBytes(of: &name) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { _ = getsockname(descriptor, $0.baseAddress!, &size) }
        }
        return UInt16(bigEndian: name.sin6_port)
    }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Int {
        write(descriptor, bytes, bytes.count)
    }

    /// Once what is there, empty at the end of the connection; nil on an error, left in `errno`.
    func receive(max: Int = 65_536) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: max)
        let count = read(descriptor, &buffer, max)
        return count < 0 ? nil : Array(buffer[..<count])
    }

    /// Exactly `count` bytes, or what came before the end.
    func receive(exactly count: Int) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count, let some = receive(max: count - all.count), !some.isEmpty { all += some }
        return all
    }

    /// What is there now, without waiting.
    func receiveNow(max: Int = 1 << 20) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: max)
        let count = Glibc.read(descriptor, &buffer, hasInput ? max : 0)
        return Array(buffer[..<Swift.max(count, 0)])
    }

    /// Whether something is there now, or the end.
    var hasInput: Bool {
        var question = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&question, 1, 0) == 1
    }

    /// Ends our side.
    func finish() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Ends the connection with a reset.
    func reset() {
        var abortive = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &abortive, socklen_t(MemoryLayout<linger>.size))
        // The descriptor stays ours until deinit: only the connection goes.
        var nowhere = sockaddr()
        nowhere.sa_family = sa_family_t(AF_UNSPEC)
        connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }
}
