import Testing

@testable import Engine

@Suite struct LoadAverageTests {
    @Test(
        "The exponential is that of mathematics",
        arguments: [
            (0, 1), (0.01, 0.990049833749168), (1, 0.367879441171442), (10, 4.5399929762484854e-05), (1_000, 0),
        ])
    func mathematics(exponent: Double, expected: Double) {
        #expect(abs(exponential(ofMinus: exponent) - expected) < 1e-12)
    }

    @Test("A steady rate is reached, and a burst fades with the minutes")
    func fading() {
        var load = LoadAverage()
        load.note(total: 100, elapsed: 0)
        #expect(load.rates == [0, 0, 0])
        var total: UInt64 = 0
        for _ in 0..<1_000 {
            total += 50
            load.note(total: total, elapsed: 10)
        }
        #expect(load.rates.allSatisfy { abs($0 - 300) < 1 })
        for _ in 0..<6 { load.note(total: total, elapsed: 10) }
        // A minute later: e^-1 of it is left in the shortest, e^(-1/15) in the longest.
        #expect(abs(load.rates[0] - 300 * 0.3679) < 1)
        #expect(abs(load.rates[2] - 300 * 0.9355) < 1)
    }

    @Test("A total that went back counts as nothing new")
    func totalWentBack() {
        var load = LoadAverage()
        load.note(total: 100, elapsed: 10)
        load.note(total: 99, elapsed: 10)
        #expect(load.rates.allSatisfy { $0 < 1_000 })
    }

    @Test(
        "Two decimals, as mosquitto prints them",
        arguments: [(0.0, "0.00"), (1.005, "1.00"), (25.679, "25.68"), (1e300, "90000000000000000.00")])
    func text(rate: Double, text: String) {
        #expect(LoadAverage.text(rate) == text)
    }
}
