package import Bytes
internal import Glibc

extension EventLoop {
    /// Writes three pieces one behind the other, as `write(_:_:)` does one, in one system call: a frame's head and
    /// its body need not lie together.
    package func write(_ connection: Token, _ first: ByteView, _ second: ByteView, _ third: ByteView) -> WriteOutcome {
        if second.isEmpty, third.isEmpty { return write(connection, first) }
        guard let index = table.find(connection, .connection) else { return .failed(ReactorError(.send, code: EBADF)) }
        if table[index].isBlocked { return .wrote(0) }
        var count: Int
        repeat {
            count = send(table[index].descriptor, first, second, third)
        } while count < 0 && errno == EINTR
        if count < 0 {
            guard errno == EAGAIN else { return .failed(ReactorError(.send, code: errno)) }
            count = 0
        }
        noteRoom(index, isStuck: count < first.count + second.count + third.count)
        return .wrote(count)
    }

    private func send(_ descriptor: Int32, _ first: ByteView, _ second: ByteView, _ third: ByteView) -> Int {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 3) { vectors in
            var used = 0
            func add(_ piece: ByteView) {
                if piece.isEmpty { return }
                let start = UnsafeMutableRawPointer(mutating: piece.memory.baseAddress)
                vectors.initializeElement(at: used, to: iovec(iov_base: start, iov_len: piece.count))
                used += 1
            }
            add(first)
            add(second)
            add(third)
            var message = msghdr()
            message.msg_iov = vectors.baseAddress
            message.msg_iovlen = used
            return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
        }
    }
}
