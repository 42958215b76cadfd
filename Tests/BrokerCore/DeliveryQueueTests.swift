import Messaging
import Testing

@testable import BrokerCore

@Suite struct DeliveryQueueTests {
    private func entry(
        _ message: UInt32, _ identifier: UInt16 = 0, _ phase: QueuedDelivery.Phase = .message
    ) -> QueuedDelivery {
        QueuedDelivery(
            message: MessageHandle(index: message), identifiers: .none, packetIdentifier: identifier,
            qos: .exactlyOnce, retain: false, phase: phase)
    }

    @Test("What was in flight goes before what nobody has seen, each in its order")
    func order() {
        var queue = DeliveryQueue()
        #expect(queue.isEmpty && queue.first == nil)
        for message in 10...12 as ClosedRange<UInt32> { queue.append(entry(message)) }
        for message in (1...2 as ClosedRange<UInt32>).reversed() { queue.prepend(entry(message, UInt16(message))) }
        queue.append(entry(3, 3, .release))
        #expect(queue.map(\.message.index) == [1, 2, 3, 10, 11, 12])
        #expect(queue.count == 6 && queue.returned.count == 3)
        var taken: [UInt32] = []
        while let entry = queue.popFirst() { taken.append(entry.message.index) }
        #expect(taken == [1, 2, 3, 10, 11, 12])
    }
}
