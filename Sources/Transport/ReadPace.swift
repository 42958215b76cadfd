/// How much of a connection is read at a time.
///
/// One read can hold thousands of packets, and each can go to thousands of clients: so a connection begins small,
/// reads more while what it sends is cheap, and less when it is dear. What is not read waits in the system and holds
/// back just this sender (attack case 12).
struct ReadPace {
    static let bytesMin = 64
    /// The size of the read buffer.
    static let bytesMax = 64 << 10
    /// What one read may cost, about: as much as a turn of the loop takes from one connection.
    static let workMax = Int(TurnBudget.slice)

    /// How much to read next.
    private(set) var bytes = 4 << 10

    /// - Parameters:
    ///   - count: bytes of the last read.
    ///   - work: what it has cost: to how many receivers its packets went, all together, and how much they were sent.
    mutating func note(bytes count: Int, work: Int) {
        if work > Self.workMax {
            bytes = max(Self.bytesMin, min(bytes, count * Self.workMax / work))
        } else if count == bytes, work < Self.workMax / 2 {
            bytes = min(2 * bytes, Self.bytesMax)
        }
    }
}
