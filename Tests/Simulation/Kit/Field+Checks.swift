internal import BrokerCore
internal import Engine
internal import GatewayCore

/// What must hold at every moment.
extension Field {
    mutating func checkBooks() {
        if let fault = world.engine.gateway.contradiction { world.faults.append(fault) }
        let imbalance = world.engine.broker.ledgerImbalance
        if imbalance != 0 { world.faults.append("\(imbalance) deliveries are in no account") }
        checkMemory()
    }

    /// What is kept is bounded by how many there are, and not by how long it goes on.
    private mutating func checkMemory() {
        let gauges = world.engine.broker.gauges
        let sessions = plan.devices + clients.count
        // Each has at most two subscriptions and a topic of its own, and a will.
        expect(gauges.subscriptions, "subscriptions", atMost: 3 * sessions)
        expect(gauges.topics, "topics", atMost: 4 * sessions + 100)
        expect(gauges.retainedMessages, "retained messages", atMost: 0)
        expect(gauges.connectedDevices + gauges.connectedClients + gauges.offlineSessions, "sessions", atMost: sessions)
        // A queue for each, and what publishers have open.
        expect(gauges.heldMessages, "messages held", atMost: 64 * sessions)
    }

    private mutating func expect(_ count: Int, _ what: String, atMost limit: Int) {
        if count > limit { world.faults.append("\(count) \(what), and \(limit) are allowed") }
    }

    /// Queues are large enough here, so that nothing is dropped for want of room, nor for another reason.
    mutating func checkNothingDropped() {
        let broker = world.engine.broker.counters
        let gateway = world.engine.gateway.counters
        let counts: [(String, Int)] = [
            ("deliveries met a full queue", Int(broker.droppedQueueFull)),
            ("deliveries met a slow link", Int(broker.droppedSlowLink)),
            ("deliveries could not be carried", Int(broker.droppedUndeliverable)),
            ("deliveries were refused", Int(broker.refusedByReceiver)),
            ("deliveries expired", Int(broker.expired)),
            ("deliveries ended with a session", Int(broker.discardedWithSession)),
            ("publications were refused", Int(broker.publishesRefused)),
            ("deliveries came out of turn", gateway.deliveriesOutOfTurn),
            ("deliveries were too long", gateway.droppedTooLong),
            ("topic ids were refused", gateway.droppedTopicRefused),
            ("topic tables were full", gateway.topicTableFull),
            ("datagrams were malformed", gateway.malformed),
            ("devices had too much open", gateway.tooManyOpen),
        ]
        for (what, count) in counts where count > 0 { world.faults.append("\(count) \(what)") }
    }
}
