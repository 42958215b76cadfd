import Bytes
import Clockwork
import DeviceCore
import Messaging
import Testing

@Suite struct BadLinkTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func settings(
        loss: UInt64 = 0, duplication: UInt64 = 0, delay: ClosedRange<Duration> = .zero ... .zero
    ) -> BadLink.Settings {
        var settings = BadLink.Settings()
        settings.loss = loss
        settings.duplication = duplication
        settings.delay = delay
        return settings
    }

    /// The fates of numbered datagrams, all in one direction.
    private func fates(
        _ settings: BadLink.Settings, seed: UInt64 = 7, _ direction: BadLink.Direction = .up, count: Int = 1_000
    ) -> [BadLink.Fate] {
        var link = BadLink(settings, seed: seed)
        return (0..<count).map { _ in
            let fate = link.take("x", direction, now: start)
            while link.arrived(by: start + .seconds(60)) != nil {}
            return fate
        }
    }

    @Test("A perfect link carries each datagram at once, in order, both ways")
    func perfect() {
        var link = BadLink()
        let peer = PeerAddress(ipv4: 0x7F00_0001, port: 7)
        #expect(link.take("a", .up, now: start) == .carried(.zero))
        #expect(link.take("b", .down, from: peer, now: start) == .carried(.zero))
        #expect(link.nextDeadline == start)
        #expect(link.isCarryingUp)
        let first = link.arrived(by: start)
        #expect(first?.datagram == "a" && first?.direction == .up)
        #expect(!link.isCarryingUp)
        let second = link.arrived(by: start)
        #expect(second?.datagram == "b" && second?.direction == .down && second?.peer == peer)
        #expect(link.arrived(by: start) == nil)
        #expect(link.nextDeadline == nil)
    }

    @Test("Loss and duplication happen about as often as said", arguments: [0, 1, 30, 99, 100] as [UInt64])
    func percents(percent: UInt64) {
        let lost = fates(settings(loss: percent)).count { $0 == .lost }
        let doubled = fates(settings(duplication: percent)).count { $0 == .doubled(.zero, .zero) }
        let expected = Int(percent) * 10
        let tolerance = percent.isMultiple(of: 100) ? 0 : 60
        #expect(abs(lost - expected) <= tolerance)
        #expect(abs(doubled - expected) <= tolerance)
    }

    @Test("Delays lie between their bounds and reach both of them")
    func delays() {
        var seen: Set<Duration> = []
        let bounds = Duration.nanoseconds(20)...Duration.nanoseconds(23)
        for fate in fates(settings(delay: bounds)) {
            guard case .carried(let delay) = fate else { continue }
            #expect(bounds.contains(delay))
            seen.insert(delay)
        }
        #expect(seen.count == 4)
    }

    @Test("One seed is one course of events, another seed another one")
    func seeds() {
        let bad = settings(loss: 20, duplication: 10, delay: .zero ... .seconds(1))
        #expect(fates(bad) == fates(bad))
        #expect(fates(bad) != fates(bad, seed: 8))
        #expect(fates(bad) != fates(bad, .down))
    }

    @Test("What happens one way does not change what happens the other way")
    func directions() {
        let bad = settings(loss: 50)
        var link = BadLink(bad, seed: 7)
        var up: [BadLink.Fate] = []
        for _ in 0..<100 {
            up.append(link.take("x", .up, now: start))
            _ = link.take("y", .down, now: start)
        }
        #expect(up == fates(bad, count: 100))
    }

    @Test("More loss loses more of the same datagrams and delays the rest as before")
    func lossKeepsTheRest() {
        let some = fates(settings(loss: 10, delay: .zero ... .seconds(1)))
        let more = fates(settings(loss: 40, delay: .zero ... .seconds(1)))
        for (one, other) in zip(some, more) where other != .lost { #expect(one == other) }
    }

    @Test("A datagram with a longer way is overtaken, and none arrives early")
    func overtaking() {
        var link = BadLink(settings(delay: .zero ... .seconds(1)), seed: 3)
        for number in 0..<UInt8(50) { _ = link.take(ByteString([number]), .up, now: start) }
        var order: [UInt8] = []
        while let due = link.nextDeadline {
            #expect(link.arrived(by: Instant(nanoseconds: due.nanoseconds - 1)) == nil)
            if let passage = link.arrived(by: due) { order += passage.datagram.bytes }
        }
        #expect(order != order.sorted())
        #expect(order.sorted() == Array(0..<50))
    }

    @Test("The number of datagrams under way is bounded; one more is lost")
    func bounded() {
        var link = BadLink(settings(delay: .seconds(1) ... .seconds(1)))
        for _ in 0..<BadLink.passagesMax {
            #expect(link.take("x", .up, now: start) == .carried(.seconds(1)))
        }
        #expect(link.take("x", .down, now: start) == .lost)
        #expect(link.arrived(by: start + .seconds(1)) != nil)
        #expect(link.take("x", .down, now: start) == .carried(.seconds(1)))
    }

    @Test("An endless delay is no trap")
    func endless() {
        var link = BadLink(settings(delay: .zero ... .seconds(Int64.max)))
        _ = link.take("x", .up, now: Instant(nanoseconds: .max))
        #expect(link.nextDeadline == Instant(nanoseconds: .max))
    }
}
