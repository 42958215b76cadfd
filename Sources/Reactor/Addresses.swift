internal import CLinux
internal import Glibc
package import Messaging

extension PeerAddress {
    init(_ address: clinux_address) {
        self.init(high: address.high, low: address.low, port: address.port, scopeID: address.scope)
    }

    /// The address as the C side passes it.
    var system: clinux_address {
        clinux_address(high: high, low: low, scope: scopeID, port: port)
    }
}

/// The addresses that a host name or numeric address means, each once, in the system's order of preference.
///
/// For start-up only: it may read files and ask the network. Never empty.
package func resolve(host: String, port: UInt16) throws(ReactorError) -> [PeerAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, nil, &hints, &list)
    guard code == 0 else { throw ReactorError(.getaddrinfo, code: code) }
    defer { freeaddrinfo(list) }
    var found: [PeerAddress] = []
    var next = list
    while let entry = next?.pointee {
        next = entry.ai_next
        guard entry.ai_family == AF_INET || entry.ai_family == AF_INET6, let name = entry.ai_addr else { continue }
        let address = PeerAddress(clinux_decode(name)).with(port: port)
        if !found.contains(address) { found.append(address) }
    }
    if found.isEmpty { throw ReactorError(.getaddrinfo, code: EAI_NONAME) }
    return found
}

/// Lets this process open as many descriptors as the hard limit allows, and answers how many that are. The usual
/// soft limit of 1,024 is less than the connections that a gateway is asked to hold.
package func raiseDescriptorLimit() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    var raised = limit
    raised.rlim_cur = limit.rlim_max
    if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
    return Int(clamping: limit.rlim_cur)
}
