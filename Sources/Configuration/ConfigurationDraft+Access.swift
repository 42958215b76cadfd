internal import Bytes
internal import Messaging

/// Addresses that a listener takes devices from (`allow_networks`) [D-120].
package struct ConfiguredNetwork: Equatable, Sendable {
    /// The first of them; the bits behind `prefixBits` are zero.
    package var address: IPAddress
    /// How many bits of the address count: 32 for one IPv4 address, 128 for one IPv6 address.
    package var prefixBits: Int
}

/// A file about access that a directive names, to be read before the next statement.
struct PendingAccess {
    enum Kind { case rules, devices }

    let kind: Kind
    let statement: Statement

    init(_ kind: Kind, _ statement: Statement) {
        self.kind = kind
        self.statement = statement
    }
}

/// Who may come and do what: access rules, and who devices are.
extension ConfigurationDraft {
    /// How many patterns or networks a listener may name: they are tried one after the other.
    static let admissionsMax = 64

    /// What stands in the file; its faults are told with its own lines.
    mutating func takeAccess(_ pending: PendingAccess, _ file: SourceFile) {
        switch pending.kind {
        case .rules: takeRules(file, pending.statement)
        case .devices: takeDevices(file, pending.statement)
        }
    }

    private mutating func takeRules(_ file: SourceFile, _ statement: Statement) {
        let content = AccessFile(file.bytes)
        report(content.faults, in: statement)
        security.accessRules = content.rules
        guard content.faults.isEmpty, content.count == 0 else { return }
        report(.warning, at: statement.location, "\(statement.text.quoted) has no rules: nobody may do anything")
    }

    private mutating func takeDevices(_ file: SourceFile, _ statement: Statement) {
        let content = DeviceUsers.read(file.bytes)
        report(content.faults, in: statement)
        listener.devices.users = content.list
        guard content.faults.isEmpty, content.list.count == 0 else { return }
        report(.warning, at: statement.location, "\(statement.text.quoted) names no device")
    }

    private mutating func report(_ faults: [(line: Int, reason: String)], in statement: Statement) {
        for (line, reason) in faults {
            report(.error, at: FileLocation(file: statement.text, line: line), reason)
        }
    }

    /// `allow_clients pump-* valve-*`.
    mutating func addClients(_ statement: Statement) {
        for word in withoutComment(statement) {
            listener.devices.clients.append(GlobPattern(ByteString(word)))
        }
        checkCount(listener.devices.clients.count, statement)
    }

    /// `allow_networks 10.1.0.0/16 fd00::/64`.
    mutating func addNetworks(_ statement: Statement) {
        for word in withoutComment(statement) {
            guard let given = Self.forwarder(word), given.port == nil else {
                report(
                    .error, at: statement.location,
                    "\(word.quoted) is no range of addresses: write it as 10.0.0.7, 10.0.0.0/24 or fd00::/64")
                continue
            }
            let address = given.address.first(of: given.prefixBits)
            if address != given.address {
                report(
                    .warning, at: statement.location,
                    "\(word.quoted) is a range and means \(address)/\(given.prefixBits)")
            }
            listener.devices.networks.append(ConfiguredNetwork(address: address, prefixBits: given.prefixBits))
        }
        checkCount(listener.devices.networks.count, statement)
    }

    private mutating func checkCount(_ count: Int, _ statement: Statement) {
        guard count > Self.admissionsMax else { return }
        report(
            .error, at: statement.location,
            "more than \(Self.admissionsMax) of \(statement.name.quoted) for one listener; name devices by a "
                + "\"device_file\" instead")
    }
}
