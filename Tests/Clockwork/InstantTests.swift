import Clockwork
import Testing

@Suite struct InstantTests {
    @Test(
        "A duration in nanoseconds is never negative and ends at the maximum",
        arguments: [
            (Duration.zero, 0), (.nanoseconds(1), 1), (.milliseconds(1_500), 1_500_000_000), (.seconds(-1), 0),
            (.nanoseconds(-1), 0), (.seconds(18_446_744_073), 18_446_744_073_000_000_000),
            (.seconds(18_446_744_073) + .nanoseconds(709_551_615), .max),
            (.seconds(18_446_744_073) + .nanoseconds(709_551_616), .max),
            (.seconds(18_446_744_073) + .nanoseconds(999_999_999), .max), (.seconds(Int64.max), .max),
        ] as [(Duration, UInt64)])
    func wholeNanoseconds(duration: Duration, expected: UInt64) {
        #expect(duration.wholeNanoseconds == expected)
    }

    @Test("Adding to an instant ends at the end of the clock")
    func adding() {
        let instant = Instant(nanoseconds: 5)
        #expect(instant + .nanoseconds(7) == Instant(nanoseconds: 12))
        #expect(instant + .seconds(-7) == instant)
        #expect(instant + .seconds(Int64.max) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: .max) + .nanoseconds(1) == Instant(nanoseconds: .max))
    }

    @Test("The time since a later instant is zero")
    func since() {
        #expect(Instant(nanoseconds: 9).since(Instant(nanoseconds: 4)) == .nanoseconds(5))
        #expect(Instant(nanoseconds: 4).since(Instant(nanoseconds: 9)) == .zero)
        #expect(Instant(nanoseconds: .max).since(Instant(nanoseconds: 0)) == .nanoseconds(Int64.max))
    }
}

@Suite struct SeededGeneratorTests {
    @Test("The same seed gives the same numbers, and another one others")
    func determinism() {
        var one = SeededGenerator(seed: 1)
        var same = SeededGenerator(seed: 1)
        var other = SeededGenerator(seed: 2)
        let numbers = (0..<10).map { _ in one.next() }
        #expect(numbers == (0..<10).map { _ in same.next() })
        #expect(numbers != (0..<10).map { _ in other.next() })
    }

    @Test("Numbers below a bound are below it, all of them come, and a bound of 0 gives 0")
    func below() {
        var random = SeededGenerator(seed: 3)
        #expect(Set((0..<200).map { _ in random.below(7) }) == Set(0..<7))
        #expect(random.below(0) == 0)
        #expect(random.below(1) == 0)
    }
}
