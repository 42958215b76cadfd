internal import Bytes
internal import Clockwork
internal import Engine
internal import GatewayCore
package import Messaging
internal import Reactor

/// A multicast group to join: an address, whose port is the listener's, on one interface.
package struct GroupPlan: Equatable, Sendable {
    package var address: PeerAddress
    /// The name of the interface. Nil: the one that has the listener's address, or, for a listener on every address,
    /// the one that the system would send to the group by [D-69].
    package var interface: String?

    package init(address: PeerAddress, interface: String? = nil) {
        self.address = address
        self.interface = interface
    }
}

/// A group that was joined.
struct GroupPort {
    /// The socket that hears it.
    var token: Token
    /// The listener's socket, which speaks to it.
    var speaker: Token
    var link: Gateway.GroupLink
    /// With its port, and its scope if it has one.
    var address: PeerAddress
    /// 0 for the system's choice.
    var interface: UInt32
    /// The address of the listener's socket.
    var own: PeerAddress
}

/// Multicast groups, where devices look for gateways (MQTT-SN 1.2 §6.1).
extension Server {
    /// Joins the groups of a listener whose sockets are open.
    func joinGroups(_ plan: ListenerPlan, listener: UInt16) throws(ReactorError) {
        for (number, group) in plan.groups.enumerated() {
            do throws(ReactorError) {
                try join(group, Gateway.GroupLink(listener: listener, number: UInt16(number)))
                report(.joined(groups.last?.address ?? group.address, interface: group.interface))
            } catch {
                guard plan.toleratesMissingFamily else { throw error }
                report(.skipped(plan.kind, error))
            }
        }
    }

    private func join(_ group: GroupPlan, _ link: Gateway.GroupLink) throws(ReactorError) {
        let isIPv4 = group.address.isIPv4
        guard let port = ports.first(where: { $0.listener == link.listener && $0.isIPv4 == isIPv4 }),
            let own = loop.localAddress(of: port.token)
        else { return }
        let interface: UInt32
        if let name = group.interface {
            interface = try loop.interface(named: name)
        } else {
            interface = loop.interface(of: own)
        }
        let address = group.address.with(port: own.port)
        let token = try loop.join(address, on: interface, listener: link.listener, beside: port.token)
        groups.append(
            GroupPort(
                token: token, speaker: port.token, link: link, address: loop.localAddress(of: token) ?? address,
                interface: interface, own: own))
    }

    /// A datagram that was sent to a group, perhaps by us: the system brings us our own as well.
    func groupReceived(_ bytes: ByteView, _ path: DatagramPath, _ group: GroupPort, now: Now) {
        let isOwn = isOurs(path.remote, group)
        engine.datagramReceived(bytes, inGroup: group.link, from: path, isOwn: isOwn, now: now)
    }

    /// Whether the listener's socket has sent it. One that is bound to every address holds its port alone, so that
    /// nobody else sends from it on this machine.
    private func isOurs(_ sender: PeerAddress, _ group: GroupPort) -> Bool {
        guard sender.port == group.own.port else { return false }
        return group.own.isUnspecified ? loop.isOwn(sender) : sender == group.own
    }

    /// Everything that the gateway has to say in its groups goes out.
    func sendMulticasts() {
        for multicast in engine.takeMulticasts() {
            guard let group = groups.first(where: { $0.link == multicast.link }) else { continue }
            multicast.bytes.withView {
                loop.send(group.speaker, $0, toGroup: group.address, by: group.interface, hops: multicast.hops)
            }
        }
    }
}
