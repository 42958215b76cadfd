internal import BrokerCore
package import Clockwork
package import Journal

/// Gives a new engine what an earlier one had.
package struct EngineRestorer {
    private var broker: BrokerRestorer
    package var omitted: Int { broker.omitted }

    /// - Parameter lasting: as for `BrokerRestorer`.
    package init(now: Now, lasting: Set<UInt64>? = nil) { broker = BrokerRestorer(now: now, lasting: lasting) }

    package mutating func take(_ record: JournalRecord, into engine: inout Engine) {
        broker.take(record, into: &engine.broker)
    }

    package mutating func finish(_ engine: inout Engine) { broker.finish(&engine.broker) }
}
