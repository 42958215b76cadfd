/// One multicast group on one interface: a part of `multicast_group ADDRESS [INTERFACE ...]`.
package struct MulticastGroup: Equatable, Sendable {
    /// A multicast address.
    package var address: IPAddress
    /// The interface's name; nil where the file names none.
    package var interface: String?

    package init(address: IPAddress, interface: String? = nil) {
        self.address = address
        self.interface = interface
    }
}

/// How devices find a listener: `multicast_group`, `advertise_interval`, `multicast_hops`.
extension ConfigurationDraft {
    /// Groups of one listener, counted once for each interface.
    private static let multicastGroupsMax = 16
    /// IFNAMSIZ, without the NUL.
    private static let interfaceBytesMax = 15

    /// `multicast_group 239.192.7.1 eth0 wlan0`.
    mutating func addMulticastGroup(_ statement: Statement) {
        let words = withoutComment(statement)
        guard let text = words.first, let address = IPAddress(text), address.isMulticast else {
            report(
                .error, at: statement.location,
                "\(statement.text.quoted) names no multicast group: write an address from 224.0.0.0 to "
                    + "239.255.255.255 or from ff01:: on, such as 239.192.7.1, and perhaps interfaces")
            return
        }
        let names = words.dropFirst()
        if names.isEmpty, address.needsInterface {
            report(
                .error, at: statement.location,
                "the group \(address) is another one on each interface: name those that are meant, as in "
                    + "`multicast_group \(address) eth0`")
            return
        }
        if let name = names.first(where: { $0.utf8.count > Self.interfaceBytesMax || $0.contains("/") }) {
            report(.error, at: statement.location, "\(name.quoted) is no name of a network interface")
            return
        }
        for interface in names.isEmpty ? [nil] : names.map({ $0 }) {
            let group = MulticastGroup(address: address, interface: interface)
            if listener.devices.multicastGroups.contains(group) {
                let place = interface.map { " on \($0)" } ?? ""
                report(.error, at: statement.location, "the group \(address)\(place) is named twice")
                continue
            }
            listener.devices.multicastGroups.append(group)
            listener.multicastGroupLines.append(statement.location)
        }
    }

    /// What of a listener's groups does not fit the rest of it.
    mutating func checkMulticastGroups(_ draft: ListenerDraft, _ addresses: [IPAddress]) {
        let groups = draft.devices.multicastGroups
        if groups.isEmpty {
            for statement in draft.devicesOnly
            where statement.name == "advertise_interval" || statement.name == "multicast_hops" {
                report(
                    .warning, at: statement.location,
                    "\(statement.name.quoted) has no effect: no `multicast_group` says where")
            }
            return
        }
        if groups.count > Self.multicastGroupsMax {
            report(
                .error, at: draft.multicastGroupLines[Self.multicastGroupsMax],
                "more than \(Self.multicastGroupsMax) groups, each counted once for each interface")
        }
        for (group, line) in zip(groups, draft.multicastGroupLines) {
            let ofFamily = addresses.filter { $0.isV6 == group.address.isV6 }
            if ofFamily.isEmpty {
                report(
                    .error, at: line,
                    "the group \(group.address) does not go with the listener, which has no "
                        + "\(group.address.isV6 ? "IPv6" : "IPv4") address")
            } else if ofFamily.allSatisfy({ $0.isLoopback }), let name = group.interface, name != "lo" {
                report(
                    .warning, at: line,
                    "devices beyond \(name) would hear of a gateway that only this machine can reach: give the "
                        + "listener an address of \(name)")
            }
        }
    }
}

extension SNListenerSettings {
    /// Where and how often the gateway is advertised, as the end of a listener's line.
    var groupSummary: String {
        if multicastGroups.isEmpty { return "" }
        let places = multicastGroups.map { "\($0.address)" + ($0.interface.map { " on \($0)" } ?? "") }
        return ", advertised in \(places.joined(separator: " and ")) every \(advertiseIntervalSeconds) s, "
            + "\(multicastHops) \(multicastHops == 1 ? "hop" : "hops")"
    }
}

extension IPAddress {
    /// Whether it is the address of a group: 224.0.0.0/4, or ff00::/8 without the scope 0 that is reserved (RFC 4291
    /// §2.7).
    fileprivate var isMulticast: Bool {
        switch self {
        case .v4(let bytes): bytes[0] & 0xF0 == 0xE0
        case .v6(let bytes): bytes[0] == 0xFF && bytes[1] & 0x0F != 0
        }
    }

    /// Whether its scope is one interface or one link, so that the address alone does not say which (RFC 4007).
    fileprivate var needsInterface: Bool {
        if case .v6(let bytes) = self { bytes[1] & 0x0F <= 2 } else { false }
    }
}
