package import Bytes
internal import Clockwork
internal import MQTTSNWire
package import Messaging

/// Nodes behind forwarders, whose messages come encapsulated (§5.5). Each is a device of its own: its address is the
/// forwarder's and the Wireless Node Id [D-48].
extension Gateway {
    /// An encapsulated message. It is no sign of life of a device at the forwarder's own address [D-64].
    @inline(never)
    mutating func forwarded(_ message: ByteView, of nodeID: ByteView, by forwarder: DatagramPath) {
        guard configuration.isForwarder(forwarder) else {
            counters.forwardersRefused += 1
            return logSparingly(.forwarderRefused(DeviceAddress(forwarder.remote)))
        }
        guard nodeID.count <= WirelessNodeID.bytesMax else {
            counters.nodeIDsTooLong += 1
            return logSparingly(.nodeIDTooLong(DeviceAddress(forwarder.remote), bytes: nodeID.count))
        }
        do throws(SNDecodeError) {
            let packet = try SNPacket.decode(message)
            // Forwarders behind forwarders are none of ours; the depth is one [D-63].
            guard packet.type != .encapsulated, let node = table.nodes.number(of: nodeID) else {
                counters.malformed += 1
                return
            }
            counters.forwarded += 1
            var path = forwarder
            path.node = node
            received(packet, from: path)  // [SN-5.5]
        } catch {
            counters.malformed += 1  // [D-63]
        }
    }

    /// A line about a forwarder: one a second, however many messages there are.
    mutating func logSparingly(_ entry: GatewayLog) {
        if forwarderLogs.allows(at: now.instant) { log(entry) }
    }

    /// Bytes that encapsulation adds to each message to the device.
    @inline(__always)
    func wrappingBytes(_ slot: Int) -> Int {
        let node = table[slot].path.node
        return node == 0 ? 0 : table.nodes[node]?.wrappingBytes ?? 0
    }
}

// MARK: - What others may know

extension Gateway {
    /// Which wireless node a path of ours leads to; nil for a device that is reached directly. The number in a path is
    /// good until the gateway is next called, and as long as a device is known there.
    package func node(of path: DatagramPath) -> WirelessNodeID? {
        table.nodes[path.node]
    }

    /// The address for people to read.
    package func address(of path: DatagramPath) -> DeviceAddress {
        DeviceAddress(path.remote, nodeID: table.nodes[path.node]?.withView { ByteString($0) } ?? ByteString())
    }

    /// How many different Wireless Node Ids are remembered: never more than there are devices and claims, and one.
    package var nodeCount: Int { table.nodes.count }
}

/// Where a device is, for people to read: its address, or the forwarder's and how that calls it.
package struct DeviceAddress: Equatable, Sendable, CustomStringConvertible {
    package var remote: PeerAddress
    /// Empty for a device that is reached directly.
    package var nodeID: ByteString

    package init(_ remote: PeerAddress, nodeID: ByteString = ByteString()) {
        self.remote = remote
        self.nodeID = nodeID
    }

    /// `10.0.0.7:1885`, or `node 00158d0001a2 behind 10.0.0.7:1885`.
    package var description: String {
        nodeID.isEmpty ? remote.description : "node \(nodeID.hexadecimal) behind \(remote)"
    }
}

// MARK: - Who may forward

extension Gateway.Configuration {
    /// Addresses whose encapsulated messages are taken [D-48].
    package struct Forwarder: Equatable, Sendable {
        /// The address; of its port nothing is said here.
        package var address: PeerAddress
        /// How many of its bits count: up to 32 for IPv4, up to 128 for IPv6.
        package var prefixBits: Int
        /// The only port, or nil for any.
        package var port: UInt16?

        package init(address: PeerAddress, prefixBits: Int, port: UInt16? = nil) {
            self.address = address
            self.prefixBits = prefixBits
            self.port = port
        }

        /// Whether the address is one of them. The interface of a link-local one does not count.
        package func matches(_ remote: PeerAddress) -> Bool {
            (port == nil || port == remote.port)
                && Gateway.Network(address: address, prefixBits: prefixBits).contains(remote)
        }
    }

    /// Whether encapsulated messages that come this way are taken.
    func isForwarder(_ path: DatagramPath) -> Bool {
        rule({ $0.forwarders.contains { $0.matches(path.remote) } }, of: path.listener)
    }
}
