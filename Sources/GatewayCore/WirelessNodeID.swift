package import Bytes
internal import MQTTSNWire

/// How a forwarder calls one of its wireless nodes: 1 to 32 bytes, of any meaning (§5.5) [D-60].
///
/// The bytes stand in the value itself, so that a table of a hundred thousand costs no allocation for each.
package struct WirelessNodeID: Sendable {
    /// The format allows 252; an IEEE address has 8, an IPv6 address with its port 18.
    package static let bytesMax = 32

    private var bytes: [32 of UInt8] = .init(repeating: 0)
    private var length: UInt8

    /// A copy of what the view shows; nil if that is nothing, or more than `bytesMax`.
    package init?(_ view: ByteView) {
        guard !view.isEmpty, view.count <= Self.bytesMax else { return nil }
        length = UInt8(view.count)
        for index in 0..<view.count { bytes[index] = view[index] }
    }

    /// How many bytes there are.
    package var count: Int { Int(length) }

    /// Bytes that the encapsulation of a message for this node takes (Table 28).
    package var wrappingBytes: Int { SNEncapsulation.overheadOctets + count }

    /// Lends the bytes to `body`; the view must not leave it.
    package func withView<Result>(_ body: (ByteView) throws -> Result) rethrows -> Result {
        try withUnsafeBytes(of: bytes) { try body(ByteView(start: $0.baseAddress, count: count)) }
    }
}

extension WirelessNodeID: Equatable {
    package static func == (left: WirelessNodeID, right: WirelessNodeID) -> Bool {
        left.withView { one in right.withView { one == $0 } }
    }
}
