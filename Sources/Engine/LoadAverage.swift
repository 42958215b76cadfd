/// How much of something happens in a minute, averaged over the last 1, 5 and 15 minutes as mosquitto does it: each
/// new figure counts for what its share of the time is, and older ones fade.
struct LoadAverage {
    /// What had been counted when it was last looked at.
    private var lastTotal: UInt64 = 0
    /// A minute's worth, for each of `minutes`.
    private(set) var rates: [Double] = [0, 0, 0]

    /// How long the averages reach back.
    static let minutes = [1, 5, 15]

    /// Takes in what has been counted since the start.
    /// - Parameter elapsed: seconds since the last time; nothing changes while that is 0.
    mutating func note(total: UInt64, elapsed: Double) {
        guard elapsed > 0 else { return }
        let latest = Double(total > lastTotal ? total - lastTotal : 0) * 60 / elapsed
        lastTotal = total
        for (index, minutes) in Self.minutes.enumerated() {
            let fading = exponential(ofMinus: elapsed / Double(60 * minutes))
            rates[index] = latest + fading * (rates[index] - latest)
        }
    }

    /// A rate with two decimals, as mosquitto prints it.
    static func text(_ rate: Double) -> String {
        let hundredths = rate > 0 ? Int64(min(rate * 100, 9e18).rounded()) : 0
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}

/// e to the power of `-exponent`, for an exponent from 0 on: the standard library has none, and the cores import no
/// other. The series is exact for small exponents; larger ones are halved until they are.
func exponential(ofMinus exponent: Double) -> Double {
    guard exponent < 700 else { return 0 }
    var small = exponent
    var doublings = 0
    while small > 0.1 {
        small /= 2
        doublings += 1
    }
    var term = 1.0
    var sum = 1.0
    for index in 1...12 {
        term *= -small / Double(index)
        sum += term
    }
    for _ in 0..<doublings { sum *= sum }
    return sum
}
