internal import Bytes
internal import Messaging

extension DatagramPath {
    /// As it stands in the store, without its node.
    var stored: ByteString {
        var buffer = OutputBuffer()
        defer { buffer.deallocate() }
        for address in [remote, local] {
            for word in [address.high, address.low] {
                buffer.append(UInt32(truncatingIfNeeded: word >> 32))
                buffer.append(UInt32(truncatingIfNeeded: word))
            }
            buffer.append(address.scopeID)
            buffer.append(address.port)
        }
        buffer.append(listener)
        buffer.append(interface)
        return ByteString(buffer.pending)
    }

    /// What `stored` wrote; nil for anything else.
    init?(stored view: ByteView) {
        var reader = ByteReader(view)
        guard let remote = PeerAddress(&reader), let local = PeerAddress(&reader), let listener = reader.readUInt16(),
            let interface = reader.readUInt32(), reader.remaining == 0
        else { return nil }
        self.init(remote: remote, local: local, interface: interface, listener: listener)
    }
}

extension PeerAddress {
    fileprivate init?(_ reader: inout ByteReader) {
        func word() -> UInt64? {
            guard let high = reader.readUInt32(), let low = reader.readUInt32() else { return nil }
            return UInt64(high) << 32 | UInt64(low)
        }
        guard let high = word(), let low = word(), let scopeID = reader.readUInt32(), let port = reader.readUInt16()
        else { return nil }
        self.init(high: high, low: low, port: port, scopeID: scopeID)
    }
}
