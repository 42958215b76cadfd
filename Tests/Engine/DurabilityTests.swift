import BrokerCore
import Bytes
import Clockwork
import ConnectionCore
import Engine
import Journal
import MQTTWire
import Messaging
import SimulationKit
import Testing

/// An engine whose disk takes what it has only when told to.
private struct SlowDisk {
    var world: EngineWorld

    init(_ configure: (inout EngineSettings) -> Void = { _ in }) {
        world = EngineWorld { settings in
            settings.broker.isDurable = true
            configure(&settings)
        }
        world.world.disk = nil
    }

    /// Everything that was recorded so far is safe, and what waited for it arrives.
    mutating func commit() {
        commit(world.world.engine.takeBatch())
    }

    /// This batch is.
    mutating func commit(_ batch: JournalBatch?) {
        if let batch { world.world.engine.committed(batch.number) }
        settle()
    }

    /// Something happened outside of the world's course.
    mutating func settle() {
        world.world.pump()
        world.settle()
    }

    mutating func store(_ state: StoreState) {
        world.world.engine.storeChanged(state, now: world.world.time)
        settle()
    }

    /// A client whose session, unless it starts clean, and subscriptions are safe.
    mutating func client(
        _ name: ByteString, _ version: ProtocolVersion = .v3_1_1, isClean: Bool = false,
        subscribedTo filters: [(ByteString, QoS)] = []
    ) -> Int {
        let client = world.client(name, version, cleanStart: isClean)
        commit()
        if !filters.isEmpty {
            _ = world.world.use(client) { $0.subscribe(filters) }
            world.settle()
            commit()
        }
        _ = world.events(ofClient: client)
        return client
    }

    /// A session with this subscription whose client is away.
    mutating func absent(_ name: ByteString, _ filter: ByteString, _ qos: QoS) {
        let client = client(name, subscribedTo: [(filter, qos)])
        world.world.disconnect(client: client)
        world.settle()
        commit()
    }
}

/// DESIGN §5: what must be safe before what leaves. Each test fails when its rule is broken on purpose.
@Suite struct DurabilityTests {
    @Test("CONNACK of a session that outlives its connection waits until that is safe; another for nothing")
    func connack() {
        var disk = SlowDisk()
        let lasting = disk.world.client("lasting", cleanStart: false)
        let passing = disk.world.client("passing")
        #expect(disk.world.events(ofClient: lasting) == [])
        #expect(disk.world.events(ofClient: passing) == [.connected(sessionPresent: false)])
        disk.commit()
        #expect(disk.world.events(ofClient: lasting) == [.connected(sessionPresent: false)])
    }

    @Test("SUBACK and UNSUBACK of such a session wait until the subscription is safe; others wait for nothing")
    func suback() {
        var disk = SlowDisk()
        let lasting = disk.client("lasting")
        let passing = disk.client("passing", isClean: true)
        for client in [lasting, passing] { _ = disk.world.world.use(client) { $0.subscribe([("a", .atLeastOnce)]) } }
        disk.world.settle()
        #expect(disk.world.events(ofClient: lasting) == [])
        #expect(disk.world.events(ofClient: passing).count == 1)
        disk.commit()
        #expect(disk.world.events(ofClient: lasting).count == 1)
    }

    @Test("PUBACK waits until the message is safe with a session that is away; without one it waits for nothing")
    func puback() {
        var disk = SlowDisk()
        disk.absent("away", "kept", .atLeastOnce)
        let publisher = disk.client("p", isClean: true)
        disk.world.publish(client: publisher, "other", "x", .atLeastOnce)
        #expect(disk.world.events(ofClient: publisher) == [.published(token: 0)])
        disk.world.publish(client: publisher, "kept", "x", .atLeastOnce)
        #expect(disk.world.events(ofClient: publisher) == [])
        disk.commit()
        #expect(disk.world.events(ofClient: publisher) == [.published(token: 0)])
    }

    @Test("PUBACK of a message that is retained waits until that is safe")
    func retained() {
        var disk = SlowDisk()
        let publisher = disk.client("p", isClean: true)
        disk.world.publish(client: publisher, "state", "on", .atLeastOnce, retain: true)
        #expect(disk.world.events(ofClient: publisher) == [])
        disk.commit()
        #expect(disk.world.events(ofClient: publisher) == [.published(token: 0)])
    }

    @Test("PUBREC waits until the message is safe, and PUBCOMP until it is with those who get it [MQTT-4.3.3-11]")
    func exactlyOnceIn() {
        var disk = SlowDisk()
        disk.absent("away", "kept", .exactlyOnce)
        let publisher = disk.client("p")
        disk.world.publish(client: publisher, "kept", "x", .exactlyOnce)
        let sent = disk.world.world.engine.connections.counters.packetsReceived
        #expect(disk.world.events(ofClient: publisher) == [])
        disk.commit()
        // PUBREC has come, and PUBREL was answered with nothing yet.
        #expect(disk.world.world.engine.connections.counters.packetsReceived == sent + 1)
        #expect(disk.world.events(ofClient: publisher) == [])
        disk.commit()
        #expect(disk.world.events(ofClient: publisher) == [.published(token: 0)])
    }

    @Test("PUBLISH at QoS 2 to such a session waits until its packet identifier is safe; at QoS 1 it waits for nothing")
    func exactlyOnceOut() {
        var disk = SlowDisk()
        let twice = disk.client("two", subscribedTo: [("a", .exactlyOnce)])
        let once = disk.client("one", subscribedTo: [("a", .atLeastOnce)])
        let passing = disk.client("clean", isClean: true, subscribedTo: [("a", .exactlyOnce)])
        let publisher = disk.client("p", isClean: true)
        disk.world.publish(client: publisher, "a", "x", .exactlyOnce)
        #expect(disk.world.messages(ofClient: once) == ["a x 1"])
        #expect(disk.world.messages(ofClient: passing) == ["a x 2"])
        #expect(disk.world.messages(ofClient: twice) == [])
        disk.commit()
        #expect(disk.world.messages(ofClient: twice) == ["a x 2"])
    }

    @Test("PUBREL waits until it is safe that PUBREC was seen")
    func pubrel() {
        var disk = SlowDisk()
        let subscriber = disk.client("s", subscribedTo: [("a", .exactlyOnce)])
        let publisher = disk.client("p", isClean: true)
        disk.world.publish(client: publisher, "a", "y", .exactlyOnce)
        disk.commit()
        #expect(disk.world.messages(ofClient: subscriber) == ["a y 2"])
        #expect(disk.world.world.clients[subscriber].client.isIdle == false)
        disk.commit()
        #expect(disk.world.world.clients[subscriber].client.isIdle)
    }

    @Test("Nothing waits for the end of a delivery: after PUBACK the next one goes at once")
    func removal() {
        var disk = SlowDisk { $0.broker.inflightMessagesMax = 1 }
        disk.absent("s", "a", .atLeastOnce)
        let publisher = disk.client("p", isClean: true)
        for text in ["x", "y"] as [ByteString] { disk.world.publish(client: publisher, "a", text, .atLeastOnce) }
        disk.commit()
        disk.world.world.connect(client: 0)
        disk.world.settle()
        disk.commit()
        #expect(disk.world.messages(ofClient: 0) == ["a x 1", "a y 1"])
    }

    @Test("A delivery at QoS 0 that has waited in a queue leaves only when it is safe that it waits no more")
    func queuedAtMostOnce() {
        var disk = SlowDisk { $0.broker.queuesQoS0 = true }
        let subscriber = disk.client("s", subscribedTo: [("a", .atMostOnce)])
        disk.world.world.disconnect(client: subscriber)
        disk.world.settle()
        let publisher = disk.client("p", isClean: true)
        for _ in 0..<100 { disk.world.publish(client: publisher, "a", "x", .atMostOnce) }
        disk.commit()
        disk.world.world.connect(client: subscriber)
        disk.world.settle()
        // More than one share of a turn: the later ones do not stand behind CONNACK's batch by chance.
        #expect(disk.world.messages(ofClient: subscriber) == [])
        disk.commit()
        #expect(disk.world.messages(ofClient: subscriber).count == 100)
    }

    @Test("What stands behind an answer that waits does not overtake it; each batch lets go what waited for it")
    func order() {
        var disk = SlowDisk()
        disk.absent("away", "kept", .atLeastOnce)
        let publisher = disk.client("p", isClean: true)
        disk.world.publish(client: publisher, "kept", "1", .atLeastOnce)
        disk.world.world.use(publisher) { $0.ping() }
        disk.world.settle()
        #expect(disk.world.events(ofClient: publisher) == [])
        let first = disk.world.world.engine.takeBatch()
        disk.world.publish(client: publisher, "kept", "2", .atLeastOnce)
        disk.world.publish(client: publisher, "kept", "3", .atLeastOnce)
        disk.commit(first)
        #expect(disk.world.events(ofClient: publisher) == [.published(token: 0), .ponged])
        disk.commit()
        #expect(disk.world.events(ofClient: publisher) == [.published(token: 0), .published(token: 0)])
    }

    @Test("A connection that ends is closed behind its last answer, not before it is safe")
    func lastWords() {
        var disk = SlowDisk()
        disk.absent("away", "kept", .atLeastOnce)
        let publisher = disk.client("p", .v5, isClean: true)
        disk.world.publish(client: publisher, "kept", "1", .atLeastOnce)
        disk.world.world.engine.shutDown(now: disk.world.world.time)
        disk.settle()
        #expect(disk.world.events(ofClient: publisher) == [])
        disk.commit()
        #expect(
            disk.world.events(ofClient: publisher) == [.published(token: 0), .disconnected(.serverShuttingDown)])
    }

    // MARK: - When the disk does not take it

    @Test("Without space MQTT 5 hears 0x97 and 3.1.1 nothing; QoS 0 and passing sessions are served")
    func blocked() {
        var disk = SlowDisk()
        disk.absent("away", "kept", .atLeastOnce)
        let reader = disk.client("r", isClean: true, subscribedTo: [("#", .exactlyOnce)])
        let new = disk.client("new", .v5, isClean: true)
        let old = disk.client("old", isClean: true)
        disk.store(.blocked)
        disk.world.publish(client: new, "kept", "1", .atLeastOnce)
        disk.world.publish(client: new, "kept", "2", .exactlyOnce)
        disk.world.publish(client: new, "kept", "3", .atMostOnce)
        disk.world.publish(client: new, "other", "4", .exactlyOnce)
        #expect(
            disk.world.events(ofClient: new) == [
                .publishRefused(token: 0, .quotaExceeded), .publishRefused(token: 0, .quotaExceeded),
                .published(token: 0), .published(token: 0),
            ])
        disk.world.publish(client: old, "kept", "5", .atLeastOnce)
        #expect(disk.world.world.clients[old].client.isOffline)
        #expect(disk.world.events(ofClient: old) == [])
        #expect(disk.world.messages(ofClient: reader) == ["kept 3 0", "other 4 2"])
        let late = disk.world.client("late", .v5, cleanStart: false)
        #expect(disk.world.events(ofClient: late) == [.refused(.serverUnavailable)])

        disk.store(.ready)
        disk.world.world.connect(client: old)
        disk.world.settle()
        disk.commit()
        #expect(disk.world.events(ofClient: old).last == .published(token: 0))
        #expect(disk.world.messages(ofClient: reader) == ["kept 5 1"])
    }

    @Test("Who waits when the space runs out is let go without an answer", arguments: [StoreState.blocked, .failed])
    func letGo(state: StoreState) {
        var disk = SlowDisk()
        disk.absent("away", "kept", .atLeastOnce)
        let new = disk.client("new", .v5, isClean: true)
        let old = disk.client("old", isClean: true)
        for client in [new, old] { disk.world.publish(client: client, "kept", "x", .atLeastOnce) }
        disk.store(state)
        #expect(disk.world.events(ofClient: new) == [.disconnected(.quotaExceeded)])
        #expect(disk.world.events(ofClient: old) == [])
        #expect(disk.world.world.clients[old].client.isOffline)
    }

    @Test("More than may wait for the disk is refused, until half of it is gone")
    func overfull() {
        var disk = SlowDisk {
            $0.unwrittenBytesMax = 2_000
            $0.broker.queuedMessagesMax = 10_000
        }
        disk.absent("away", "kept", .atLeastOnce)
        let publisher = disk.client("p", .v5, isClean: true)
        var refused = 0
        let long = ByteString([UInt8](repeating: 0x78, count: 300))
        for _ in 0..<20 {
            disk.world.publish(client: publisher, "kept", long, .atLeastOnce)
            disk.world.world.engine.noteUnwritten(now: disk.world.world.time)
            disk.settle()
            if disk.world.world.clients[publisher].client.isOffline {
                refused += 1
                disk.world.world.connect(client: publisher)
                disk.world.settle()
            }
        }
        #expect(disk.world.world.engine.unwrittenSoFar() < 2_500)
        #expect(refused == 1)
        #expect(disk.world.events(ofClient: publisher).contains(.publishRefused(token: 0, .quotaExceeded)))
        disk.commit()
        disk.world.world.engine.noteUnwritten(now: disk.world.world.time)
        disk.world.publish(client: publisher, "kept", "y", .atLeastOnce)
        disk.commit()
        #expect(disk.world.events(ofClient: publisher).last == .published(token: 0))
    }

    @Test("`$SYS/broker/durability` says what is promised, and what is not")
    func said() {
        var disk = SlowDisk {
            $0.sysInterval = .seconds(10)
            $0.durability = "disk"
        }
        disk.world.run(for: .seconds(11))
        let reader = disk.world.client("r", subscribedTo: [("$SYS/broker/durability", .atMostOnce)])
        #expect(disk.world.messages(ofClient: reader) == ["$SYS/broker/durability disk 0 retained"])
        for state in [StoreState.blocked, .ready, .failed, .ready] {
            disk.store(state)
        }
        #expect(
            disk.world.messages(ofClient: reader) == [
                "$SYS/broker/durability disk, refusing: no space on the disk 0", "$SYS/broker/durability disk 0",
                "$SYS/broker/durability disk, refusing: the disk failed 0",
            ])
    }
}
