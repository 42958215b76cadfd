package import Bytes
internal import CLinux
internal import Glibc
package import Messaging

/// Multicast groups.
///
/// What is sent to a group is heard by a socket of its own, bound to the group: the listener's socket may be bound to
/// one address and would hear nothing, and whatever comes by the group's socket was sent to the group. What we say to
/// a group leaves by the listener's socket, since its address is what others learn from it. The system hands it to
/// programs of this machine too, ours among them (IP_MULTICAST_LOOP, which is on unless somebody turns it off).
extension EventLoop {
    /// The number of the interface with this name; an error if there is none.
    package func interface(named name: String) throws(ReactorError) -> UInt32 {
        let index = clinux_interface_named(name)
        guard index != 0 else { throw ReactorError(.ifNameToIndex, code: ENODEV, interface: name) }
        return index
    }

    /// The number of the interface that has this address; 0 if none has, or the address stands for all.
    package func interface(of address: PeerAddress) -> UInt32 {
        address.isUnspecified ? 0 : clinux_interface_of(address.system)
    }

    /// Whether the address is one of this machine's.
    package func isOwn(_ address: PeerAddress) -> Bool {
        let descriptor = clinux_socket(address.system, true)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        return clinux_bind(descriptor, address.with(port: 0).system) == 0
    }

    /// Opens a socket that hears what is sent to `group`, its port included, by one interface; 0 lets the system
    /// choose it. Each datagram's path has the group in place of our own address.
    ///
    /// Other programs may hear the group too. Where `socket`, the listener's, is bound to every address they cannot:
    /// it holds the port alone, or others could take its datagrams away [D-69].
    package func join(
        _ group: PeerAddress, on interface: UInt32, listener: UInt16 = 0, beside socket: Token
    ) throws(ReactorError) -> Token {
        let isLocalScope = !group.isIPv4 && group.high >> 48 & 0xF <= 2
        // The system takes a scope for addresses that have one, and for those alone.
        let address = PeerAddress(
            high: group.high, low: group.low, port: group.port, scopeID: isLocalScope ? interface : 0)
        let descriptor = try makeSocket(address, datagrams: true)
        do throws(ReactorError) {
            try set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1, address)
            let result = clinux_report_local_address(descriptor, address.isIPv4)
            guard result == 0 else { throw ReactorError(.setsockopt, code: -result, address: address) }
            _ = clinux_hear_joined_only(descriptor, address.isIPv4)
            try bind(descriptor, address, beside: socket)
            try set(descriptor, SOL_SOCKET, SO_RXQ_OVFL, 1, address)
            let joined = clinux_join(descriptor, address.system, interface)
            guard joined == 0 else { throw ReactorError(.joinGroup, code: -joined, address: address) }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        let heard = DatagramSocket(local: address, listener: listener, isWildcard: false, interface: interface)
        return try registerDatagrams(descriptor, heard)
    }

    /// Binds to a port that a socket bound to every address may hold already: it shares it for that moment.
    private func bind(_ descriptor: Int32, _ address: PeerAddress, beside socket: Token) throws(ReactorError) {
        guard let index = table.find(socket, .datagrams),
            datagramSockets[Int(table[index].detail)].isWildcard
        else { return try bind(descriptor, address) }
        let holder = table[index].descriptor
        try set(holder, SOL_SOCKET, SO_REUSEADDR, 1, address)
        defer { _ = clinux_set(holder, SOL_SOCKET, SO_REUSEADDR, 0) }
        try bind(descriptor, address)
    }

    /// Sends one datagram to a group by a listener's socket and an interface, 0 for the system's choice, at once or
    /// not at all: what says the same again later need not wait. `hops` is the time to live, or hop limit.
    /// - Returns: why the system has not taken it; nil if it has.
    @discardableResult
    package func send(
        _ socket: Token, _ bytes: ByteView, toGroup group: PeerAddress, by interface: UInt32, hops: UInt8
    ) -> ReactorError? {
        guard let index = table.find(socket, .datagrams) else { return nil }
        let bound = datagramSockets[Int(table[index].detail)]
        let source = bound.isWildcard ? PeerAddress(high: 0, low: 0, port: 0) : bound.local
        let result = clinux_send_to_group(
            table[index].descriptor, bytes.memory.baseAddress, bytes.count, group.system, source.system, interface,
            Int32(hops))
        guard result == 0 else {
            counters.datagramsRefused += 1
            return ReactorError(.sendmsg, code: -result, address: group)
        }
        counters.datagramsSent += 1
        return nil
    }
}
