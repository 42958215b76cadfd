/// Where other threads leave batches for the loop's thread: a locked array and one wake-up per batch.
package final class Mailbox<Message: Sendable>: Sendable {
    package init() throws(ReactorError) { fatalError() }

    /// Adds messages and wakes the loop unless it is already on its way. From any thread.
    package func post(_ messages: [Message]) { fatalError() }

    /// Everything that was posted, in order. On the loop's thread, in `mailArrived`.
    package func drain() -> [Message] { fatalError() }
}
