import Bytes
import Clockwork
import Messaging
import Testing

@testable import GatewayCore

@Suite struct TablesTests {
    @Test("The hash of an address takes in host, port, scope, listener and node, and nothing else")
    func pathHash() {
        let hasher = KeyHasher(seeds: 1, 2)
        let base = World.path(1)
        var others = [World.path(2), World.path(1, host: 2), World.path(1, listener: 1)]
        others.append(DatagramPath(remote: PeerAddress(high: 1, low: base.remote.low, port: 1)))
        others.append(DatagramPath(remote: PeerAddress(high: 0, low: base.remote.low, port: 1, scopeID: 1)))
        var behind = base
        behind.node = 1
        others.append(behind)
        for other in others { #expect(hasher.hash(other) != hasher.hash(base)) }
        let elsewhere = DatagramPath(remote: base.remote, local: PeerAddress(ipv4: 1, port: 1), interface: 3)
        #expect(hasher.hash(elsewhere) == hasher.hash(base))
        #expect(KeyHasher(seeds: 3, 4).hash(base) != hasher.hash(base))
    }

    @Test("Hashes of client ids of every length differ from each other")
    func nameHash() {
        let hasher = KeyHasher(seeds: 1, 2)
        var seen: Set<UInt32> = []
        for count in 0...64 { seen.insert(hasher.hash(view([UInt8](repeating: 0, count: count)))) }
        #expect(seen.count == 65)
    }

    @Test("Hashes of neighbouring ports spread over the table")
    func spread() {
        let hasher = KeyHasher(seeds: 9, 10)
        var places: Set<UInt32> = []
        for port in 0..<4096 { places.insert(hasher.hash(World.path(port)) & 8191) }
        // By chance 4,096 balls hit about 3,223 of 8,192 boxes.
        #expect(places.count > 3_000)
    }

    @Test("Hashes of the nodes of one forwarder spread over the table")
    func spreadOfNodes() {
        let hasher = KeyHasher(seeds: 9, 10)
        var places: Set<UInt32> = []
        var path = World.path(1)
        for node in 1...4096 as ClosedRange<UInt32> {
            path.node = node
            places.insert(hasher.hash(path) & 8191)
        }
        #expect(places.count > 3_000)
    }

    @Test("A bucket gives its rate each second and never saves up more than a second's worth")
    func rateLimiter() {
        var limiter = RateLimiter(perSecond: 5)
        func take(_ milliseconds: UInt64) -> Int {
            var taken = 0
            while limiter.allows(at: Instant(nanoseconds: milliseconds * 1_000_000)) { taken += 1 }
            return taken
        }
        #expect(take(1_000) == 5)
        #expect(take(1_199) == 0)
        #expect(take(1_200) == 1)
        #expect(take(2_200) == 5)
        #expect(take(1_000_000) == 5)
        var none = RateLimiter(perSecond: 0)
        let isAllowed = none.allows(at: Instant(nanoseconds: 1_000_000_000_000))
        #expect(!isAllowed)
    }

    @Test("Topics are found by their place, few and many, with what is known of them")
    func topicEntries() {
        var registry = TopicRegistry()
        func entry(_ number: UInt32) -> TopicRegistry.Entry {
            let knowledge = TopicRegistry.Knowledge(rawValue: UInt8(number % 3)) ?? .unknown
            return .init(
                topic: TopicID(index: (1 << 29) - 1 - number), knowledge: knowledge, isServers: number % 2 == 1)
        }
        for number: UInt32 in 0..<9 {
            #expect(registry.append(entry(number)) == Int(number))
            #expect(registry.entries.count == Int(number) + 1)
        }
        for number: UInt32 in 0..<9 {
            let expected = entry(number)
            let found = registry.entries[Int(number)]
            #expect(found.topic == expected.topic)
            #expect(found.knowledge == expected.knowledge)
            #expect(found.isServers == expected.isServers)
            #expect(registry.index(of: expected.topic) == Int(number))
            #expect(registry.topic(at: Int(number)) == (expected.isServers ? nil : expected.topic))
        }
        #expect(registry.topic(at: 9) == nil && registry.topic(at: -1) == nil)
        for index in [0, 2, 3, 8, 9] { registry.setKnowledge(.known, at: index) }
        registry.doubtAll()
        let refused = registry.entries.indices.filter { registry.entries[$0].knowledge == .refused }
        #expect(refused == [5])
        #expect(registry.entries.allSatisfy { $0.knowledge != .known })
    }

    @Test("Open uplinks are found by MsgId in any order, up to the limit")
    func uplinks() {
        var uplinks = Uplinks()
        for id in 1...8 as ClosedRange<UInt16> {
            let isRoom = uplinks.insert(msgID: id, topicID: id &* 1000, limit: 20)
            #expect(isRoom)
        }
        func insert(_ id: UInt16, _ topicID: UInt16, limit: Int) -> Bool {
            uplinks.insert(msgID: id, topicID: topicID, limit: limit)
        }
        func take(_ id: UInt16) -> UInt16? { uplinks.take(msgID: id) }
        #expect(insert(9, 1, limit: 20) == false)
        #expect(insert(3, 7, limit: 20) == true)
        for id in [3, 8, 1, 5, 2, 4, 7, 6] as [UInt16] {
            #expect(take(id) == (id == 3 ? 7 : id &* 1000))
            #expect(take(id) == nil)
        }
        #expect(uplinks.count == 0)
        #expect(insert(1, 1, limit: 0) == false)
    }

    @Test("Predefined names: later entries replace earlier ones, reserved ids are left out, %c is the client id")
    func predefined() {
        let topics = PredefinedTopics([
            .init(id: 0, name: "zero"), .init(id: 0xFFFF, name: "all"), .init(id: 3, name: "first"),
            .init(id: 3, name: "%c/%c%"), .init(id: 5, name: "plain"),
        ])
        let scratch = Scratch()
        func name(_ id: UInt16, _ client: ByteString?) -> String? {
            topics.name(id, clientID: client, in: scratch)?.escaped
        }
        #expect(topics.highestID == 5)
        #expect(name(3, "dev") == "dev/dev%")
        #expect(name(3, nil) == nil)
        #expect(name(5, nil) == "plain")
        for id in [0, 1, 4, 6, 0xFFFF] as [UInt16] { #expect(name(id, "dev") == nil) }
        #expect(PredefinedTopics([]).highestID == 0)
    }

    @Test("An id for clients whose ids fit counts before the one for all, the first of several first [SN-6.7] [D-80]")
    func predefinedForClients() {
        let topics = PredefinedTopics([
            .init(id: 1, name: "pump/%c", clients: GlobPattern("pump-*")), .init(id: 1, name: "all"),
            .init(id: 1, name: "seventh", clients: GlobPattern("*-7")),
            .init(id: 2, name: "none but doors", clients: GlobPattern("door-*")),
        ])
        let scratch = Scratch()
        func name(_ id: UInt16, _ client: ByteString?) -> String? {
            topics.name(id, clientID: client, in: scratch)?.escaped
        }
        #expect(name(1, "pump-7") == "pump/pump-7")
        #expect(name(1, "door-7") == "seventh")
        #expect(name(1, "door-8") == "all")
        #expect(name(1, nil) == "all")
        #expect(name(2, "door-8") == "none but doors")
        #expect(name(2, "pump-7") == nil)
        #expect(name(2, nil) == nil)
        #expect(topics.highestID == 2)
    }

    @Test("A device record stays small")
    func recordSize() {
        // 24 bytes of it for what the store has heard of the device.
        #expect(MemoryLayout<Device>.stride <= 224)
    }
}
