internal import Bytes
internal import CLinux
internal import Glibc
package import Messaging

/// What the loop keeps for each UDP socket.
struct DatagramSocket {
    let local: PeerAddress
    let listener: UInt16
    /// Bound to any address: then each datagram says which one it asked, and each answer says where it leaves from.
    let isWildcard: Bool
    /// The system's drop counter as last reported.
    var overflow: UInt32 = 0
    var isOpen = true
    /// What comes in by another interface is not for this socket; 0 takes it from all.
    var interface: UInt32 = 0
}

/// UDP sockets.
///
/// Datagrams longer than the path's MTU are fragmented by IP, as the system does by default; the protocol above
/// keeps its messages short. No error of one datagram touches the others: what an earlier one provoked (ICMP) and
/// what the system refuses is counted and passed over.
extension EventLoop {
    /// Binds a UDP socket to `address` (port 0: any free one); `listener` is written into each datagram's path.
    /// The receive buffer is made `receiveBufferBytes` or the largest that the system grants
    /// (`sysctl net.core.rmem_max`): it must hold what arrives while the loop works.
    package func bindDatagrams(
        on address: PeerAddress, listener: UInt16 = 0, receiveBufferBytes: Int32 = 4 << 20
    ) throws(ReactorError) -> Token {
        let descriptor = try makeSocket(address, datagrams: true)
        do throws(ReactorError) {
            // The system cuts the wish down to its limit; only a privileged process may pass that.
            if clinux_set(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes) != 0 {
                try set(descriptor, SOL_SOCKET, SO_RCVBUF, receiveBufferBytes, address)
            }
            try set(descriptor, SOL_SOCKET, SO_RXQ_OVFL, 1, address)
            if address.isUnspecified {
                let result = clinux_report_local_address(descriptor, address.isIPv4)
                guard result == 0 else { throw ReactorError(.setsockopt, code: -result, address: address) }
                // Groups have sockets of their own. A system too old to be told delivers them twice.
                _ = clinux_hear_joined_only(descriptor, address.isIPv4)
            }
            try bind(descriptor, address)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        let local = boundAddress(descriptor) ?? address
        return try registerDatagrams(
            descriptor, DatagramSocket(local: local, listener: listener, isWildcard: local.isUnspecified))
    }

    /// Takes a bound UDP socket over.
    func registerDatagrams(_ descriptor: Int32, _ socket: DatagramSocket) throws(ReactorError) -> Token {
        let place = datagramSockets.firstIndex { !$0.isOpen } ?? datagramSockets.count
        let token = try register(descriptor, .datagrams, detail: UInt32(place))
        if place == datagramSockets.count { datagramSockets.append(socket) } else { datagramSockets[place] = socket }
        return token
    }

    /// Receives up to 64 datagrams with one call and answers how many; 0 if none waits.
    package func receive(_ socket: Token, into inbox: DatagramInbox) -> Int {
        inbox.removeAll()
        guard let index = table.find(socket, .datagrams) else { return 0 }
        let place = Int(table[index].detail)
        let bound = datagramSockets[place]
        for number in 0..<receiveOnce(table[index].descriptor, inbox) {
            let datagram = clinux_received(inbox.room, number)
            if datagram.has_overflow { noteOverflow(place, datagram.overflow) }
            guard bound.interface == 0 || bound.interface == datagram.interface else { continue }
            // Nobody can be answered at port 0; such datagrams are forged or broken.
            guard datagram.remote.port != 0 else {
                counters.datagramsUnanswerable += 1
                continue
            }
            inbox.append(datagram, on: bound)
        }
        counters.datagramsReceived += UInt64(inbox.count)
        return inbox.count
    }

    /// The number of datagrams that lie in the inbox now. The socket reports, once, each error that an earlier
    /// datagram of ours met on its way; these are passed over, but not without end.
    private func receiveOnce(_ descriptor: Int32, _ inbox: DatagramInbox) -> Int32 {
        for _ in 0..<EventLoop.receiveErrorsPerTurn {
            let count = clinux_receive(descriptor, inbox.room)
            if count >= 0 { return count }
            if count == -EAGAIN { return 0 }
            if count != -EINTR { counters.receiveErrors += 1 }
        }
        return 0
    }

    private func noteOverflow(_ place: Int, _ total: UInt32) {
        counters.datagramsOverflowed += UInt64(total &- datagramSockets[place].overflow)
        datagramSockets[place].overflow = total
    }

    /// Sends the batch and forgets what was sent. What the system does not take now stays in the batch, and
    /// `datagramsWritable` will be called; until then this costs no system call.
    package func send(_ socket: Token, _ batch: DatagramBatch) {
        guard let index = table.find(socket, .datagrams), !table[index].isBlocked else { return }
        let isWildcard = datagramSockets[Int(table[index].detail)].isWildcard
        while !batch.isEmpty {
            let count = prepare(batch, isWildcard: isWildcard)
            let done = sendPrepared(table[index].descriptor, count)
            batch.removeFirst(done)
            if done < count {
                noteRoom(index, isStuck: true)
                return
            }
        }
        noteRoom(index, isStuck: false)
    }

    /// Fills the outbox with the oldest datagrams of the batch.
    private func prepare(_ batch: DatagramBatch, isWildcard: Bool) -> Int {
        let count = min(batch.count, Int(CLINUX_DATAGRAMS))
        for number in 0..<count {
            let path = batch.path(number)
            let bytes = batch.bytes(number)
            let source = isWildcard ? path.local.system : clinux_address()
            clinux_prepare(outbox, Int32(number), bytes.memory.baseAddress, bytes.count, path.remote.system, source)
        }
        return count
    }

    /// Sends what `prepare` laid out; answers how many datagrams are done with: fewer only if the socket is full.
    private func sendPrepared(_ descriptor: Int32, _ count: Int) -> Int {
        var done = 0
        while done < count {
            let result = clinux_send(descriptor, outbox, Int32(done), Int32(count - done))
            switch result {
            case -EAGAIN: return done
            case -EINTR: continue
            case ..<0:
                counters.datagramsRefused += 1
                done += 1
            default:
                counters.datagramsSent += UInt64(result)
                done += Int(result)
            }
        }
        return done
    }
}
