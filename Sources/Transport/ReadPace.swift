/// How much of a connection is read at a time.
///
/// One read can hold thousands of packets, and each can go to thousands of clients: so a connection begins small,
/// reads more while what it sends is cheap, and less when it is dear. What is not read waits in the system and holds
/// back just this sender (attack case 12).
struct ReadPace {
    static let bytesMin = 512
    /// The size of the read buffer.
    static let bytesMax = 64 << 10
    /// Deliveries that one read may cause, about; some milliseconds of work.
    static let deliveriesMax = 20_000

    /// How much to read next.
    private(set) var bytes = 4 << 10

    /// - Parameters:
    ///   - count: bytes of the last read.
    ///   - deliveries: to how many receivers its packets went, all together.
    mutating func note(bytes count: Int, deliveries: Int) {
        if deliveries > Self.deliveriesMax {
            bytes = max(Self.bytesMin, min(bytes, count * Self.deliveriesMax / deliveries))
        } else if count == bytes, deliveries < Self.deliveriesMax / 2 {
            bytes = min(2 * bytes, Self.bytesMax)
        }
    }
}
