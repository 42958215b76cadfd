internal import Bytes

/// What has changed since the last batch was taken, as bytes.
///
/// Off, it takes nothing. The memory is the owner's to free with `deallocate()`, as an
/// `OutputBuffer`'s.
package struct Journal {
    /// Whether anything is written at all.
    package let isOn: Bool
    /// Whether nothing is written for the moment, since what happens is in the store already.
    package var isPaused = false
    /// The number of the batch that gathers, from 1 on; 0 when off.
    package private(set) var batch: UInt64
    /// How many records were appended that an answer may have to wait for, since the journal began.
    package private(set) var promises: UInt64 = 0
    private var buffer = OutputBuffer()
    /// Whether nothing is kept any more, and all the same is promised in vain.
    private var isDiscarding = false

    package init(isOn: Bool) {
        self.isOn = isOn
        batch = isOn ? 1 : 0
    }

    /// Appends a record to the present batch. Whoever is told of what it says is told once the batch is safe.
    package mutating func append(_ record: JournalRecord) {
        guard isOn, !isPaused else { return }
        promises += 1
        if !isDiscarding { record.append(to: &buffer) }
    }

    /// Appends a record that nobody waits for: that it is lost with a crash costs a repetition at most.
    package mutating func appendLazily(_ record: JournalRecord) {
        guard isOn, !isPaused, !isDiscarding else { return }
        record.append(to: &buffer)
    }

    /// Nobody will take a batch any more: what is appended is dropped, and still counts as a promise that the present
    /// batch would have to keep.
    package mutating func discard() {
        isDiscarding = true
        buffer.deallocate()
    }

    /// Bytes in the present batch.
    package var byteCount: Int { buffer.count }

    /// The batch that holds everything that was appended so far: the present one, or, when that is empty, the one
    /// before.
    package var lastBatch: UInt64 { buffer.isEmpty && batch > 0 && !isDiscarding ? batch - 1 : batch }

    /// Takes the present batch and begins the next; nil if nothing was appended.
    package mutating func takeBatch() -> JournalBatch? {
        guard !buffer.isEmpty else { return nil }
        defer {
            buffer.deallocate()
            batch += 1
        }
        return JournalBatch(number: batch, bytes: [UInt8](buffer.pending.memory))
    }

    /// Gives the memory back.
    package mutating func deallocate() { buffer.deallocate() }
}

/// The records of a turn or of several: they become durable together or not at all.
package struct JournalBatch: Sendable {
    package let number: UInt64
    private let bytes: [UInt8]

    package init(number: UInt64, bytes: [UInt8]) {
        self.number = number
        self.bytes = bytes
    }

    package var byteCount: Int { bytes.count }

    /// Calls `body` for each record, in order. Views are valid during the call.
    ///
    /// - Returns: false if the bytes are no records of ours: `body` has then seen those before the fault.
    package func forEach<Fault>(_ body: (JournalRecord) throws(Fault) -> Void) throws(Fault) -> Bool {
        try bytes.span.withUnsafeBytes { memory throws(Fault) in
            var reader = RecordReader(ByteView(memory))
            while !reader.isAtEnd {
                let record: JournalRecord
                do { record = try JournalRecord(from: &reader) } catch { return false }
                try body(record)
            }
            return true
        }
    }
}
