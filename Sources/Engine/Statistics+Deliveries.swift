internal import BrokerCore
internal import Bytes

extension Engine {
    /// What became of every delivery: `owed` is the sum of all the others, at any moment.
    var deliveryFigures: [(name: StaticString, value: ByteString)] {
        let counters = broker.counters
        let waiting = Int64(counters.deliveriesOwed) - Int64(counters.delivered) - Int64(counters.undelivered)
        func number(_ value: some BinaryInteger) -> ByteString { ByteString(String(value)) }
        return [
            ("$SYS/broker/deliveries/owed", number(counters.deliveriesOwed)),
            ("$SYS/broker/deliveries/made", number(counters.delivered)),
            ("$SYS/broker/deliveries/waiting", number(waiting)),
            ("$SYS/broker/deliveries/expired", number(counters.expired)),
            ("$SYS/broker/deliveries/refused", number(counters.refusedByReceiver)),
            ("$SYS/broker/deliveries/dropped/queue full", number(counters.droppedQueueFull)),
            ("$SYS/broker/deliveries/dropped/slow client", number(counters.droppedSlowLink)),
            ("$SYS/broker/deliveries/dropped/client away", number(counters.droppedAway)),
            ("$SYS/broker/deliveries/dropped/undeliverable", number(counters.droppedUndeliverable)),
            ("$SYS/broker/deliveries/dropped/link lost", number(counters.lostWithLink)),
            ("$SYS/broker/deliveries/dropped/session ended", number(counters.discardedWithSession)),
        ]
    }
}
