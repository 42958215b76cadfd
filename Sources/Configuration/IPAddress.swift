/// A numeric address to bind, as `listener` and `bind_address` name it.
package enum IPAddress: Hashable, Sendable {
    /// Four bytes, in network order.
    case v4([UInt8])
    /// Sixteen bytes, in network order.
    case v6([UInt8])

    /// This machine only, by both families.
    package static let loopback: [IPAddress] = [.v4([127, 0, 0, 1]), .v6([UInt8](repeating: 0, count: 15) + [1])]
    /// Every address of the machine, by both families. An IPv6 socket bound to it must be IPv6 only, so that the
    /// two can stand side by side.
    package static let any: [IPAddress] = [.v4([0, 0, 0, 0]), .v6([UInt8](repeating: 0, count: 16))]

    /// Reads `192.168.1.7` or `fe80::1` (RFC 4291 §2.2); nil for everything else, host names and scope ids included.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        if let quad = Self.dottedQuad(bytes[...]) {
            self = .v4(quad)
        } else if let groups = Self.colonGroups(bytes) {
            self = .v6(groups)
        } else {
            return nil
        }
    }

    /// Whether only this machine can reach it: 127.0.0.0/8, ::1, and the first as seen through the second.
    package var isLoopback: Bool {
        switch self {
        case .v4(let bytes): bytes.first == 127
        case .v6(let bytes):
            bytes == [UInt8](repeating: 0, count: 15) + [1]
                || bytes.starts(with: Self.mappedPrefix + [127])
        }
    }

    /// Whether it stands for every address of its family.
    package var isAny: Bool {
        switch self {
        case .v4(let bytes), .v6(let bytes): bytes.allSatisfy { $0 == 0 }
        }
    }

    /// Whether it is an IPv6 address.
    package var isV6: Bool {
        if case .v6 = self { true } else { false }
    }

    /// ::ffff:0:0/96, IPv4 seen through IPv6.
    private static let mappedPrefix = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
}

extension IPAddress: CustomStringConvertible {
    /// The text that `inet_pton` reads back, IPv6 in the form of RFC 5952.
    package var description: String {
        switch self {
        case .v4(let bytes): return bytes.map { String($0) }.joined(separator: ".")
        case .v6(let bytes):
            let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
            return Self.compressed(groups)
        }
    }

    /// The groups with their longest run of two or more zeros, the first of equals, as `::`.
    private static func compressed(_ groups: [UInt16]) -> String {
        var best = 0..<0
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if best.isEmpty { return text(groups[...]) }
        return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}

extension IPAddress {
    /// Four decimal numbers without leading zeros, which some systems read as octal.
    private static func dottedQuad(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var quad: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            guard let number = decimal(part), let byte = UInt8(exactly: number) else { return nil }
            quad.append(byte)
        }
        return quad
    }

    private static func decimal(_ digits: ArraySlice<UInt8>) -> Int? {
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// Eight groups, or fewer around one `::`; the last two may be a dotted quad.
    private static func colonGroups(_ text: [UInt8]) -> [UInt8]? {
        let colon = UInt8(ascii: ":")
        guard text.count <= 45, text.contains(colon) else { return nil }
        let gap = text.indices.dropLast().first { text[$0] == colon && text[$0 + 1] == colon }
        guard let gap else {
            guard let bytes = groupBytes(text[...]), bytes.count == 16 else { return nil }
            return bytes
        }
        guard let head = groupBytes(text[..<gap], endsInQuad: false) else { return nil }
        guard let tail = groupBytes(text[(gap + 2)...]) else { return nil }
        guard head.count + tail.count <= 14 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    /// Groups of one to four hexadecimal digits with a colon between; nothing for no text. Only what ends the whole
    /// address may end in a dotted quad.
    private static func groupBytes(_ text: ArraySlice<UInt8>, endsInQuad: Bool = true) -> [UInt8]? {
        if text.isEmpty { return [] }
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        var bytes: [UInt8] = []
        for (index, part) in parts.enumerated() {
            if endsInQuad, index == parts.count - 1, let quad = dottedQuad(part) {
                bytes += quad
                continue
            }
            guard (1...4).contains(part.count), part.allSatisfy(isHexDigit) else { return nil }
            guard let group = UInt16(String(decoding: part, as: UTF8.self), radix: 16) else { return nil }
            bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
        }
        return bytes
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        default: false
        }
    }
}
