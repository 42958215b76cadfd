package import Bytes
internal import CLinux
internal import Clockwork
internal import Glibc
package import Messaging

/// Listeners.
extension EventLoop {
    /// Listens for TCP connections on `address` (port 0: any free one). An IPv6 listener takes no IPv4, so both
    /// families can share a port.
    package func listen(on address: PeerAddress, backlog: Int32 = 1024) throws(ReactorError) -> Token {
        let descriptor = try makeSocket(address, datagrams: false)
        do throws(ReactorError) {
            // A restarted server must not wait for its old connections' TIME_WAIT.
            try set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1, address)
            // Accepted connections inherit it: replies are small and must not wait for more.
            try set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1, address)
            try bind(descriptor, address)
            guard Glibc.listen(descriptor, backlog) == 0 else {
                throw ReactorError(.listen, code: errno, address: address)
            }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        return try register(descriptor, .listener)
    }

    /// A socket of the address's family; an IPv6 one for IPv6 alone.
    func makeSocket(_ address: PeerAddress, datagrams: Bool) throws(ReactorError) -> Int32 {
        let descriptor = clinux_socket(address.system, datagrams)
        guard descriptor >= 0 else { throw ReactorError(.socket, code: -descriptor, address: address) }
        guard !address.isIPv4 else { return descriptor }
        do throws(ReactorError) {
            try set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1, address)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        return descriptor
    }

    func set(
        _ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32, _ address: PeerAddress
    ) throws(ReactorError) {
        let result = clinux_set(descriptor, level, option, value)
        guard result == 0 else { throw ReactorError(.setsockopt, code: -result, address: address) }
    }

    func bind(_ descriptor: Int32, _ address: PeerAddress) throws(ReactorError) {
        let result = clinux_bind(descriptor, address.system)
        guard result == 0 else { throw ReactorError(.bind, code: -result, address: address) }
    }

    /// Takes what waits in the backlog, up to `acceptsPerTurn`; epoll announces the rest again.
    func acceptConnections(_ listener: Token, _ handler: some LoopHandler) {
        for _ in 0..<limits.acceptsPerTurn {
            // The handler may have closed the listener.
            guard let index = table.find(listener, .listener) else { return }
            guard table.count < limits.socketsMax else {
                rest(index, because: ReactorError(.accept4, code: EMFILE), handler)
                return
            }
            var peer = clinux_address()
            let descriptor = clinux_accept(table[index].descriptor, &peer)
            guard descriptor >= 0 else {
                switch -descriptor {
                case EAGAIN: return
                case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                    rest(index, because: ReactorError(.accept4, code: -descriptor), handler)
                    return
                // The connection broke while it waited; accept(2) says to go on with the next.
                default: continue
                }
            }
            do throws(ReactorError) {
                let connection = try register(descriptor, .connection)
                counters.accepted += 1
                handler.accepted(connection, from: PeerAddress(peer), on: listener, now: now)
            } catch {
                rest(index, because: error, handler)
                return
            }
        }
    }

    /// Stops listening for a while: with the backlog announced and nothing to put its connections into, the loop
    /// would spin.
    private func rest(_ index: Int, because error: ReactorError, _ handler: some LoopHandler) {
        let listener = Token(slot: UInt32(index), generation: table[index].generation)
        table[index].isPaused = true
        updateInterest(index)
        restingListeners.append(listener)
        restEnds = min(restEnds, now.instant + limits.acceptPause)
        counters.acceptPauses += 1
        handler.acceptPaused(on: listener, because: error, now: now)
    }

    func resumeListeners() {
        for listener in restingListeners {
            guard let index = table.find(listener, .listener) else { continue }
            table[index].isPaused = false
            updateInterest(index)
        }
        restingListeners.removeAll(keepingCapacity: true)
        restEnds.nanoseconds = .max
    }
}

/// Connections.
extension EventLoop {
    /// Reads once, up to the size of `buffer`, which must not be empty.
    package func read(_ connection: Token, into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        guard let index = table.find(connection, .connection) else { return .failed(ReactorError(.read, code: EBADF)) }
        precondition(!buffer.isEmpty)
        while true {
            let count = recv(table[index].descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(ReactorError(.read, code: errno))
            }
        }
    }

    /// Writes as much as the system takes. While an earlier write is still stuck this costs no system call.
    package func write(_ connection: Token, _ bytes: ByteView) -> WriteOutcome {
        guard let index = table.find(connection, .connection) else { return .failed(ReactorError(.send, code: EBADF)) }
        if table[index].isBlocked || bytes.isEmpty { return .wrote(0) }
        var count: Int
        repeat {
            count = Glibc.send(table[index].descriptor, bytes.memory.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        } while count < 0 && errno == EINTR
        if count < 0 {
            guard errno == EAGAIN else { return .failed(ReactorError(.send, code: errno)) }
            count = 0
        }
        noteRoom(index, isStuck: count < bytes.count)
        return .wrote(count)
    }

    /// After a write: asks for room if the socket is full, ends asking if it is not.
    func noteRoom(_ index: Int, isStuck: Bool) {
        table[index].isBlocked = isStuck
        if isStuck || table[index].isArmed { setArmed(index, isStuck) }
    }

    /// Stops or resumes reading: backpressure. What the peer sends meanwhile fills its window and stops it.
    package func setReading(_ connection: Token, _ enabled: Bool) {
        guard let index = table.find(connection, .connection), table[index].isPaused == enabled else { return }
        table[index].isPaused = !enabled
        updateInterest(index)
    }
}
