import Testing

@testable import Store

@Suite struct CrashPointTests {
    @Test(
        "A crash point is reached at the count of its moment, and at no other moment",
        arguments: CrashPoint.Moment.allCases)
    func count(moment: CrashPoint.Moment) throws {
        var point = try #require(CrashPoint("\(moment.rawValue):3"))
        let others = CrashPoint.Moment.allCases.filter { $0 != moment }.map { point.isReached($0) }
        #expect(others == [false, false])
        let reached = (1...6).map { _ in point.isReached(moment) }
        #expect(reached == [false, false, true, false, false, false])
    }

    @Test(
        "What is no crash point is none",
        arguments: ["", "before-commit", "before-commit:", "before-commit:0", "before-commit:x", "commit:1", "a:b:1"])
    func nonsense(words: String) {
        #expect(CrashPoint(words) == nil)
    }
}
