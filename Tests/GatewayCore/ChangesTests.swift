import Bytes
import GatewayCore
import MQTTSNWire
import Messaging
import Testing

@Suite struct ChangesTests {
    private func world(isWatched: Bool = true) -> World {
        World { $0.notesChanges = isWatched }
    }

    /// All that changed since the last time, as text.
    private func changes(_ world: inout World) -> [String] {
        var list: [String] = []
        while let change = world.gateway.takeChange() {
            switch change {
            case .changed(let slot):
                let portrait = world.gateway.portrait(of: slot, now: world.now)
                list.append("\(slot) \(portrait.map { "\($0.clientID) \($0.state)" } ?? "nothing")")
            case .removed(let slot, let clientID): list.append("\(slot) \(clientID) removed")
            }
        }
        return list
    }

    @Test("A device that changes several times is told of once, as it is in the end [D-85]")
    func once() {
        var world = world()
        _ = world.connect()
        _ = world.receive(.disconnect(duration: 100))
        _ = world.receive(.pingreq(clientID: view("dev")))
        _ = world.answer(.drained)
        #expect(changes(&world) == ["0 dev asleep"])
        #expect(changes(&world) == [])
        #expect(!world.gateway.hasChanges)
    }

    @Test("Records that went come first, in their order, and their slots are others' then [D-85]")
    func removals() {
        var world = world()
        _ = world.connect("first")
        #expect(changes(&world) == ["0 first active"])
        _ = world.receive(.disconnect(duration: nil))
        _ = world.connect("second")
        _ = world.receive(.disconnect(duration: nil))
        _ = world.connect("third")
        #expect(changes(&world) == ["0 first removed", "0 second removed", "0 third active"])
    }

    @Test("A device that is about to connect is not shown yet")
    func connecting() {
        var world = world()
        _ = world.receive(.connect(SNConnect("dev")))
        #expect(changes(&world) == ["0 nothing"])
        _ = world.attach()
        #expect(changes(&world) == ["0 dev active"])
    }

    @Test("A sleeping device's portrait says in how many seconds it should wake, down to none", arguments: [1, 100])
    func wakes(seconds: UInt16) {
        var world = world()
        _ = world.connect()
        _ = world.receive(.disconnect(duration: seconds))
        #expect(world.gateway.portrait(of: 0, now: world.now)?.secondsToWake == Int64(seconds))
        _ = world.pass(.milliseconds(500))
        #expect(world.gateway.portrait(of: 0, now: world.now)?.secondsToWake == Int64(seconds))
        _ = world.pass(.milliseconds(900))
        #expect(world.gateway.portrait(of: 0, now: world.now)?.secondsToWake == Int64(seconds) - 1)
    }

    @Test("A change of address, and of the queue, is a change; a message of the device is none")
    func others() {
        var world = world()
        _ = world.connect()
        _ = world.receive(.disconnect(duration: 100))
        _ = changes(&world)
        world.gateway.noteQueueChange(of: "dev")
        world.gateway.noteQueueChange(of: "nobody")
        #expect(changes(&world) == ["0 dev asleep"])
        _ = world.receive(.pingreq(clientID: view("dev")), from: 2)
        #expect(changes(&world) == ["0 dev awake"])
        #expect(world.gateway.portrait(of: 0, now: world.now)?.address.remote.port == 2)
        _ = world.receive(.pingresp, from: 2)
        #expect(changes(&world) == [])
    }

    @Test("Where nobody looks, nothing is noted")
    func unwatched() {
        var world = world(isWatched: false)
        _ = world.connect()
        world.gateway.noteQueueChange(of: "dev")
        _ = world.receive(.disconnect(duration: nil))
        #expect(!world.gateway.hasChanges)
        #expect(changes(&world) == [])
    }
}
