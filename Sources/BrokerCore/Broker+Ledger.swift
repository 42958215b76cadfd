extension Broker {
    /// Deliveries that wait or are in flight, counted one by one: for tests, since it looks at every queue.
    package var deliveriesUnderWay: Int {
        var count = 0
        for session in sessions {
            for entry in session.queue where entry.phase == .message { count += 1 }
            for delivery in session.inflight where delivery.phase == .publish { count += 1 }
            if session.attachment?.busyWith != nil { count += 1 }
        }
        return count
    }

    /// What is missing in the account of all deliveries: 0, or the broker has lost or invented one. For tests.
    package var ledgerImbalance: Int {
        Int(counters.deliveriesOwed) - Int(counters.delivered) - Int(counters.undelivered) - deliveriesUnderWay
    }
}
