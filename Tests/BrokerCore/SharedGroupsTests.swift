import Bytes
import Clockwork
import Messaging
import Testing

@testable import BrokerCore

@Suite struct SharedGroupsTests {
    private let options = SubscriptionOptions(maximumQoS: .atLeastOnce)

    @Test("Members take turns within their part")
    func turns() {
        var groups = SharedGroups(seed: 1)
        let group = groups.make("$share/g/t")
        for session in 0..<4 as Range<UInt32> { groups.join(session, group, options, isOnline: session < 3) }
        let ready = (0..<6).map { _ in groups[groups.takeTurn(.ready, of: group)].session }
        #expect(ready == [0, 1, 2, 0, 1, 2])
        #expect(groups[groups.takeTurn(.away, of: group)].session == 3)
        #expect([.ready, .busy, .away].map { groups.count($0, of: group) } == [3, 0, 1])
    }

    @Test("A turn given back is taken again by the same member")
    func turnBack() {
        var groups = SharedGroups(seed: 1)
        let group = groups.make("$share/g/t")
        for session in 0..<3 as Range<UInt32> { groups.join(session, group, options, isOnline: true) }
        let first = groups.takeTurn(.ready, of: group)
        groups.giveTurnBack(first)
        let again = groups.takeTurn(.ready, of: group)
        #expect(again == first)
    }

    @Test("The last member ends the group; its number is not used again for what waits")
    func end() {
        var groups = SharedGroups(seed: 1)
        let group = groups.make("$share/g/t")
        let serial = groups.serial(of: group)
        groups.join(1, group, options, isOnline: true)
        groups.join(2, group, options, isOnline: false)
        let ends = [groups.leave(1, group), groups.leave(2, group)]
        #expect(ends == [false, true])
        #expect(groups.group(withSerial: serial) == nil)
        let again = groups.make("$share/g/t")
        #expect(groups.serial(of: again) != serial)
        #expect(groups.memberCount == 0)
    }

    @Test("Whatever happens, every member stands in the part that a naive model says", arguments: 1...20)
    func model(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var groups = SharedGroups(seed: 1)
        // The model: for each group, the part of each session.
        var model: [[UInt32: SharedGroups.Part]] = [[:], [:], [:]]
        var numbers: [UInt32?] = [nil, nil, nil]
        var isOnline = [Bool](repeating: false, count: 5)
        for _ in 0..<2_000 {
            let which = Int(random.next() % 3)
            let session = UInt32(random.next() % 5)
            switch random.next() % 5 {
            case 0:
                let group = numbers[which] ?? groups.make(ByteString("$share/g\(which)/t"))
                numbers[which] = group
                groups.join(session, group, options, isOnline: isOnline[Int(session)])
                if model[which][session] == nil {
                    model[which][session] = isOnline[Int(session)] ? .ready : .away
                }
            case 1:
                guard let group = numbers[which] else { break }
                let wasIn = model[which].removeValue(forKey: session) != nil
                let isEnd = groups.leave(session, group)
                #expect(isEnd == (wasIn && model[which].isEmpty))
                if model[which].isEmpty, wasIn { numbers[which] = nil }
            case 2:
                guard let group = numbers[which], groups.count(.ready, of: group) > 0 else { break }
                let place = groups.takeTurn(.ready, of: group)
                let busy = groups[place].session
                #expect(model[which][busy] == .ready)
                groups.becameBusy(place)
                model[which][busy] = .busy
                #expect(groups.isBusySomewhere(busy))
            case 3:
                guard isOnline[Int(session)] else { break }
                groups.becameReady(session)
                for index in model.indices where model[index][session] != nil { model[index][session] = .ready }
                #expect(!groups.isBusySomewhere(session))
            default:
                isOnline[Int(session)].toggle()
                let part: SharedGroups.Part = isOnline[Int(session)] ? .ready : .away
                if part == .ready { groups.becameReady(session) } else { groups.becameAway(session) }
                for index in model.indices where model[index][session] != nil { model[index][session] = part }
            }
            for (index, group) in numbers.enumerated() {
                guard let group else { continue }
                for part in [SharedGroups.Part.ready, .busy, .away] {
                    let count = groups.count(part, of: group)
                    #expect(count == model[index].values.filter { $0 == part }.count)
                    let sessions = (0..<count).map { _ in groups[groups.takeTurn(part, of: group)].session }
                    #expect(Set(sessions).count == count)
                    #expect(sessions.allSatisfy { model[index][$0] == part })
                }
            }
        }
    }

    @Test("A hundred thousand members join, take turns and leave")
    func many() {
        var groups = SharedGroups(seed: 1)
        let group = groups.make("$share/g/t")
        let members = 0..<100_000 as Range<UInt32>
        for session in members { groups.join(session, group, options, isOnline: session % 2 == 0) }
        for _ in 0..<1_000 { groups.becameBusy(groups.takeTurn(.ready, of: group)) }
        #expect([.ready, .busy, .away].map { groups.count($0, of: group) } == [49_000, 1_000, 50_000])
        let ends = members.filter { groups.leave($0, group) }
        #expect(ends == [99_999])
        #expect(groups.count == 0)
    }
}
