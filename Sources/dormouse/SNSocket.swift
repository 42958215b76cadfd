import Bytes
import CLinux
import Glibc
import Messaging

/// A UDP socket.
struct SNSocket {
    let descriptor: Int32
    /// Where datagrams go; nil for a connected socket.
    private let group: SystemAddress?

    /// What reading a socket finds.
    enum Reading {
        case datagram(ByteString, from: PeerAddress)
        case nothing
        /// Nobody listens where the last datagram went.
        case refused
    }

    /// A socket that talks to one peer.
    init(host: String, port: UInt16) throws {
        let place = "\(host):\(port) (UDP)"
        let address = try SystemAddress(host: host, port: port)
        descriptor = socket(address.family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        group = nil
        let descriptor = descriptor
        guard descriptor >= 0, address.withPointer({ Glibc.connect(descriptor, $0, $1) }) == 0 else {
            throw Failure.runtime("cannot reach \(place): \(String(cString: strerror(errno)))")
        }
    }

    /// A socket that was made elsewhere, for talking to a group.
    init(descriptor: Int32, to group: SystemAddress) {
        self.descriptor = descriptor
        self.group = group
    }

    /// Sends a datagram. A refusal shows itself when the answer is read; anything else is loss, which is repeated.
    func send(_ bytes: ByteString) {
        bytes.withView { view in
            let flags = Int32(MSG_NOSIGNAL)
            guard let group else {
                _ = Glibc.send(descriptor, view.memory.baseAddress, view.count, flags)
                return
            }
            _ = group.withPointer { sendto(descriptor, view.memory.baseAddress, view.count, flags, $0, $1) }
        }
    }

    /// Reads a datagram, if one is there.
    func receive() -> Reading {
        var buffer = [UInt8](repeating: 0, count: Int(UInt16.max))
        var name = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var peer = PeerAddress.unspecified
        let count = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let count = recvfrom(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT), address, &size)
                if count >= 0 { peer = PeerAddress(of: address) }
                return count
            }
        }
        if count >= 0 { return .datagram(ByteString(Array(buffer[..<count])), from: peer) }
        return errno == ECONNREFUSED ? .refused : .nothing
    }
}

/// An address as the system has it.
struct SystemAddress {
    private var storage = sockaddr_storage()
    private let size: socklen_t
    let family: Int32
    let peer: PeerAddress

    /// Looks a name up, or reads an address.
    init(host: String, port: UInt16, isNumeric: Bool = false) throws {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        if isNumeric { hints.ai_flags = AI_NUMERICHOST }
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0, let list, let address = list.pointee.ai_addr else {
            let reason = String(cString: gai_strerror(code))
            throw Failure.runtime("cannot find '\(host)' (\(reason)): name another address")
        }
        defer { freeaddrinfo(list) }
        size = list.pointee.ai_addrlen
        family = list.pointee.ai_family
        peer = PeerAddress(of: address)
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: min(Int(size), bytes.count)))
        }
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
        }
    }

    /// The address behind a number of bytes, as options of sockets want it.
    var raw: sockaddr_storage { storage }
}

extension PeerAddress {
    fileprivate init(of address: UnsafePointer<sockaddr>) {
        let decoded = clinux_decode(address)
        self.init(high: decoded.high, low: decoded.low, port: decoded.port, scopeID: decoded.scope)
    }

    /// Whether this is the address of a group.
    var isMulticast: Bool { isIPv4 ? (224...239).contains(ipv4 >> 24) : high >> 56 == 0xFF }
}
