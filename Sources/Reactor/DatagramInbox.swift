package import Bytes
package import Messaging

/// Where received datagrams lie until the next receive: room for 64, each up to the largest that UDP can carry.
///
/// One inbox serves all UDP sockets of a loop.
package final class DatagramInbox {
    package init() { fatalError() }

    /// How many datagrams the last receive brought.
    package private(set) var count = 0

    /// The bytes of a datagram, valid until the next receive.
    package func bytes(_ index: Int) -> ByteView { fatalError() }

    /// Where it came from, which address of ours it asked, and by which interface and listener it came in.
    package func path(_ index: Int) -> DatagramPath { fatalError() }
}
