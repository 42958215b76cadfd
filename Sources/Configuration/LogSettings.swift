/// What is logged and where to: `log_dest`, `log_type`, `log_timestamp`, `connection_messages`.
package struct LogSettings: Equatable, Sendable {
    /// A place that log lines go to.
    package enum Destination: String, CaseIterable, Sendable {
        case stderr, stdout
    }

    /// Where lines go; empty after `log_dest none`.
    package var destinations: [Destination] = [.stderr]
    /// Which kinds of line are written.
    package var types: LogTypes = .standard
    /// Whether a line begins with its time.
    package var hasTimestamps = true
    /// Whether clients that come and go are logged.
    package var hasConnectionMessages = true

    package init() {}
}

/// The kinds of log line, with mosquitto's names.
package struct LogTypes: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    package static let debug = LogTypes(rawValue: 1 << 0)
    package static let information = LogTypes(rawValue: 1 << 1)
    package static let notice = LogTypes(rawValue: 1 << 2)
    package static let warning = LogTypes(rawValue: 1 << 3)
    package static let error = LogTypes(rawValue: 1 << 4)
    package static let subscribe = LogTypes(rawValue: 1 << 5)
    package static let unsubscribe = LogTypes(rawValue: 1 << 6)
    package static let websockets = LogTypes(rawValue: 1 << 7)

    /// What is logged where the file says nothing.
    package static let standard: LogTypes = [.error, .warning, .notice, .information]
    /// `log_type all`.
    package static let all: LogTypes = [
        .debug, .information, .notice, .warning, .error, .subscribe, .unsubscribe, .websockets,
    ]

    /// The words of `log_type` but for `none`, which empties the set.
    package static let names: [(name: String, types: LogTypes)] = [
        ("debug", .debug), ("information", .information), ("notice", .notice), ("warning", .warning),
        ("error", .error), ("subscribe", .subscribe), ("unsubscribe", .unsubscribe), ("websockets", .websockets),
        ("all", .all),
    ]
}
