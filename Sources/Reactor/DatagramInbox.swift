package import Bytes
internal import CLinux
package import Messaging

/// Where received datagrams lie until the next receive: room for 64, each up to the largest that UDP can carry.
///
/// One inbox serves all UDP sockets of a loop. Its 4 MiB are address space: ordinary datagrams touch one page of
/// each place, 256 KiB in all, so no datagram is ever cut and small ones cost little memory.
package final class DatagramInbox {
    /// How many datagrams one receive brings at most.
    package static let datagramsMax = Int(CLINUX_DATAGRAMS)

    private struct Entry {
        var bytes: ByteView
        var path: DatagramPath
    }

    let room: OpaquePointer
    /// How many datagrams the last receive brought.
    package private(set) var count = 0
    private let entries: UnsafeMutablePointer<Entry>

    /// An empty inbox; stops the program if there is no address space for it.
    package init() {
        guard let room = clinux_inbox_create() else { preconditionFailure("no memory for an inbox") }
        self.room = room
        entries = .allocate(capacity: DatagramInbox.datagramsMax)
    }

    deinit {
        clinux_inbox_free(room)
        entries.deallocate()
    }

    /// The bytes of a datagram, perhaps none, valid until the next receive.
    package func bytes(_ index: Int) -> ByteView {
        precondition(index >= 0 && index < count)
        return entries[index].bytes
    }

    /// Where it came from, which address of ours it asked, and by which interface and listener it came in.
    package func path(_ index: Int) -> DatagramPath {
        precondition(index >= 0 && index < count)
        return entries[index].path
    }

    func removeAll() {
        count = 0
    }

    func append(_ datagram: clinux_datagram, on socket: DatagramSocket) {
        let local = socket.isWildcard ? PeerAddress(datagram.local) : socket.local.with(port: 0)
        let path = DatagramPath(
            remote: PeerAddress(datagram.remote), local: local, interface: datagram.interface,
            listener: socket.listener)
        precondition(count < DatagramInbox.datagramsMax)
        let bytes = ByteView(start: datagram.bytes, count: Int(datagram.count))
        (entries + count).initialize(to: Entry(bytes: bytes, path: path))
        count += 1
    }
}
