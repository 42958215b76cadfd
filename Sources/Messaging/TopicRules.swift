package import Bytes

/// What a topic name or filter may be: MQTT 5.0 §4.7, and the limits of DESIGN §7.
package struct TopicRules: Sendable {
    /// Bytes in a name or filter.
    package var bytesMax: Int
    /// Levels in a name or filter: one more than there are slashes.
    package var levelsMax: Int

    package init(bytesMax: Int = 1024, levelsMax: Int = 64) {
        self.bytesMax = bytesMax
        self.levelsMax = levelsMax
    }

    /// Whether `name` can be published to: not empty, no wildcard [MQTT-3.3.2-2], within the limits. The caller has
    /// checked that it is UTF-8.
    package func allowsName(_ name: ByteView) -> Bool {
        guard !name.isEmpty, name.count <= bytesMax else { return false }
        var levels = 1
        for byte in name.memory {
            switch byte {
            case UInt8(ascii: "#"), UInt8(ascii: "+"): return false
            case UInt8(ascii: "/"): levels += 1
            default: break
            }
        }
        return levels <= levelsMax
    }

    /// Whether `filter` can be subscribed to: wildcards stand alone in their level and `#` is last
    /// [MQTT-4.7.1-1] [MQTT-4.7.1-2], within the limits. Shared subscriptions are split before.
    package func allowsFilter(_ filter: ByteView) -> Bool {
        guard !filter.isEmpty, filter.count <= bytesMax else { return false }
        var levels = 1
        let last = filter.count - 1
        for index in 0...last {
            switch filter[index] {
            case UInt8(ascii: "/"):
                levels += 1
            case UInt8(ascii: "#"):
                guard index == last, index == 0 || filter[index - 1] == UInt8(ascii: "/") else { return false }
            case UInt8(ascii: "+"):
                guard index == 0 || filter[index - 1] == UInt8(ascii: "/") else { return false }
                guard index == last || filter[index + 1] == UInt8(ascii: "/") else { return false }
            default: break
            }
        }
        return levels <= levelsMax
    }
}

extension ByteView {
    /// Whether a filter names more than one topic: `#` or `+` is in it.
    package var hasWildcard: Bool {
        var index = 0
        while index + 8 <= count {
            // Eight bytes at once: the two wildcards differ in one bit, without which both are `#`.
            let word = memory.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let folded = word & ~0x0808_0808_0808_0808 ^ 0x2323_2323_2323_2323
            if (folded &- 0x0101_0101_0101_0101) & ~folded & 0x8080_8080_8080_8080 != 0 { return true }
            index += 8
        }
        while index < count {
            if memory[index] & ~0x08 == UInt8(ascii: "#") { return true }
            index += 1
        }
        return false
    }

    /// Whether the first level begins with `$`: such topics are the server's own [MQTT-4.7.2-1].
    package var beginsWithDollar: Bool {
        memory.first == UInt8(ascii: "$")
    }
}

/// A shared subscription's filter: `$share/{ShareName}/{filter}` (MQTT 5.0 §4.8.2).
package struct SharedFilter {
    /// At least one byte, without `/`, `+` and `#` [MQTT-4.8.2-1].
    package let shareName: ByteView
    /// What follows the share name and its slash: a topic filter, not checked here [MQTT-4.8.2-2].
    package let filter: ByteView

    /// Nil if `filter` does not begin with `$share/`, or has no share name, or nothing behind it.
    package init?(_ filter: ByteView) {
        guard filter.isShared, filter.count > sharePrefix.utf8CodeUnitCount else { return nil }
        let rest = filter.dropFirst(sharePrefix.utf8CodeUnitCount + 1)
        var end = 0
        while end < rest.count, rest[end] != UInt8(ascii: "/") { end += 1 }
        guard end > 0, end < rest.count else { return nil }
        let shareName = rest[0..<end]
        guard !shareName.hasWildcard else { return nil }
        self.shareName = shareName
        self.filter = rest.dropFirst(end + 1)
    }
}

extension ByteView {
    /// Whether a filter means to be a shared subscription's, well formed or not: its first level is `$share`.
    package var isShared: Bool {
        let prefix = ByteView(start: sharePrefix.utf8Start, count: sharePrefix.utf8CodeUnitCount)
        guard count >= prefix.count, self[0..<prefix.count] == prefix else { return false }
        return count == prefix.count || self[prefix.count] == UInt8(ascii: "/")
    }
}

private let sharePrefix: StaticString = "$share"
