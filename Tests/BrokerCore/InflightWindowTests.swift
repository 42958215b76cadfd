import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

/// Deliveries in flight, compared with a plain list; and sessions with as many in flight as there are identifiers.
@Suite struct InflightWindowTests {
    private func delivery(_ identifier: UInt16, _ message: UInt32) -> InflightDelivery {
        InflightDelivery(
            message: MessageHandle(index: message), identifiers: .none, packetIdentifier: identifier,
            qos: .atLeastOnce, retain: false, phase: .publish)
    }

    /// The next identifier as the standard has it: one after the other, those in flight left out.
    private func naive(_ list: [InflightDelivery], after last: UInt16, upTo highest: UInt16) -> UInt16 {
        var next = last
        repeat {
            next = next >= highest ? 1 : next + 1
        } while list.contains { $0.packetIdentifier == next }
        return next
    }

    @Test(
        "It holds the order of sending, finds each and gives the next free identifier, as it grows and shrinks",
        arguments: [20, 300, 600] as [UInt64], [700, 0x7FFF, .max] as [UInt16])
    func agrees(size: UInt64, highest: UInt16) {
        var window = InflightWindow()
        var list: [InflightDelivery] = []
        var last: UInt16 = 0
        var random = SeededGenerator(seed: size)
        for step in 0..<6_000 as Range<UInt32> {
            // Times of growing, with the oldest staying, and times of shrinking.
            let grows = (step / 1_000).isMultiple(of: 2)
            if list.count < Int(size), random.below(10) < (grows ? 8 : 2) {
                let identifier = window.freeIdentifier(after: last, upTo: highest)
                if step.isMultiple(of: 7) { #expect(identifier == naive(list, after: last, upTo: highest)) }
                window.append(delivery(identifier, step))
                list.append(delivery(identifier, step))
                last = identifier
            } else if !list.isEmpty {
                let index = Int(random.below(UInt64(list.count)))
                let identifier = list[index].packetIdentifier
                guard let place = window.place(of: identifier) else {
                    Issue.record("\(identifier) is in flight and was not found")
                    return
                }
                #expect(window.remove(at: place).message == list.remove(at: index).message)
                #expect(window.place(of: identifier) == nil)
            }
            #expect(window.count == list.count)
            if step.isMultiple(of: 191) { #expect(window.map(\.message) == list.map(\.message)) }
        }
        while let entry = window.popLast() { #expect(entry.message == list.popLast()?.message) }
        #expect(list.isEmpty && window.isEmpty)
    }

    @Test("Identifiers go round past those that stay in flight for long", arguments: [3, 500] as [UInt16])
    func wraps(staying: UInt16) {
        var window = InflightWindow()
        for identifier in 1...staying { window.append(delivery(identifier * 100, 0)) }
        var last: UInt16 = 0
        for _ in 0..<200_000 {
            let identifier = window.freeIdentifier(after: last, upTo: .max)
            let isNext = identifier == (last == .max ? 1 : last + 1)
            let passesOver = identifier % 100 == 1 && identifier == last &+ 2
            #expect(identifier != 0 && (isNext || passesOver))
            window.append(delivery(identifier, 1))
            if let place = window.place(of: identifier) { _ = window.remove(at: place) }
            last = identifier
        }
        #expect(window.count == Int(staying))
    }

    @Test("A session without deliveries pays a word for each index it does not have, and two for its queue's parts")
    func size() {
        #expect(MemoryLayout<InflightWindow>.size == 16)
        #expect(MemoryLayout<ReceivedMessages>.size == 16)
        #expect(MemoryLayout<DeliveryQueue>.size == 24)
    }

    // MARK: - Sessions

    /// A broker whose only reader has all identifiers in flight at this quality, and as many messages waiting again.
    private func fullBroker(_ qos: QoS) -> (broker: Broker, reader: LinkID, now: Now) {
        var limits = BrokerLimits()
        limits.inflightMessagesMax = .max
        limits.queuedMessagesMax = 100_000
        limits.heldBytesMax = 1 << 30
        limits.heldOverheadBytesMax = 1 << 30
        var broker = Broker(limits: limits, seed: 1)
        let now = Now(instant: Instant(nanoseconds: 1), unixSeconds: 1)
        var effects = BrokerEffects()
        let (reader, writer) = (LinkID.connection(1), LinkID.connection(2))
        for (link, name) in [(reader, "reader"), (writer, "writer")] as [(LinkID, ClientID)] {
            let offer = SessionOffer(
                clientID: name, cleanStart: true, sessionExpiryInterval: 60, pace: .window(.max), will: nil,
                receiveMaximum: .max, userName: nil, sleepQueue: nil)
            broker.handle(.attach(offer), from: link, now: now, into: &effects)
        }
        let request = SubscriptionRequest(filter: "a", options: SubscriptionOptions(maximumQoS: qos))
        broker.handle(.subscribe(packetIdentifier: 1, [request]), from: reader, now: now, into: &effects)
        for number in 1...131_070 {
            publish(.atLeastOnce, UInt16(truncatingIfNeeded: number), writer, &broker, now, &effects)
            effects.list.removeAll(keepingCapacity: true)
        }
        return (broker, reader, now)
    }

    private func publish(
        _ qos: QoS, _ identifier: UInt16, _ writer: LinkID, _ broker: inout Broker, _ now: Now,
        _ effects: inout BrokerEffects
    ) {
        ("a" as ByteString).withView { topic in
            let publish = IncomingPublish(
                topic: .name(topic), qos: qos, retain: false, isDuplicate: false, packetIdentifier: identifier,
                payload: ByteView(start: nil, count: 0), messageExpiryInterval: nil)
            broker.handle(.publish(publish), from: writer, now: now, into: &effects)
        }
    }

    @Test(
        "65,535 unacknowledged: each PUBACK, in any order, sends the next under the identifier it frees [MQTT-2.2.1-4]"
    )
    func allIdentifiers() {
        var (broker, reader, now) = fullBroker(.atLeastOnce)
        #expect(broker.sessions[0].inflight.count == 65_535)
        var effects = BrokerEffects()
        // Searches one by one would take 10^14 steps.
        for round in 0..<2 {
            for step in 1...65_535 as ClosedRange<Int> {
                // A permutation of all identifiers: 32,749 and 65,535 have no common factor.
                let identifier = UInt16(step * 32_749 % 65_535 + 1)
                let acknowledgement = Acknowledgement(.puback, identifier)
                broker.handle(.acknowledge(acknowledgement), from: reader, now: now, into: &effects)
                let sent = effects.list.compactMap { effect -> UInt16? in
                    guard case .answer(_, .deliver(let delivery)) = effect else { return nil }
                    return delivery.packetIdentifier
                }
                if sent != (round == 0 ? [identifier] : []) { Issue.record("\(identifier) freed, \(sent) sent") }
                effects.list.removeAll(keepingCapacity: true)
            }
        }
        #expect(broker.counters.acknowledged == 131_070)
        #expect(broker.counters.unknownIdentifiers == 0)
        #expect(broker.ledgerImbalance == 0)
        broker.tearDown()
    }

    @Test("65,535 in flight go back to the queue and out again in the order they were sent [MQTT-4.4.0-1]")
    func redelivery() {
        var (broker, reader, now) = fullBroker(.atLeastOnce)
        var effects = BrokerEffects()
        for identifier in [1, 30_000, 65_535] as [UInt16] {
            broker.handle(.acknowledge(Acknowledgement(.puback, identifier)), from: reader, now: now, into: &effects)
        }
        let order = broker.sessions[0].inflight.map(\.packetIdentifier)
        #expect(order.suffix(3) == [1, 30_000, 65_535])
        broker.handle(.detach(Farewell(publishesWill: false)), from: reader, now: now, into: &effects)
        #expect(broker.sessions[0].inflight.isEmpty)
        #expect(broker.sessions[0].queue.returned.map(\.packetIdentifier) == order)
        let offer = SessionOffer(
            clientID: "reader", cleanStart: false, sessionExpiryInterval: 60, pace: .window(.max), will: nil,
            receiveMaximum: .max, userName: nil, sleepQueue: nil)
        broker.handle(.attach(offer), from: .connection(3), now: now, into: &effects)
        for _ in 0..<1_100 { broker.advance(to: now, into: &effects) }
        #expect(broker.sessions[0].inflight.map(\.packetIdentifier) == order)
        #expect(broker.sessions[0].queue.returnedBytes == 0)
        #expect(broker.ledgerImbalance == 0)
        broker.tearDown()
    }

    @Test("65,535 messages at QoS 2 between PUBLISH and PUBREL are found each at the same cost, in any order")
    func allReceived() {
        var (broker, _, now) = fullBroker(.atMostOnce)
        var effects = BrokerEffects()
        let writer = LinkID.connection(2)
        for identifier in 1...UInt16.max {
            publish(.exactlyOnce, identifier, writer, &broker, now, &effects)
            effects.list.removeAll(keepingCapacity: true)
        }
        #expect(broker.sessions[1].received.count == 65_535)
        for step in 1...65_535 as ClosedRange<Int> {
            let identifier = UInt16(step * 32_749 % 65_535 + 1)
            broker.handle(.release(packetIdentifier: identifier), from: writer, now: now, into: &effects)
            effects.list.removeAll(keepingCapacity: true)
        }
        #expect(broker.sessions[1].received.count == 0)
        #expect(broker.counters.unknownIdentifiers == 0)
        broker.tearDown()
    }
}
