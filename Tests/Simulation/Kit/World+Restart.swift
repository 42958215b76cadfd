internal import Bytes
internal import Clockwork
internal import Engine
internal import GatewayCore
internal import Messaging

extension World {
    /// The gateway's process ends and another one begins: with a farewell to everybody, or killed. What is kept is what
    /// the disk has; what is under way to it still arrives, at the new one.
    package mutating func restartEngine(isKilled: Bool) {
        trace.note(isKilled ? "killed" : "shut down", "engine", now)
        if !isKilled { shutDown() }
        endDisk(isKilled: isKilled)
        for link in links.indices where links[link].isEngineOpen {
            links[link].isEngineOpen = false
            if links[link].isClientOpen { queue.add(.downlink(link: link), at: now + streams.delay) }
        }
        linkOfSlot = []
        engine.tearDown()
        engine = Engine(settings: settings, seed: random.next(), now: time)
        restoreEngine()
        wakes = OpenWakes()
        guard disk == nil else { return }
        for index in clients.indices { clients[index].client.hasSession = false }
        for index in devices.indices { devices[index].told = ToldTopics() }
    }
}
