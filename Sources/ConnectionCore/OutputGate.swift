/// How far a connection's output may be written: behind that stand answers that wait for the disk (DESIGN §5).
///
/// TCP keeps the order, so what comes behind such an answer waits with it. Two marks are enough, one for the batch that
/// is on its way and one for the batch that gathers: an answer that would need a third waits with the second.
struct OutputGate {
    /// Bytes of the output that may be written; `.max` for all.
    private(set) var position = Int.max
    /// The batch that must be safe before more may be.
    private var batch: UInt64 = 0
    private var nextPosition = Int.max
    private var nextBatch: UInt64 = 0

    var isOpen: Bool { position == .max }

    /// What stands from `position` on waits for this batch. Positions and batches rise from call to call.
    mutating func close(at position: Int, until batch: UInt64) {
        if isOpen {
            self.position = position
            self.batch = batch
        } else if batch > self.batch {
            nextPosition = min(nextPosition, position)
            nextBatch = batch
        }
    }

    /// Everything up to this batch is safe.
    mutating func open(upTo safe: UInt64) {
        guard batch <= safe else { return }
        position = nextBatch <= safe ? .max : nextPosition
        batch = nextBatch
        nextPosition = .max
        nextBatch = 0
    }

    /// So many bytes were written.
    mutating func consume(_ count: Int) {
        if position != .max { position -= count }
        if nextPosition != .max { nextPosition -= count }
    }
}
