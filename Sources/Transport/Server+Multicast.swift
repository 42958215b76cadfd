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
    var plan: GroupPlan
    /// Whether the owner knows that nothing can be said there.
    var isLost = false
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
                let link = Gateway.GroupLink(listener: listener, number: UInt16(number))
                guard let port = try join(group, link) else { continue }
                groups.append(port)
                report(.joined(port.address, interface: group.interface))
            } catch {
                guard plan.toleratesMissingFamily else { throw error }
                report(.skipped(plan.kind, error))
            }
        }
    }

    /// nil for a group of a family that the listener does not have on this machine.
    private func join(_ group: GroupPlan, _ link: Gateway.GroupLink) throws(ReactorError) -> GroupPort? {
        let isIPv4 = group.address.isIPv4
        guard let port = ports.first(where: { $0.listener == link.listener && $0.isIPv4 == isIPv4 }),
            let own = loop.localAddress(of: port.token)
        else { return nil }
        let interface: UInt32
        if let name = group.interface {
            interface = try loop.interface(named: name)
        } else {
            interface = loop.interface(of: own)
        }
        let address = group.address.with(port: own.port)
        let token: Token
        do throws(ReactorError) {
            token = try loop.join(address, on: interface, listener: link.listener, beside: port.token)
        } catch {
            throw error.on(interface: group.interface ?? "")
        }
        return GroupPort(
            token: token, speaker: port.token, link: link, plan: group,
            address: loop.localAddress(of: token) ?? address, interface: interface, own: own)
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
            guard let place = groups.firstIndex(where: { $0.link == multicast.link }) else { continue }
            guard let error = send(multicast, place), !error.isMomentary else { continue }
            sendAnew(multicast, place, after: error)
        }
    }

    private func send(_ multicast: Multicast, _ place: Int) -> ReactorError? {
        let group = groups[place]
        return multicast.bytes.withView {
            loop.send(group.speaker, $0, toGroup: group.address, by: group.interface, hops: multicast.hops)
        }
    }

    /// An interface that went and came again is another one to the system, which has forgotten that we were in its
    /// groups: each time that something is to be said there it is tried whether they can be joined [D-92].
    private func sendAnew(_ multicast: Multicast, _ place: Int, after first: ReactorError) {
        var error = first
        do throws(ReactorError) {
            let old = groups[place]
            guard var port = try join(old.plan, old.link) else { return }
            port.isLost = old.isLost
            loop.close(old.token)
            groups[place] = port
            guard let second = send(multicast, place), !second.isMomentary else {
                groups[place].isLost = false
                return report(.joined(port.address, interface: port.plan.interface))
            }
            error = second
        } catch let failure {
            error = failure
        }
        if groups[place].isLost { return }
        groups[place].isLost = true
        report(.rejoining(groups[place].address, interface: groups[place].plan.interface, error))
    }
}
