package import Bytes
package import Messaging

/// Datagrams on their way out through one UDP socket: gathered during a turn, sent with few system calls at its end.
///
/// Memory grows to what one turn needs and is kept. UDP may lose datagrams, so what exceeds the limits is dropped and
/// counted, never queued without bound; retransmission is the protocol's business.
package final class DatagramBatch {
    /// One datagram in `bytes`.
    package struct Entry {
        var offset: UInt32
        var count: UInt32
        var path: DatagramPath
    }

    /// Holds `datagramsMax` datagrams and `bytesMax` bytes at most.
    package init(datagramsMax: Int = 4096, bytesMax: Int = 1 << 20) { fatalError() }

    /// How many datagrams wait.
    package var count: Int { fatalError() }
    /// Whether none waits.
    package var isEmpty: Bool { fatalError() }
    /// Datagrams dropped because the batch was full.
    package private(set) var dropped: UInt64 = 0

    /// Adds a datagram with these bytes. False if the batch is full and the datagram was dropped.
    @discardableResult
    package func append(_ bytes: ByteView, to path: DatagramPath) -> Bool { fatalError() }

    /// Adds the datagram that `encode` writes. False if the batch is full and the datagram was dropped.
    @discardableResult
    package func append(to path: DatagramPath, _ encode: (inout OutputBuffer) -> Void) -> Bool { fatalError() }
}
