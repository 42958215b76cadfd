/// Whose encapsulated messages a listener for devices takes: MQTT-SN 1.2 §5.5 [D-48].
package struct ConfiguredForwarder: Equatable, Sendable {
    /// The address, or the first of a range; the bits behind `prefixBits` are zero.
    package var address: IPAddress
    /// How many bits of the address count: 32 for one IPv4 address, 128 for one IPv6 address.
    package var prefixBits: Int
    /// The only UDP port, or nil for any.
    package var port: UInt16?
}

extension ConfigurationDraft {
    /// `forwarder ADDRESS[/PREFIX][:PORT]`, an IPv6 address in brackets where a port follows.
    mutating func addForwarder(_ statement: Statement) {
        let words = withoutComment(statement)
        guard words.count == 1, let text = words.first else {
            report(.error, at: statement.location, "\"forwarder\" takes one address a line")
            return
        }
        guard let given = Self.forwarder(text) else {
            report(
                .error, at: statement.location,
                "\(text.quoted) is no address of forwarders: write it as 10.0.0.7, 10.0.0.0/24, 10.0.0.7:1885, "
                    + "fd00::/64 or [fd00::7]:1885")
            return
        }
        var forwarder = given
        forwarder.address = given.address.first(of: given.prefixBits)
        if forwarder.address != given.address {
            report(
                .warning, at: statement.location,
                "\(text.quoted) is a range and means \(forwarder.address)/\(forwarder.prefixBits)")
        }
        listener.devices.forwarders.append(forwarder)
    }

    static func forwarder(_ text: String) -> ConfiguredForwarder? {
        guard let (host, prefix, port) = parts(text), let address = IPAddress(String(host)) else { return nil }
        let bits = address.isV6 ? 128 : 32
        var result = ConfiguredForwarder(address: address, prefixBits: bits)
        if let prefix {
            guard let number = decimal(prefix), number <= bits else { return nil }
            result.prefixBits = number
        }
        if let port {
            guard let number = decimal(port), (1...65_535).contains(number) else { return nil }
            result.port = UInt16(number)
        }
        return result
    }

    /// What stands before the slash, behind it, and behind the colon; an IPv6 address has colons of its own.
    private static func parts(_ text: String) -> (host: Substring, prefix: Substring?, port: Substring?)? {
        let isBracketed = text.hasPrefix("[")
        var host = text[...]
        var rest = text[text.endIndex...]
        if isBracketed {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[..<end].dropFirst()
            rest = text[text.index(after: end)...]
            guard host.contains(":") else { return nil }
        } else if let mark = text.firstIndex(where: { $0 == "/" }) {
            host = text[..<mark]
            rest = text[mark...]
        } else if let colon = text.firstIndex(of: ":"), text.lastIndex(of: ":") == colon {
            host = text[..<colon]
            rest = text[colon...]
        }
        var port: Substring?
        if let colon = rest.firstIndex(of: ":") {
            // Without brackets nobody could tell whether the port belongs to the address.
            guard isBracketed || !host.contains(":") else { return nil }
            port = rest[rest.index(after: colon)...]
            rest = rest[..<colon]
        }
        guard rest.isEmpty || rest.first == "/" else { return nil }
        return (host, rest.isEmpty ? nil : rest.dropFirst(), port)
    }

    /// Up to five digits and nothing else.
    private static func decimal(_ digits: Substring) -> Int? {
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return number(String(digits))
    }
}

extension IPAddress {
    /// The first address of the range that has the same first bits.
    func first(of bits: Int) -> IPAddress {
        func masked(_ bytes: [UInt8]) -> [UInt8] {
            bytes.enumerated().map { index, byte in
                let kept = max(0, min(8, bits - 8 * index))
                return byte & ~UInt8(truncatingIfNeeded: 0xFF >> kept)
            }
        }
        switch self {
        case .v4(let bytes): return .v4(masked(bytes))
        case .v6(let bytes): return .v6(masked(bytes))
        }
    }
}
