internal import Clockwork

/// A client's own end: what it remembers between connections, and what it answers. It keeps to the standard; when it
/// must not, the step `misbehave` says so.
struct SwarmClient {
    /// A message at QoS 1 or 2 that is not acknowledged.
    struct Outgoing {
        var publish: Publish
        var isReleased = false
        var isOnThisConnection = true
    }

    enum Phase { case offline, connecting, online }

    /// Empty when the server is to choose one.
    let id: Octets
    var link: Int?
    var phase = Phase.offline
    var version = Version.v311
    /// Whether acknowledgements wait until the client is asked for them.
    var holdsAcknowledgements = false
    var held: [ClientPacket] = []
    var outgoing: [Outgoing] = []
    /// Messages at QoS 2 that came and are not released.
    var incoming: Set<Int> = []
    /// SUBSCRIBE and UNSUBSCRIBE that are not answered.
    var asked: Set<Int> = []
    var aliasMax = 0
    var aliases: [Octets: Int] = [:]
    private var lastID = 0

    init(id: Octets) {
        self.id = id
    }

    /// An identifier that is not in use [MQTT-2.2.1-3].
    mutating func nextID() -> Int {
        repeat {
            lastID = lastID % 30 + 1
        } while asked.contains(lastID) || outgoing.contains { $0.publish.id == lastID }
        return lastID
    }

    mutating func connecting(_ connect: Connect, on link: Int) {
        self.link = link
        phase = .connecting
        version = connect.version
        held = []
        asked = []
        aliases = [:]
        aliasMax = 0
        for index in outgoing.indices { outgoing[index].isOnThisConnection = false }
        if connect.cleanStart { forgetSession() }
    }

    mutating func disconnected() {
        link = nil
        phase = .offline
        held = []
    }

    private mutating func forgetSession() {
        outgoing.removeAll { !$0.isOnThisConnection }
        incoming = []
    }

    /// What the client answers to a packet of the server.
    mutating func received(_ packet: ServerPacket, refuses: Bool) -> [ClientPacket] {
        switch packet {
        case .connack(let isPresent, let code, let properties):
            guard code == 0 else { return [] }
            phase = .online
            aliasMax = properties.number(ID.topicAliasMaximum) ?? 0
            return resume(isPresent: isPresent || version == .v31)
        case .publish(let publish): return received(publish, refuses: refuses)
        case .step(let step, let id, let code, _): return received(step, id, code)
        case .suback(let id, _, _), .unsuback(let id, _, _):
            asked.remove(id)
            return []
        case .pingresp, .disconnect: return []
        }
    }

    /// What was not acknowledged is sent again, if the server still has the session [MQTT-4.4.0-1].
    private mutating func resume(isPresent: Bool) -> [ClientPacket] {
        guard isPresent else {
            forgetSession()
            return []
        }
        var again: [ClientPacket] = []
        for index in outgoing.indices where !outgoing[index].isOnThisConnection {
            outgoing[index].isOnThisConnection = true
            var publish = outgoing[index].publish
            publish.dup = true
            if version != .v5 { publish.properties = [] }
            again.append(outgoing[index].isReleased ? .step(.pubrel, id: publish.id, code: 0) : .publish(publish))
        }
        return again
    }

    private mutating func received(_ publish: Publish, refuses: Bool) -> [ClientPacket] {
        let code: UInt8 = refuses && version == .v5 ? 0x83 : 0
        switch publish.qos {
        case 1: return acknowledge(.step(.puback, id: publish.id, code: code))
        case 2:
            if code == 0 { incoming.insert(publish.id) }
            return acknowledge(.step(.pubrec, id: publish.id, code: code))
        default: return []
        }
    }

    private mutating func received(_ step: Step, _ id: Int, _ code: UInt8) -> [ClientPacket] {
        switch step {
        case .pubrel:
            incoming.remove(id)
            return acknowledge(.step(.pubcomp, id: id, code: 0))
        case .puback, .pubcomp:
            outgoing.removeAll { $0.publish.id == id }
            return []
        case .pubrec:
            guard let index = outgoing.firstIndex(where: { $0.publish.id == id }) else { return [] }
            guard code < 0x80 else {
                outgoing.remove(at: index)
                return []
            }
            outgoing[index].isReleased = true
            return [.step(.pubrel, id: id, code: 0)]
        }
    }

    private mutating func acknowledge(_ packet: ClientPacket) -> [ClientPacket] {
        guard holdsAcknowledgements else { return [packet] }
        held.append(packet)
        return []
    }
}
