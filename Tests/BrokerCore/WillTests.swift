import Bytes
import Messaging
import Testing

@testable import BrokerCore

@Suite struct WillTests {
    private let will = Will(topic: "gone", payload: "c", qos: .atLeastOnce, retain: false)

    @Test(
        "The will goes out when the link ends without DISCONNECT, and only then [MQTT-3.1.2-8] [MQTT-3.14.4-3]",
        arguments: [(true, 1), (false, 0)])
    func farewell(publishesWill: Bool, count: Int) {
        var world = BrokerWorld()
        let watcher = world.client("watcher")
        world.subscribe(watcher, "gone")
        let client = world.client("c", will: will)
        world.ask(client, .detach(Farewell(publishesWill: publishesWill)))
        #expect(world.messages(watcher).count == count)
    }

    @Test("A will waits for its delay, and a client that comes back stops it [MQTT-3.1.3-9]")
    func delay() {
        var world = BrokerWorld()
        let watcher = world.client("watcher")
        world.subscribe(watcher, "gone")
        var delayed = will
        delayed.delayInterval = 30
        var client = world.client("c", expiry: 100, will: delayed)
        world.ask(client, .detach(Farewell(publishesWill: true)))
        world.advance(.seconds(29))
        client = world.client("c", clean: false, expiry: 100, will: delayed)
        world.advance(.seconds(10))
        #expect(world.messages(watcher).isEmpty)
        world.ask(client, .detach(Farewell(publishesWill: true)))
        world.advance(.seconds(31))
        #expect(world.messages(watcher).map(\.payload) == ["c"])
    }

    @Test("The session's end does not wait for the will's delay [MQTT-3.1.2-8] (§3.1.3.2.2)")
    func sessionEnd() {
        var world = BrokerWorld()
        let watcher = world.client("watcher")
        world.subscribe(watcher, "gone")
        var delayed = will
        delayed.delayInterval = 1_000
        let client = world.client("c", expiry: 10, will: delayed)
        world.ask(client, .detach(Farewell(publishesWill: true)))
        #expect(world.messages(watcher).isEmpty)
        world.advance(.seconds(11))
        #expect(world.messages(watcher).map(\.payload) == ["c"])
    }

    @Test("A retained will is retained [MQTT-3.1.2-15] [MQTT311-3.1.2-17]")
    func retained() {
        var world = BrokerWorld()
        var retained = will
        retained.retain = true
        let client = world.client("c", will: retained)
        world.ask(client, .detach(Farewell(publishesWill: true)))
        let late = world.client("late")
        world.subscribe(late, "gone")
        #expect(world.messages(late).map(\.payload) == ["c"])
    }

    @Test("A taken-over client's will goes out, unless its delay lets it come back first")
    func takeover() {
        var world = BrokerWorld()
        let watcher = world.client("watcher")
        world.subscribe(watcher, "gone")
        _ = world.client("c", expiry: 10, will: will)
        _ = world.client("c", clean: false, expiry: 10)
        #expect(world.messages(watcher).map(\.payload) == ["c"])
        var delayed = will
        delayed.delayInterval = 5
        _ = world.client("d", expiry: 10, will: delayed)
        _ = world.client("d", clean: false, expiry: 10)
        world.advance(.seconds(20))
        #expect(world.messages(watcher).isEmpty)
    }

    @Test(
        "At a takeover the will waits only if the session goes on (§3.1.4) [attack 38] [MQTT-3.1.4-3] [MQTT-3.1.3-9]",
        arguments: [
            // The will's delay, the old session's expiry, whether the new client starts clean; whether the will goes.
            (0, 10, false, true), (5, 10, false, false), (5, 10, true, true), (5, 0, false, true), (0, 0, true, true),
        ] as [(UInt32, UInt32, Bool, Bool)])
    func takeoverTable(delay: UInt32, expiry: UInt32, clean: Bool, isPublished: Bool) {
        var world = BrokerWorld()
        let watcher = world.client("watcher")
        world.subscribe(watcher, "gone")
        var delayed = will
        delayed.delayInterval = delay
        let old = world.client("c", expiry: expiry, will: delayed)
        _ = world.heard(old)
        let new = world.client("c", clean: clean, expiry: 10)
        #expect(world.heard(old) == [.answer(.close(.sessionTakenOver))])
        #expect(world.attached(new)?.sessionPresent == (!clean && expiry > 0))
        #expect(world.messages(watcher).count == (isPublished ? 1 : 0))
        world.advance(.seconds(20))
        #expect(world.messages(watcher).isEmpty)
    }

    @Test("A client that flaps within its will's delay never has it published [MQTT-3.1.3-9] [attack 79]")
    func flapping() {
        var world = BrokerWorld()
        let watcher = world.client("watcher")
        world.subscribe(watcher, "gone")
        var delayed = will
        delayed.delayInterval = 5
        for _ in 0..<20 {
            let client = world.client("c", clean: false, expiry: 100, will: delayed)
            world.advance(.seconds(4))
            world.ask(client, .detach(Farewell(publishesWill: true)))
            world.advance(.seconds(4))
        }
        #expect(world.messages(watcher).isEmpty)
        world.advance(.seconds(1))
        #expect(world.messages(watcher).count == 1)
    }

    @Test(
        "A will with wildcards or $ in its topic is never published [attack 78]",
        arguments: ["a/+", "#", "$SYS/x", ""])
    func oddTopics(topic: String) {
        var world = BrokerWorld()
        let watcher = world.client("watcher")
        for filter in ["#", "$SYS/#"] as [ByteString] { world.subscribe(watcher, filter) }
        var odd = will
        odd.topic = ByteString(topic)
        let client = world.client("c", will: odd)
        world.ask(client, .detach(Farewell(publishesWill: true)))
        #expect(world.messages(watcher).isEmpty)
        #expect(world.broker.counters.publishesRefused == 1)
    }

    @Test("Clients whose wills bring each other down come to an end [attack 80]")
    func loop() {
        var world = BrokerWorld()
        var links: [LinkID] = []
        for name in ["a", "b"] as [ByteString] {
            let link = world.client(
                name, will: Will(topic: name, payload: "x", qos: .atLeastOnce, retain: false))
            world.subscribe(link, "#")
            links.append(link)
        }
        world.ask(links[0], .detach(Farewell(publishesWill: true)))
        #expect(world.messages(links[1]).count == 1)
        world.ask(links[1], .detach(Farewell(publishesWill: true)))
        #expect(world.broker.gauges.heldMessages == 0)
        #expect(world.broker.ledgerImbalance == 0)
    }

    @Test("A device changes its will, and takes it away (MQTT-SN 1.2 §6.4)")
    func update() {
        var world = BrokerWorld()
        let watcher = world.client("watcher")
        world.subscribe(watcher, "#")
        let device = world.client("node", will: will, isDevice: true)
        world.ask(device, .setWill(Will(topic: "other", payload: "new", qos: .atMostOnce, retain: false)))
        world.ask(device, .detach(Farewell(publishesWill: true)))
        #expect(world.messages(watcher).map(\.topic) == ["other"])
        let second = world.client("node", will: will, isDevice: true)
        world.ask(second, .setWill(nil))
        world.ask(second, .detach(Farewell(publishesWill: true)))
        #expect(world.messages(watcher).isEmpty)
    }

    @Test("At shutdown every link is told, and wills of clients, not of devices, reach those still there")
    func shutdown() {
        var world = BrokerWorld()
        let client = world.client("c", will: will)
        _ = world.client("node", will: will, isDevice: true)
        let watcher = world.client("watcher")
        world.subscribe(watcher, "gone")
        _ = world.heard(client)
        _ = world.heard(client)
        _ = world.heard(watcher)
        world.shutDown()
        #expect(world.heard(client) == [.answer(.close(.serverShuttingDown))])
        let heard = world.heard(watcher)
        #expect(heard.count == 2)
        #expect(heard.last == .answer(.close(.serverShuttingDown)))
        #expect(world.broker.gauges.connectedClients == 0)
    }
}
