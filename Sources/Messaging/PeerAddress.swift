/// An IP address and a port, as a value of 24 bytes that costs nothing to copy, compare and hash.
///
/// IPv4 addresses are kept in their IPv4-mapped form (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2), so that both families
/// share one key. The cores know peers by this value; only the reactor turns it into a socket address.
@frozen
public struct PeerAddress: Hashable, Sendable {
    /// The first eight bytes of the address as a big-endian number.
    public var high: UInt64
    /// The last eight bytes.
    public var low: UInt64
    /// The interface a link-local address belongs to (RFC 4007); 0 otherwise.
    public var scopeID: UInt32
    /// The port in host order.
    public var port: UInt16

    /// An IPv6 address.
    @inlinable
    public init(high: UInt64, low: UInt64, port: UInt16, scopeID: UInt32 = 0) {
        self.high = high
        self.low = low
        self.scopeID = scopeID
        self.port = port
    }

    /// An IPv4 address, given as a big-endian number: 127.0.0.1 is 0x7F00_0001.
    @inlinable
    public init(ipv4: UInt32, port: UInt16) {
        self.init(high: 0, low: 0x0000_FFFF_0000_0000 | UInt64(ipv4), port: port)
    }

    /// No address and no port.
    @inlinable
    public static var unspecified: PeerAddress { PeerAddress(high: 0, low: 0, port: 0) }

    /// Whether this is an IPv4 address.
    @inlinable
    public var isIPv4: Bool { high == 0 && low >> 32 == 0x0000_FFFF }

    /// The IPv4 address as a big-endian number; meaningful only if `isIPv4`.
    @inlinable
    public var ipv4: UInt32 { UInt32(truncatingIfNeeded: low) }

    /// Whether this is `0.0.0.0` or `::`, which as a local address means "any".
    @inlinable
    public var isUnspecified: Bool { high == 0 && (low == 0 || low == 0x0000_FFFF_0000_0000) }

    /// The same address with another port.
    @inlinable
    public func with(port: UInt16) -> PeerAddress {
        PeerAddress(high: high, low: low, port: port, scopeID: scopeID)
    }

    @inlinable
    public static func == (left: PeerAddress, right: PeerAddress) -> Bool {
        (left.low ^ right.low) | (left.high ^ right.high) | (left.tail ^ right.tail) == 0
    }

    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
        hasher.combine(tail)
    }

    /// Scope and port in one word.
    @usableFromInline
    var tail: UInt64 { UInt64(scopeID) << 16 | UInt64(port) }
}

/// The way a datagram took, and the way back: an answer goes to `remote`, leaves from `local`, through `interface`, and
/// there, if `remote` is a forwarder, on to `node`.
@frozen
public struct DatagramPath: Hashable, Sendable {
    /// Who sent it.
    public var remote: PeerAddress
    /// The address of ours that was asked (its port is unused); unspecified lets the system choose.
    public var local: PeerAddress
    /// The listener it came in by, as numbered by the transport. It stands here so that it costs no memory.
    public var listener: UInt16
    /// The index of the interface it came in by; 0 if unknown.
    public var interface: UInt32
    /// The wireless node behind a forwarder (MQTT-SN 1.2 §5.5), as numbered by the gateway; 0 for none: `remote` itself
    /// speaks. The transport has no use for it.
    public var node: UInt32 = 0

    @inlinable
    public init(
        remote: PeerAddress, local: PeerAddress = .unspecified, interface: UInt32 = 0, listener: UInt16 = 0
    ) {
        self.remote = remote
        self.local = local
        self.interface = interface
        self.listener = listener
    }
}

extension PeerAddress: CustomStringConvertible {
    /// `127.0.0.1:1883`, `[::1]:1883` or `[fe80::1%2]:1883`: the form that `init(_:)` reads.
    public var description: String {
        isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)"
    }

    /// The address without the port: dotted for IPv4, the canonical text of RFC 5952 for IPv6.
    public var host: String {
        if isIPv4 {
            return "\(ipv4 >> 24).\(ipv4 >> 16 & 0xFF).\(ipv4 >> 8 & 0xFF).\(ipv4 & 0xFF)"
        }
        let groups = self.groups
        let gap = longestZeroRun(groups)
        let head = groups[..<gap.lowerBound].map { String($0, radix: 16) }.joined(separator: ":")
        let rest = groups[gap.upperBound...].map { String($0, radix: 16) }.joined(separator: ":")
        let text = gap.isEmpty ? rest : head + "::" + rest
        return scopeID == 0 ? text : text + "%\(scopeID)"
    }

    /// The eight 16-bit groups of the address.
    private var groups: [UInt16] {
        [high, low].flatMap { half in
            [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: half >> UInt64($0)) }
        }
    }
}

/// The longest run of at least two zero groups, the first of equals (RFC 5952 §4.2); empty at the start if none.
private func longestZeroRun(_ groups: [UInt16]) -> Range<Int> {
    var best = 0..<0
    var start = 0
    for index in 0...groups.count where index == groups.count || groups[index] != 0 {
        if index - start > max(best.count, 1) { best = start..<index }
        start = index + 1
    }
    return best
}

extension PeerAddress {
    /// Reads `127.0.0.1:1883` or `[::1]:1883`; nil for anything else. Names are not looked up.
    public init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        var host = text[..<colon]
        guard let port = decimal(text[text.index(after: colon)...].utf8, max: UInt32(UInt16.max)) else { return nil }
        let isBracketed = host.utf8.first == UInt8(ascii: "[") && host.utf8.last == UInt8(ascii: "]")
        if isBracketed { host = host.dropFirst().dropLast() }
        guard isBracketed == host.utf8.contains(UInt8(ascii: ":")) else { return nil }
        self.init(host: String(host), port: UInt16(port))
    }

    /// Reads a numeric address, IPv4 (`127.0.0.1`) or IPv6 (`::1`, `fe80::1%2`); nil for anything else.
    public init?(host: String, port: UInt16) {
        let bytes = Array(host.utf8)
        if let ipv4 = ipv4Number(bytes[...]) {
            self.init(ipv4: ipv4, port: port)
            return
        }
        let percent = bytes.firstIndex(of: UInt8(ascii: "%"))
        guard let halves = ipv6Halves(Array(bytes[..<(percent ?? bytes.count)])) else { return nil }
        self.init(high: halves.high, low: halves.low, port: port)
        if let percent {
            guard let scope = decimal(bytes[(percent + 1)...], max: .max) else { return nil }
            scopeID = scope
        }
    }
}

/// Decimal digits, nothing else, up to `max`.
private func decimal(_ digits: some Collection<UInt8>, max: UInt32) -> UInt32? {
    guard !digits.isEmpty, digits.count <= 10 else { return nil }
    var value: UInt64 = 0
    for digit in digits {
        guard (0x30...0x39).contains(digit) else { return nil }
        value = value * 10 + UInt64(digit - 0x30)
    }
    return value <= UInt64(max) ? UInt32(value) : nil
}

/// Four decimal numbers without leading zeros, as `inet_pton` reads them.
private func ipv4Number(_ bytes: ArraySlice<UInt8>) -> UInt32? {
    let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var number: UInt32 = 0
    for part in parts {
        guard part.count == 1 || part.first != UInt8(ascii: "0"), let value = decimal(part, max: 255) else {
            return nil
        }
        number = number << 8 | value
    }
    return number
}

/// Up to eight hexadecimal groups with at most one `::`, the last two perhaps written as IPv4 (RFC 4291 §2.2).
private func ipv6Halves(_ bytes: [UInt8]) -> (high: UInt64, low: UInt64)? {
    let colon = UInt8(ascii: ":")
    var groups: [UInt16] = []
    var gap: Int?
    var index = 0
    if bytes.starts(with: [colon, colon]) { (gap, index) = (0, 2) }
    while index < bytes.count {
        let end = bytes[index...].firstIndex(of: colon) ?? bytes.count
        let part = bytes[index..<end]
        if end == bytes.count, let ipv4 = ipv4Number(part) {
            groups += [UInt16(truncatingIfNeeded: ipv4 >> 16), UInt16(truncatingIfNeeded: ipv4)]
            break
        }
        guard let group = hexadecimal(part) else { return nil }
        groups.append(group)
        if end == bytes.count { break }
        index = end + 1
        // A colon at the very end closes nothing, unless it is the second of `::`.
        guard index < bytes.count else { return nil }
        if bytes[index] == colon {
            guard gap == nil else { return nil }
            gap = groups.count
            index += 1
        }
    }
    guard gap == nil ? groups.count == 8 : groups.count < 8 else { return nil }
    groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap ?? 0)
    let halves = [groups[..<4], groups[4...]].map { $0.reduce(UInt64(0)) { $0 << 16 | UInt64($1) } }
    return (halves[0], halves[1])
}

/// One to four hexadecimal digits.
private func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
    guard (1...4).contains(digits.count) else { return nil }
    var value: UInt16 = 0
    for digit in digits {
        switch digit {
        case 0x30...0x39: value = value << 4 | UInt16(digit - 0x30)
        case 0x41...0x46: value = value << 4 | UInt16(digit - 0x37)
        case 0x61...0x66: value = value << 4 | UInt16(digit - 0x57)
        default: return nil
        }
    }
    return value
}
