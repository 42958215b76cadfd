import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

/// Members that come, go and take their time, at random: each message at QoS 1 to their group is some member's own.
@Suite struct SharedChanceTests {
    @Test(
        "Of a message to a group nothing is lost, whoever comes and goes [attack 82]",
        arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func nothingIsLost(seed: UInt64) {
        var play = Play(seed: seed)
        for _ in 0..<3_000 {
            play.step()
            #expect(play.world.broker.ledgerImbalance == 0)
        }
        play.finish()
        #expect(play.published > 500)
        #expect(play.deliveries.count == play.published)
        // It comes to another member only when a session ended before it was acknowledged.
        #expect(play.deliveries.values.reduce(0, +) < play.published * 2)
        let counters = play.world.broker.counters
        #expect(counters.acknowledged == UInt64(play.published))
        #expect(counters.undelivered == 0)
        #expect(play.world.broker.deliveriesUnderWay == 0)
    }
}

private struct Play {
    /// What a member knows: whether it is here, what it has not acknowledged, whether its session is in the group.
    struct Member {
        var link: LinkID?
        var unacknowledged: [UInt16] = []
        var isIn = false
    }

    var world = BrokerWorld()
    var published = 0
    /// How often each message came, repetitions to the same member not counted.
    var deliveries: [ByteString: Int] = [:]
    private var random: SeededGenerator
    private let writer: LinkID
    /// The first one's session never ends, nor does it leave, so that the group lasts.
    private var members = [Member](repeating: Member(), count: 6)

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        writer = world.client("writer")
    }

    mutating func step() {
        let index = Int(random.next() % UInt64(members.count))
        switch random.next() % 8 {
        case 0: comeBack(index, clean: index != 0 && random.next() % 3 == 0)
        case 1: goAway(index)
        case 2: join(index)
        case 3: if index != 0 { leave(index) }
        case 4: world.advance(.seconds(Int64(random.next() % 40)))
        default: publish()
        }
        for index in members.indices { read(index, oneIn: 3) }
    }

    /// All but the first end their sessions; it takes what is left.
    mutating func finish() {
        for index in 1..<members.count { goAway(index) }
        world.advance(.seconds(100))
        comeBack(0, clean: false)
        repeat { read(0, oneIn: 1) } while world.broker.deliveriesUnderWay > 0 && !members[0].unacknowledged.isEmpty
        read(0, oneIn: 1)
    }

    private mutating func comeBack(_ index: Int, clean: Bool) {
        guard members[index].link == nil else { return }
        let link = world.client(
            ClientID("m\(index)"), clean: clean, expiry: index == 0 ? .max : 50, window: 3)
        members[index].link = link
        for told in world.heard(link) {
            switch told {
            case .answer(.attached(let attached)): if !attached.sessionPresent { members[index].isIn = false }
            case .message(let message): take(message, index)
            case .answer: break
            }
        }
    }

    private mutating func goAway(_ index: Int) {
        guard let link = members[index].link else { return }
        world.ask(link, .detach(Farewell(publishesWill: true)))
        members[index].link = nil
        members[index].unacknowledged = []
    }

    private mutating func join(_ index: Int) {
        guard let link = members[index].link else { return }
        world.subscribe(link, "$share/g/t/#", .atLeastOnce)
        members[index].isIn = true
    }

    private mutating func leave(_ index: Int) {
        guard let link = members[index].link, members[index].isIn else { return }
        world.ask(link, .unsubscribe(packetIdentifier: 1, ["$share/g/t/#"]))
        members[index].isIn = false
    }

    private mutating func publish() {
        // Before the first member is in, nobody has to get anything.
        guard members[0].isIn else { return }
        published += 1
        world.publish(
            writer, ByteString("t/\(published % 7)"), ByteString("\(published)"), .atLeastOnce,
            id: UInt16(published))
    }

    private mutating func read(_ index: Int, oneIn share: UInt64) {
        guard let link = members[index].link else { return }
        for message in world.messages(link) { take(message, index) }
        while !members[index].unacknowledged.isEmpty, random.next() % share == 0 {
            world.acknowledge(link, .puback, members[index].unacknowledged.removeFirst())
            for message in world.messages(link) { take(message, index) }
        }
    }

    private mutating func take(_ message: BrokerWorld.Received, _ index: Int) {
        if !message.isDuplicate { deliveries[message.payload, default: 0] += 1 }
        members[index].unacknowledged.append(message.packetIdentifier)
    }
}
