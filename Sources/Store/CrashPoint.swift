internal import Glibc

/// Where the process kills itself, so that a test can look at what is left (Tests/Crash). It is told by whoever starts
/// the process; without one nothing of this happens.
package struct CrashPoint: Sendable, Equatable {
    /// A moment around a commit.
    package enum Moment: String, CaseIterable, Sendable {
        /// Nothing of the transaction is written.
        case beforeCommit = "before-commit"
        /// It is as safe as the profile promises, and nobody knows.
        case afterCommit = "after-commit"
        /// The loop was told, and may have answered or not.
        case afterReport = "after-report"
    }

    private let moment: Moment
    /// How often the moment still comes.
    private var countLeft: UInt32

    /// Reads `before-commit:17`, the moment of the 17th commit; nil when it is something else.
    package init?(_ words: String) {
        let parts = words.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let moment = Moment(rawValue: String(parts[0])), let count = UInt32(parts[1]),
            count > 0
        else { return nil }
        self.moment = moment
        countLeft = count
    }

    /// A moment has come; true when it is the one.
    mutating func isReached(_ moment: Moment) -> Bool {
        guard moment == self.moment else { return false }
        countLeft &-= 1
        return countLeft == 0
    }

    /// Kills the process when this is the moment.
    mutating func reached(_ moment: Moment) {
        if isReached(moment) { raise(SIGKILL) }
    }
}
