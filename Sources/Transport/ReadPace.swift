internal import Reactor

/// How much is read at a time: bytes of a connection, datagrams of a UDP socket.
///
/// One read can hold thousands of packets, and each can go to thousands of clients: so reading begins small, takes more
/// while what comes is cheap, and less when it is dear. What is not read waits in the system, where it holds back just
/// the sender (attack case 12), or all senders to a UDP socket.
struct ReadPace {
    /// Of a connection. The upper bound is the size of the read buffer.
    static let bytes = 64...(64 << 10)
    /// Of a UDP socket. The upper bound is what one system call brings.
    static let datagrams = 1...DatagramInbox.datagramsMax
    /// What one read may cost, about: as much as a turn of the loop takes from one connection.
    static let workMax = Int(TurnBudget.slice)

    /// How much to read next.
    private(set) var amount: Int

    /// - Parameters:
    ///   - count: how much the last read brought.
    ///   - work: what it has cost: to how many receivers its packets went, all together, and how much they were sent.
    ///   - range: how little and how much is ever read at a time.
    mutating func note(_ count: Int, work: Int, within range: ClosedRange<Int>) {
        if work > Self.workMax {
            amount = max(range.lowerBound, min(amount, count * Self.workMax / work))
        } else if count == amount, work < Self.workMax / 2 {
            amount = min(2 * amount, range.upperBound)
        }
    }
}

extension ReadPace {
    /// The pace of a new connection.
    static let ofConnection = ReadPace(amount: 4 << 10)
    /// The pace of a new UDP socket.
    static let ofDatagrams = ReadPace(amount: 8)
}
