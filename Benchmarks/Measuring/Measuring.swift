internal import Glibc

/// What a series of equal operations took: the processor's time, so that what else runs on the machine does not count.
package struct Series {
    /// How many operations there were.
    package private(set) var count = 0
    private var total = 0
    /// The longest, in nanoseconds.
    package private(set) var longest = 0

    /// What looking at the clock takes.
    private static let overhead: Int = {
        let begin = processorNanoseconds()
        for _ in 0..<10_000 { _ = processorNanoseconds() }
        return (processorNanoseconds() - begin) / 10_000
    }()

    package init() {}

    /// Times one operation.
    package mutating func time(_ body: () -> Void) {
        let begin = processorNanoseconds()
        body()
        let took = max(processorNanoseconds() - begin - Self.overhead, 0)
        count += 1
        total += took
        longest = max(longest, took)
    }

    /// The average.
    package var nanoseconds: Int { total / max(count, 1) }
    /// The longest, in words.
    package var milliseconds: String { decimal(Double(longest) / 1e6) }
}

/// How long this thread has run.
package func processorNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// The process's memory that is resident, in bytes.
package func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 128)
    guard fgets(&text, 128, file) != nil else { return 0 }
    let fields = String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
}

/// A row of the report, in Markdown.
package func report(_ what: String, _ values: String...) {
    print("| \(what) | " + values.joined(separator: " | ") + " |")
}

/// A row with the average and the longest of a series.
package func report(_ what: String, _ series: Series) {
    report(what, "\(series.nanoseconds) ns", "\(series.milliseconds) ms")
}

/// A number with two places after the point.
package func decimal(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
}
