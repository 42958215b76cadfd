import BrokerCore
import Bytes
import Clockwork
import DeviceCore
import Engine
import GatewayCore
import MQTTSNWire
import Messaging
import SimulationKit
import Testing

@Suite struct DeviceTopicsTests {
    private static let all: [(ByteString, QoS)] = [("$SYS/broker/sn/devices/+", .atMostOnce)]

    /// A world that speaks under `$SYS` every 10 s.
    private func world(_ configure: (inout EngineSettings) -> Void = { _ in }) -> EngineWorld {
        EngineWorld {
            $0.sysInterval = .seconds(10)
            configure(&$0)
        }
    }

    /// What a client heard of devices, `dev: active, 0 messages, 0 bytes` for short; `gone` where the topic went.
    private func news(_ world: inout EngineWorld, _ client: Int) -> [String] {
        world.messages(ofClient: client).map { line in
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            let name = words[0].split(separator: "/")[4...].joined(separator: "/")
            return words[1].isEmpty ? "\(name): gone" : "\(name): \(short(String(words[1])))"
        }
    }

    /// The state, and what waits.
    private func short(_ json: String) -> String {
        let fields = json.dropFirst().dropLast().split(separator: ",").map { field in
            field.split(separator: ":", maxSplits: 1).map { $0.filter { $0 != "\"" } }
        }
        let values = Dictionary(fields.map { ($0[0], $0[1]) }) { first, _ in first }
        return "\(values["state"] ?? "?") \(values["queued_messages"] ?? "?") \(values["queued_bytes"] ?? "?")"
    }

    @Test("A device's topic says its state, its address, and when it will wake [D-85]")
    func states() throws {
        var world = world()
        let client = world.client("c", subscribedTo: Self.all)
        let device = world.device("dev")
        #expect(
            world.messages(ofClient: client) == [
                "$SYS/broker/sn/devices/dev "
                    + #"{"state":"active","address":"10.0.0.1:10000","queued_messages":0,"queued_bytes":0} 0"#
            ])
        let before = world.world.time.unixSeconds
        world.world.perform(.sleep(seconds: 300), device: device)
        world.settle()
        let line = try #require(world.messages(ofClient: client).first)
        #expect(line.contains(#""state":"asleep","address":"10.0.0.1:10000","asleep_until":"#))
        let until = try #require(
            line.split(separator: ":").compactMap { Int64($0.prefix { $0.isNumber }) }.first {
                $0 > 10_000
            })
        #expect((before + 300...before + 302).contains(until))
        world.world.perform(.connect(.init(clientID: "dev")), device: device)
        world.settle()
        #expect(news(&world, client) == ["dev: active 0 0"])
        #expect(world.world.faults == [])
    }

    @Test("The topic is retained: who subscribes later learns it too, and it goes with the record [D-85]")
    func retained() {
        var world = world()
        let device = world.device("dev")
        let client = world.client("c", subscribedTo: Self.all)
        #expect(world.messages(ofClient: client).map { $0.hasSuffix(" 0 retained") } == [true])
        world.world.perform(.disconnect, device: device)
        world.settle()
        #expect(news(&world, client) == ["dev: gone"])
        let later = world.client("later", subscribedTo: Self.all)
        #expect(news(&world, later) == [])
    }

    @Test("A device that is away is shown as long as its session lives: disconnected, or lost [D-85]")
    func away() {
        var world = world()
        let client = world.client("c", subscribedTo: Self.all)
        let polite = world.device("polite", cleanSession: false)
        let silent = world.device("silent", keepAlive: 10, cleanSession: false)
        _ = news(&world, client)
        world.world.perform(.disconnect, device: polite)
        world.world.perform(.restart, device: silent)
        world.run(for: .seconds(30))
        #expect(news(&world, client) == ["polite: disconnected 0 0", "silent: lost 0 0"])
    }

    @Test("What waits for a sleeping device is shown with the next $SYS interval, and at once when it wakes [D-86]")
    func queue() {
        var world = world()
        let client = world.client("c", subscribedTo: Self.all)
        let publisher = world.client("p")
        let device = world.device("dev", subscribedTo: [(.name("a"), .atLeastOnce)])
        world.world.perform(.sleep(seconds: 300), device: device)
        world.settle()
        _ = news(&world, client)
        for _ in 0..<3 { world.publish(client: publisher, "a", "12345", .atLeastOnce) }
        world.run(for: .seconds(11))
        #expect(news(&world, client).last == "dev: asleep 3 15")
        world.run(for: .seconds(60))
        #expect(news(&world, client) == [])
        world.world.perform(.wake, device: device)
        world.settle()
        #expect(news(&world, client).last == "dev: asleep 0 0")
        #expect(world.messages(ofDevice: device).count == 3)
        #expect(world.world.faults == [])
    }

    @Test("Silent devices, and those that only publish, cost nothing [D-86]")
    func silence() {
        var world = world()
        let client = world.client("c", subscribedTo: Self.all)
        let device = world.device("dev", keepAlive: 0)
        _ = news(&world, client)
        world.run(for: .seconds(3_600))
        for _ in 0..<10 { world.publish(device: device, .name("a"), "x", .one) }
        world.run(for: .seconds(60))
        #expect(news(&world, client) == [])
        #expect(!world.world.engine.gateway.hasChanges)
    }

    @Test(
        "A client id becomes one level of a topic, whatever is in it [D-87]",
        arguments: [
            ("a/b", "a%2Fb"), ("+", "%2B"), ("a#", "a%23"), ("50%", "50%25"), ("%2F", "%252F"),
            ("a b\u{e9}", "a b\u{e9}"),
            ("\u{1}\u{7f}", "%01%7F"), ("$x", "$x"),
        ])
    func names(clientID: String, level: String) throws {
        var world = world()
        let client = world.client("c", subscribedTo: [("$SYS/broker/sn/devices/+", .atMostOnce)])
        _ = world.device(ByteString(clientID))
        let line = try #require(world.messages(ofClient: client).first)
        #expect(line.hasPrefix("\(ByteString("$SYS/broker/sn/devices/" + level)) {\"state\""))
    }

    @Test("No more devices have a topic than the operator allows; a place that comes free is the next one's [D-86]")
    func limit() {
        var world = world { $0.deviceTopicsMax = 2 }
        let client = world.client("c", subscribedTo: Self.all)
        let first = world.device("one")
        _ = world.device("two")
        let third = world.device("three")
        for number in 0..<18 { _ = world.device(ByteString("more\(number)")) }
        #expect(news(&world, client) == ["one: active 0 0", "two: active 0 0"])
        world.world.perform(.disconnect, device: first)
        world.settle()
        world.world.perform(.sleep(seconds: 300), device: third)
        world.settle()
        #expect(news(&world, client) == ["one: gone", "three: asleep 0 0"])
    }

    @Test("Devices' topics take no room from retained messages of others [D-86]")
    func ownRoom() {
        var world = world {
            $0.broker.retainedMessagesMax = 1
            $0.broker.retainedBytesMax = 100
            $0.broker.retainedLevelsMax = 90
        }
        for number in 0..<20 { _ = world.device(ByteString("device\(number)")) }
        let publisher = world.client("p")
        world.publish(client: publisher, "a/b", "x", .atLeastOnce, retain: true)
        world.publish(client: publisher, "a/c", "y", .atLeastOnce, retain: true)
        let client = world.client("c", subscribedTo: [("a/+", .atMostOnce)] + Self.all)
        let heard = world.messages(ofClient: client)
        #expect(heard.count == 21)
        #expect(heard.first == "a/b x 0 retained")
    }

    @Test("Without $SYS, or with no place for them, there are no topics of devices [D-86]", arguments: [true, false])
    func off(hasStatistics: Bool) {
        var world = world {
            $0.sysInterval = hasStatistics ? .seconds(10) : nil
            if hasStatistics { $0.deviceTopicsMax = 0 }
        }
        let client = world.client("c", subscribedTo: Self.all)
        _ = world.device("dev")
        #expect(news(&world, client) == [])
        #expect(!world.world.engine.gateway.hasChanges)
    }

    @Test("Very many devices that change at once are all shown, in several turns")
    func many() {
        var world = world()
        let client = world.client("c", subscribedTo: Self.all)
        for number in 0..<600 {
            let device = world.world.addDevice()
            world.world.perform(.connect(.init(clientID: ByteString("dev\(number)"))), device: device)
        }
        world.settle()
        #expect(news(&world, client).count == 600)
    }
}
