internal import BrokerCore
internal import Bytes
package import Clockwork
internal import GatewayCore
package import Journal
internal import Messaging

/// Gives a new engine what an earlier one had, out of the records of a store: all of them, in the order of
/// `StoreReader.read`, before anything else is asked of it.
package struct EngineRestorer {
    private let now: Now
    private var broker: BrokerRestorer
    private var omittedOfDevices = 0

    /// - Parameter lasting: as for `BrokerRestorer`.
    package init(now: Now, lasting: Set<UInt64>? = nil) {
        self.now = now
        broker = BrokerRestorer(now: now, lasting: lasting)
    }

    /// Records that refer to something that is not there, or make no sense.
    package var omitted: Int { broker.omitted + omittedOfDevices }

    /// Takes one record.
    package mutating func take(_ record: JournalRecord, into engine: inout Engine) {
        switch record {
        case .device(let record): if !engine.gateway.restore(record, now: now) { omittedOfDevices += 1 }
        case .deviceTopic(let record): if !engine.restore(record) { omittedOfDevices += 1 }
        default: broker.take(record, into: &engine.broker)
        }
    }

    /// Everything was taken: the devices that are there go on.
    package mutating func finish(_ engine: inout Engine) {
        broker.finish(&engine.broker)
        for topic in engine.gateway.takeUnneeded() { engine.broker.forgetTopic(topic) }
        for slot in engine.gateway.restoredDevices { engine.attachRestored(slot, now) }
        engine.safety.deviceChanges = engine.gateway.durableChanges
        engine.settle(now)
    }
}

extension Engine {
    fileprivate mutating func restore(_ record: DeviceTopicRecord) -> Bool {
        guard let topic = broker.restoreTopic(record.topic) else { return false }
        if gateway.restore(record, topic: topic) { return true }
        broker.forgetTopic(topic)
        return false
    }

    /// A device that is active takes what waits for it; one that sleeps will.
    fileprivate mutating func attachRestored(_ slot: Int, _ now: Now) {
        let (offer, isAttached, isListening) = gateway.offer(of: slot)
        guard broker.restoreLink(.device(slot), offer, isAttached: isAttached) else {
            gateway.forget(slot, now: now, into: &gatewayEffects)
            return takeGatewayEffects(now)
        }
        if isListening { pending.append(.link(.device(slot), .window(isOpen: true))) }
    }
}
