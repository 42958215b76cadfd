internal import CLinux
internal import Glibc
internal import Synchronization

/// Where other threads leave batches for the loop's thread: an array behind a lock, and one wake-up for each batch
/// that the loop has not come for yet.
package final class Mailbox<Message: Sendable>: Sendable {
    private let messages = Mutex<[Message]>([])
    let descriptor: Int32

    /// An empty mailbox.
    package init() throws(ReactorError) {
        descriptor = clinux_eventfd()
        guard descriptor >= 0 else { throw ReactorError(.eventfd, code: -descriptor) }
    }

    deinit {
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    /// Adds messages, and wakes the loop unless it is on its way already. From any thread.
    package func post(_ batch: [Message]) {
        guard !batch.isEmpty else { return }
        let wasEmpty = messages.withLock { waiting in
            defer { waiting.append(contentsOf: batch) }
            return waiting.isEmpty
        }
        var one: UInt64 = 1
        if wasEmpty { write(descriptor, &one, MemoryLayout<UInt64>.size) }
    }

    /// Everything that was posted, in order. On the loop's thread, in `mailArrived`.
    package func drain() -> [Message] {
        // The counter first: a batch posted in between wakes the loop once in vain, never too seldom.
        var count: UInt64 = 0
        read(descriptor, &count, MemoryLayout<UInt64>.size)
        return messages.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}

extension EventLoop {
    /// Lets `mailbox` wake the loop, which keeps it until the token is closed. One mailbox, one loop.
    package func add<Message>(_ mailbox: Mailbox<Message>) throws(ReactorError) -> Token {
        let token = try register(mailbox.descriptor, .mailbox)
        mailboxes[token.slot] = mailbox
        return token
    }
}
