import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

@Suite struct SleepQueueTests {
    /// A device that sleeps with a queue of its own kind, and somebody who writes to it; the device reads `+`.
    private struct Sleeper {
        var world: BrokerWorld
        var device: LinkID
        let writer: LinkID
        private var lastIdentifier: UInt16 = 0

        init(_ queue: QueueLimits, broker policy: QueueFullPolicy = .dropNewest, held: Int? = nil) {
            var limits = BrokerLimits()
            limits.queueFullPolicy = policy
            if let held { limits.heldBytesMax = held }
            world = BrokerWorld(limits)
            device = world.client("node", clean: false, expiry: 3_600, isDevice: true, sleepQueue: queue)
            writer = world.client("writer")
            world.subscribe(device, "+")
            sleep()
        }

        mutating func sleep() { world.ask(device, .window(isOpen: false)) }

        /// Publishes `topic=payload`; at QoS 1 and 2 with everything that belongs to it.
        mutating func publish(_ topic: ByteString, _ payload: ByteString, _ qos: QoS = .atMostOnce) {
            lastIdentifier += 1
            world.publish(writer, topic, payload, qos, id: qos == .atMostOnce ? 0 : lastIdentifier)
            if qos == .exactlyOnce { world.ask(writer, .release(packetIdentifier: lastIdentifier)) }
        }

        /// What the writer was told of its last message at QoS 1 or 2.
        mutating func outcome() -> PublishOutcome? {
            for case .answer(.acknowledge(let acknowledgement)) in world.heard(writer) {
                return acknowledgement.outcome
            }
            return nil
        }

        /// Wakes, takes everything, and sleeps again.
        mutating func wake() -> [BrokerWorld.Received] {
            world.ask(device, .window(isOpen: true))
            var all: [BrokerWorld.Received] = []
            while true {
                let told = world.heard(device)
                for case .message(let message) in told { all.append(message) }
                guard case .message(let last)? = told.last else { break }
                switch last.qos {
                case .atMostOnce: world.ask(device, .delivered)
                case .atLeastOnce: world.acknowledge(device, .puback, last.packetIdentifier)
                case .exactlyOnce:
                    world.acknowledge(device, .pubrec, last.packetIdentifier)
                    _ = world.heard(device)
                    world.acknowledge(device, .pubcomp, last.packetIdentifier)
                }
            }
            sleep()
            return all
        }

        mutating func payloads() -> [ByteString] { wake().map(\.payload) }
        var counters: BrokerCounters { world.broker.counters }
    }

    // MARK: - What gives way

    @Test(
        "At the limit everything is kept; one more, and the policy of the device's listener says what goes [D-75]",
        arguments: [QueueFullPolicy.dropNewest, .dropOldest, .refuse])
    func policies(broker: QueueFullPolicy) {
        for (whenFull, kept) in [(QueueLimits.WhenFull.dropNewest, ["0", "1", "2"]), (.dropOldest, ["1", "2", "3"])] {
            var sleeper = Sleeper(QueueLimits(messages: 3, bytes: 100, whenFull: whenFull), broker: broker)
            for payload: ByteString in ["0", "1", "2"] { sleeper.publish("a", payload, .atLeastOnce) }
            #expect(sleeper.counters.droppedQueueFull == 0)
            _ = sleeper.outcome()
            sleeper.publish("a", "3", .atLeastOnce)
            #expect(sleeper.outcome() == .success)
            #expect(sleeper.counters.droppedQueueFull == 1)
            #expect(sleeper.payloads().map { "\($0)" } == kept)
        }
    }

    @Test("Without a policy of its own the broker's holds for a sleeping device, too [D-75]")
    func brokersPolicy() {
        for (broker, kept) in [(QueueFullPolicy.dropNewest, ["0", "1"]), (.dropOldest, ["1", "2"])] {
            var sleeper = Sleeper(QueueLimits(messages: 2, bytes: 100), broker: broker)
            for payload: ByteString in ["0", "1", "2"] { sleeper.publish("a", payload) }
            #expect(sleeper.payloads().map { "\($0)" } == kept)
        }
        var refusing = Sleeper(QueueLimits(messages: 1, bytes: 100), broker: .refuse)
        refusing.publish("a", "0", .atLeastOnce)
        _ = refusing.outcome()
        refusing.publish("a", "1", .atLeastOnce)
        #expect(refusing.outcome() == .quotaExceeded)
        #expect(refusing.payloads() == ["0"])
    }

    @Test("By bytes the oldest make place for as much as comes; what no empty queue could hold goes itself [D-75]")
    func bytes() {
        var sleeper = Sleeper(QueueLimits(messages: 10, bytes: 6, whenFull: .dropOldest))
        for payload: ByteString in ["aa", "bb", "cc", "dddd", "eeeeeee"] { sleeper.publish("a", payload) }
        #expect(sleeper.payloads() == ["cc", "dddd"])
        #expect(sleeper.counters.droppedQueueFull == 3)
    }

    @Test("A message at QoS 2 under `refuse` goes by the device's own policy when it is released [D-75] [M-11]")
    func promised() {
        var sleeper = Sleeper(QueueLimits(messages: 1, bytes: 100, whenFull: .dropOldest), broker: .refuse)
        for payload: ByteString in ["0", "1"] { sleeper.publish("a", payload, .exactlyOnce) }
        #expect(sleeper.payloads() == ["1"])
        #expect(sleeper.counters.droppedQueueFull == 1)
    }

    @Test("A device that is awake has the broker's queue, policy and all")
    func awake() {
        var sleeper = Sleeper(QueueLimits(messages: 1, bytes: 100, whenFull: .dropOldest, keepsLast: true))
        sleeper.world.ask(sleeper.device, .window(isOpen: true))
        for payload: ByteString in ["0", "1", "2"] { sleeper.publish("a", payload) }
        #expect(sleeper.payloads() == ["0", "1", "2"])
        #expect(sleeper.counters.replaced == 0)
    }

    // MARK: - The last of each topic

    private func keeping(_ messages: Int = 3, _ bytes: Int = 100, _ whenFull: QueueLimits.WhenFull? = nil)
        -> QueueLimits
    {
        QueueLimits(messages: messages, bytes: bytes, whenFull: whenFull, keepsLast: true)
    }

    @Test("A message takes the place of the one of its topic, with its own QoS; the account is exact [D-76]")
    func keepsLast() {
        var sleeper = Sleeper(keeping())
        sleeper.publish("a", "1")
        sleeper.publish("b", "2", .atLeastOnce)
        sleeper.publish("a", "3", .exactlyOnce)
        sleeper.publish("b", "4")
        sleeper.publish("a", "5", .atLeastOnce)
        let received = sleeper.wake()
        #expect(received.map(\.payload) == ["5", "4"])
        #expect(received.map(\.qos) == [.atLeastOnce, .atMostOnce])
        let counters = sleeper.counters
        #expect([counters.deliveriesOwed, counters.delivered, counters.replaced, counters.dropped] == [5, 2, 3, 0])
        #expect(sleeper.world.broker.queue(of: "node") == (0, 0))
        #expect(sleeper.world.broker.gauges.heldMessages == 0)
    }

    @Test("In a full queue there is still room for a newer message of a topic in it, under every policy [D-76]")
    func full() {
        for broker in [QueueFullPolicy.dropNewest, .dropOldest, .refuse] {
            var sleeper = Sleeper(keeping(2), broker: broker)
            for topic: ByteString in ["a", "b", "a"] { sleeper.publish(topic, topic, .atLeastOnce) }
            #expect(sleeper.outcome() == .success)
            #expect(sleeper.payloads() == ["a", "b"])
            #expect(sleeper.counters.droppedQueueFull == 0)
        }
    }

    @Test("What is longer than the place it would take: the policy decides, and no topic waits twice [D-76]")
    func tooLong() {
        var newest = Sleeper(keeping(3, 4, .dropNewest))
        for (topic, payload) in [("a", "aa"), ("b", "bb"), ("a", "AAA")] as [(ByteString, ByteString)] {
            newest.publish(topic, payload)
        }
        #expect(newest.payloads() == ["aa", "bb"])
        var oldest = Sleeper(keeping(3, 4, .dropOldest))
        for (topic, payload) in [("b", "bb"), ("a", "aa"), ("a", "AAA")] as [(ByteString, ByteString)] {
            oldest.publish(topic, payload)
        }
        #expect(oldest.payloads() == ["AAA"])
        #expect([oldest.counters.replaced, oldest.counters.droppedQueueFull] == [1, 1])
    }

    @Test("What the device may have seen keeps its place, and the newer message waits behind it [D-76]")
    func seenBefore() {
        var sleeper = Sleeper(keeping())
        sleeper.world.ask(sleeper.device, .window(isOpen: true))
        sleeper.publish("a", "1", .atLeastOnce)
        sleeper.sleep()
        sleeper.world.ask(sleeper.device, .detach(Farewell(publishesWill: false)))
        sleeper.publish("a", "2", .atLeastOnce)
        sleeper.publish("a", "3", .atLeastOnce)
        sleeper.device = sleeper.world.client(
            "node", clean: false, expiry: 3_600, isDevice: true, sleepQueue: keeping())
        _ = sleeper.world.attached(sleeper.device)
        sleeper.sleep()
        #expect(sleeper.counters.replaced == 1)
        #expect(sleeper.counters.deliveriesOwed == 3)
    }

    @Test("Messages of a shared subscription are never replaced: each is a piece of work [D-76]")
    func shared() {
        var sleeper = Sleeper(keeping())
        sleeper.world.subscribe(sleeper.device, "$share/g/x/y")
        for payload: ByteString in ["1", "2"] { sleeper.publish("x/y", payload) }
        #expect(sleeper.payloads() == ["1", "2"])
        #expect(sleeper.counters.replaced == 0)
    }

    @Test("Where the room of all is used up a newer message has the room of the one it replaces, and no more [D-76]")
    func roomOfAll() {
        var sleeper = Sleeper(keeping(), held: 4)
        sleeper.publish("a", "1234")
        sleeper.publish("a", "5678")
        sleeper.publish("a", "12345")
        #expect(sleeper.payloads() == ["5678"])
        #expect([sleeper.counters.replaced, sleeper.counters.droppedQueueFull] == [1, 1])
    }

    // MARK: - Age

    @Test("A message that has waited for as long as allowed is not delivered and counts as expired [D-77]")
    func age() {
        var sleeper = Sleeper(QueueLimits(messages: 10, bytes: 100, expiry: 60))
        sleeper.publish("a", "old", .atLeastOnce)
        sleeper.world.advance(.seconds(1))
        sleeper.publish("a", "new")
        sleeper.world.advance(.seconds(59))
        #expect(sleeper.payloads() == ["new"])
        #expect([sleeper.counters.expired, sleeper.counters.delivered] == [1, 1])
    }

    @Test("What has waited too long makes room first, by whichever of both limits is the shorter [D-77]")
    func agedMakeRoom() {
        var sleeper = Sleeper(QueueLimits(messages: 2, bytes: 100, expiry: 60))
        sleeper.publish("a", "1")
        sleeper.world.publish(sleeper.writer, "a", "2", expiry: 10)
        sleeper.world.advance(.seconds(10))
        sleeper.publish("a", "3")
        sleeper.world.advance(.seconds(50))
        sleeper.publish("a", "4")
        #expect(sleeper.counters.expired == 2)
        #expect(sleeper.counters.droppedQueueFull == 0)
        #expect(sleeper.payloads() == ["3", "4"])
    }

    @Test("Nothing grows old without the limit [D-77]")
    func noAge() {
        var sleeper = Sleeper(QueueLimits(messages: 2, bytes: 100))
        sleeper.publish("a", "1")
        sleeper.world.advance(.seconds(1_000_000))
        #expect(sleeper.payloads() == ["1"])
    }

    @Test("A replaced message takes the age of the new one [D-77]")
    func replacedIsYoung() {
        var sleeper = Sleeper(QueueLimits(messages: 2, bytes: 100, expiry: 60, keepsLast: true))
        sleeper.publish("a", "1")
        sleeper.world.advance(.seconds(50))
        sleeper.publish("a", "2")
        sleeper.world.advance(.seconds(50))
        #expect(sleeper.payloads() == ["2"])
    }

    @Test("What was in flight when the device fell silent comes again, however old: it may have it [D-77]")
    func inFlight() {
        let queue = QueueLimits(messages: 2, bytes: 100, expiry: 60)
        var sleeper = Sleeper(queue)
        sleeper.world.ask(sleeper.device, .window(isOpen: true))
        sleeper.publish("a", "1", .atLeastOnce)
        sleeper.world.ask(sleeper.device, .detach(Farewell(publishesWill: true)))
        sleeper.world.advance(.seconds(600))
        sleeper.device = sleeper.world.client(
            "node", clean: false, expiry: 3_600, isDevice: true, sleepQueue: queue)
        #expect(sleeper.world.messages(sleeper.device).map(\.isDuplicate) == [true])
    }
}
