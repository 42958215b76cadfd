import Clockwork
import Testing

@Suite struct TimerWheelTests {
    private static let millisecond: UInt64 = 1_000_000
    private static let second: UInt64 = 1_000_000_000
    private static let day: UInt64 = 86_400 * second

    private static func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }

    /// Everything that is due, in order.
    private static func drain(_ wheel: inout TimerWheel, to now: UInt64) -> [Int] {
        var keys: [Int] = []
        while let key = wheel.expire(to: at(now)) { keys.append(key) }
        return keys
    }

    @Test("A key comes due at its exact deadline and not a nanosecond before")
    func exactness() {
        for deadline in [1, 999_999, 1_048_575, 1_048_576, 1_048_577, 63 << 20, 64 << 20, 3 * Self.day, .max] {
            for start in [0, deadline / 2, deadline - 1] as [UInt64] {
                var wheel = TimerWheel()
                #expect(Self.drain(&wheel, to: start) == [])
                wheel.schedule(3, at: Self.at(deadline))
                #expect(wheel.deadline(of: 3) == Self.at(deadline))
                #expect(wheel.nextDeadline == Self.at(deadline))
                #expect(Self.drain(&wheel, to: deadline - 1) == [])
                #expect(wheel.nextDeadline == Self.at(deadline))
                #expect(Self.drain(&wheel, to: deadline) == [3])
                #expect(wheel.count == 0 && wheel.nextDeadline == nil && wheel.deadline(of: 3) == nil)
            }
        }
    }

    @Test("Keys come in the order of deadlines, equal ones in the order of scheduling, within a tick and across")
    func order() {
        var wheel = TimerWheel()
        let deadlines: [UInt64] = [500, 20, 500, 0, Self.day, 20, 2_000_000, 500, Self.second, 19]
        for (key, deadline) in deadlines.enumerated() { wheel.schedule(key, at: Self.at(deadline)) }
        #expect(Self.drain(&wheel, to: Self.day) == [3, 9, 1, 5, 0, 2, 7, 6, 8, 4])
    }

    @Test("A deadline in the past is due at once, before later ones")
    func past() {
        var wheel = TimerWheel()
        #expect(Self.drain(&wheel, to: Self.day) == [])
        wheel.schedule(0, at: Self.at(Self.day - 1))
        wheel.schedule(1, at: Self.at(5))
        wheel.schedule(2, at: Self.at(Self.day + 1))
        #expect(wheel.nextDeadline == Self.at(5))
        #expect(Self.drain(&wheel, to: Self.day) == [1, 0])
        #expect(Self.drain(&wheel, to: Self.day + 1) == [2])
    }

    @Test("Time that goes back fires nothing early")
    func timeGoesBack() {
        var wheel = TimerWheel()
        wheel.schedule(0, at: Self.at(Self.second))
        wheel.schedule(1, at: Self.at(2 * Self.second))
        #expect(Self.drain(&wheel, to: Self.second) == [0])
        wheel.schedule(2, at: Self.at(900 * Self.millisecond))
        #expect(Self.drain(&wheel, to: 800 * Self.millisecond) == [])
        #expect(Self.drain(&wheel, to: 900 * Self.millisecond) == [2])
        #expect(Self.drain(&wheel, to: 3 * Self.second) == [1])
    }

    @Test("What is scheduled while others expire takes its place among them")
    func reentry() {
        var wheel = TimerWheel()
        for key in 0..<4 { wheel.schedule(key, at: Self.at(UInt64(key + 1) * 10 * Self.millisecond)) }
        let now = Self.at(100 * Self.millisecond)
        #expect(wheel.expire(to: now) == 0)
        wheel.schedule(0, at: Self.at(25 * Self.millisecond))
        wheel.schedule(3, at: Self.at(12 * Self.millisecond))
        wheel.cancel(1)
        #expect(wheel.expire(to: now) == 3)
        #expect(wheel.expire(to: now) == 0)
        #expect(wheel.expire(to: now) == 2)
        #expect(wheel.expire(to: now) == nil)
    }

    @Test("Cancelling what has no deadline, or never had one, does nothing")
    func cancelling() {
        var wheel = TimerWheel()
        wheel.cancel(5)
        wheel.cancel(-1)
        #expect(wheel.deadline(of: 5) == nil && wheel.deadline(of: -1) == nil)
        wheel.schedule(5, at: Self.at(1))
        wheel.cancel(5)
        wheel.cancel(5)
        #expect(wheel.count == 0 && wheel.nextDeadline == nil)
        #expect(Self.drain(&wheel, to: Self.day) == [])
    }

    @Test("Following nextDeadline never misses and never spins")
    func following() {
        var wheel = TimerWheel()
        var random = SeededGenerator(seed: 5)
        for key in 0..<500 { wheel.schedule(key, at: Self.at(random.below(400 * Self.day))) }
        for key in 0..<500 where key % 3 != 0 { wheel.cancel(key) }
        let expected = (0..<500).compactMap { wheel.deadline(of: $0) }.sorted()
        var fired: [Instant] = []
        var wakes = 0
        while let next = wheel.nextDeadline {
            wakes += 1
            #expect(next <= expected[fired.count])
            while let key = wheel.expire(to: next) {
                _ = key
                fired.append(next)
            }
            // A cancelled deadline can cost a wake-up in each level that it would have passed.
            if wakes > 500 * 9 { break }
        }
        #expect(fired == expected)
        #expect(wakes <= 500)
    }

    /// A plain list to compare with.
    private struct Model {
        var deadlines: [Int: (nanoseconds: UInt64, turn: Int)] = [:]

        var earliest: Int? {
            deadlines.min { ($0.value.nanoseconds, $0.value.turn) < ($1.value.nanoseconds, $1.value.turn) }?.key
        }

        mutating func expire(to now: UInt64) -> Int? {
            guard let key = earliest, let entry = deadlines[key], entry.nanoseconds <= now else { return nil }
            deadlines[key] = nil
            return key
        }
    }

    @Test("The wheel agrees with a sorted list through random use, jumps of years included", arguments: 1...25)
    func property(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var wheel = TimerWheel()
        var model = Model()
        var now = random.below(2) == 0 ? 0 : random.next() >> 8
        let keyCount = 1 + random.below(60)
        let spans = [3, 1_000, 2_000_000, Self.second, 90 * Self.second, Self.day, 4_000 * Self.day]
        for turn in 0..<3_000 {
            let span = spans[Int(random.below(UInt64(spans.count)))]
            let key = Int(random.below(keyCount))
            switch random.below(8) {
            case 0...3:
                let (sum, overflow) = now.addingReportingOverflow(random.below(span))
                let deadline = overflow || random.below(200) == 0 ? .max : sum
                wheel.schedule(key, at: Self.at(deadline))
                model.deadlines[key] = (deadline, turn)
            case 4:
                let deadline = now - min(now, random.below(span))
                wheel.schedule(key, at: Self.at(deadline))
                model.deadlines[key] = (deadline, turn)
            case 5:
                wheel.cancel(key)
                model.deadlines[key] = nil
            default:
                let (sum, overflow) = now.addingReportingOverflow(random.below(span))
                if !overflow { now = sum }
                for _ in 0...random.below(20) {
                    let expected = model.expire(to: now)
                    #expect(wheel.expire(to: Self.at(now)) == expected)
                    if expected == nil { break }
                }
            }
            #expect(wheel.count == model.deadlines.count)
            #expect(wheel.deadline(of: key)?.nanoseconds == model.deadlines[key]?.nanoseconds)
            let earliest = model.earliest.flatMap { model.deadlines[$0]?.nanoseconds }
            #expect((wheel.nextDeadline == nil) == (earliest == nil))
            if let next = wheel.nextDeadline, let earliest { #expect(next.nanoseconds <= earliest) }
        }
        while let expected = model.expire(to: .max) { #expect(wheel.expire(to: Self.at(.max)) == expected) }
        #expect(wheel.expire(to: Self.at(.max)) == nil)
    }

    @Test("100,000 keys, a third of them cancelled and a third moved, come in order")
    func many() {
        var random = SeededGenerator(seed: 77)
        var wheel = TimerWheel()
        let start: UInt64 = 5 * Self.day
        _ = wheel.expire(to: Self.at(start))
        var order: [(nanoseconds: UInt64, turn: Int, key: Int)] = []
        for key in 0..<100_000 {
            wheel.schedule(key, at: Self.at(start + random.below(600 * Self.second)))
        }
        for key in 0..<100_000 {
            switch key % 3 {
            case 0: wheel.cancel(key)
            case 1: wheel.schedule(key, at: Self.at(start + random.below(20) * Self.second))
            default: break
            }
            // Moved keys were scheduled after all others.
            guard let deadline = wheel.deadline(of: key) else { continue }
            order.append((deadline.nanoseconds, key % 3 == 1 ? key + 100_000 : key, key))
        }
        order.sort { ($0.nanoseconds, $0.turn) < ($1.nanoseconds, $1.turn) }
        var fired: [Int] = []
        for tenth in 1...10 as ClosedRange<UInt64> {
            fired += Self.drain(&wheel, to: start + tenth * 60 * Self.second)
        }
        #expect(fired == order.map(\.key))
        #expect(wheel.count == 0)
    }
}
