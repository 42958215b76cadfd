import Glibc
import Messaging
import Support

/// A system call of the test itself that failed.
struct Failure: Error {
    var what: String
    var code = errno
}

/// The other end of the wire: an IPv4 socket that never waits and keeps what came.
final class Peer {
    /// Everything that came and was not taken yet.
    private(set) var received: [UInt8] = []
    /// Whether the other side ended the connection, in order or not.
    private(set) var isEnded = false
    private let descriptor: Int32

    /// - Parameter receiveBuffer: bytes that the system keeps for a peer that does not read; nil for the usual.
    init(_ kind: ListenerKind, at address: PeerAddress, receiveBuffer: Int32? = nil) throws {
        let type = kind == .stream ? SOCK_STREAM : SOCK_DGRAM
        descriptor = socket(AF_INET, Int32(type.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(what: "socket") }
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = address.port.bigEndian
        name.sin_addr.s_addr = address.ipv4.bigEndian
        let result = withUnsafeBytes(of: &name) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { connect(descriptor, $0.baseAddress, socklen_t(bytes.count)) }
        }
        // A TCP connection on loopback is made while the call waits, or soon after.
        guard result == 0 || errno == EINPROGRESS else { throw Failure(what: "connect") }
    }

    enum ListenerKind { case stream, datagrams }

    deinit { close(descriptor) }

    /// Sends bytes in fixture notation; a stream may take only a part. Returns how many were taken.
    @discardableResult
    func send(_ notation: String) throws -> Int {
        send(try FixtureNotation.bytes(notation)[...])
    }

    @discardableResult
    func send(_ bytes: ArraySlice<UInt8>) -> Int {
        let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        return max(count, 0)
    }

    /// Reads what is there.
    func read() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !isEnded {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EAGAIN || errno == ENOTCONN { return }
            if count <= 0 {
                isEnded = true
                return
            }
            received += buffer[..<count]
        }
    }

    /// Forgets what came.
    func clear() { received = [] }

    /// Ends the connection with a reset.
    func reset() {
        var abortive = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &abortive, socklen_t(MemoryLayout<linger>.size))
        var nowhere = sockaddr()
        nowhere.sa_family = sa_family_t(AF_UNSPEC)
        connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }
}
