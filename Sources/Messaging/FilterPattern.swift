internal import Bytes

/// A topic filter of the access rules, and how it relates to topics and to other filters, level by level
/// (MQTT 5.0 §4.7). A wildcard in the first level stands for no name that begins with `$` [MQTT-4.7.2-1].
struct FilterPattern {
    private let filter: ByteView
    private let clientID: Meaning?
    private let userName: Meaning?

    /// What a level stands for.
    private enum Meaning {
        case name(ByteView)
        /// `+`
        case any
        /// `#`
        case rest

        /// Whether it is a name that the server keeps for itself, if it comes first.
        var isServers: Bool {
            if case .name(let name) = self { name.beginsWithDollar } else { false }
        }
    }

    /// A filter as it stands.
    init(_ filter: ByteView) {
        self.filter = filter
        clientID = nil
        userName = nil
    }

    /// A filter in which a level `%c` means the client id and `%u` the user name.
    ///
    /// Nil if it asks for a name that there is not. Names are compared as they are, so a name with a wildcard is no
    /// wildcard here. Still, a name with `+`, `#` or `/` is no level of a topic, and one with `$` must not lead to the
    /// server's own: a rule that grants something to such a client grants nothing, and one that denies (`widens`)
    /// denies the level whatever it is [M-25].
    init?(_ filter: ByteView, clientID: ByteView?, userName: ByteView?, widens: Bool) {
        var levels = Levels(filter)
        var isFirst = true
        while let level = levels.next() {
            defer { isFirst = false }
            guard let placeholder = level.placeholder else { continue }
            guard let name = placeholder == .clientID ? clientID : userName else { return nil }
            if !widens, !name.isLevel || isFirst && name.beginsWithDollar { return nil }
        }
        self.filter = filter
        self.clientID = clientID.map { $0.isLevel ? .name($0) : .any }
        self.userName = userName.map { $0.isLevel ? .name($0) : .any }
    }

    private func meaning(of level: ByteView) -> Meaning {
        switch level.placeholder {
        case .clientID: if let clientID { return clientID }
        case .userName: if let userName { return userName }
        case nil: break
        }
        return Self.plainMeaning(of: level)
    }

    private static func plainMeaning(of level: ByteView) -> Meaning {
        guard level.count == 1 else { return .name(level) }
        switch level[0] {
        case UInt8(ascii: "+"): return .any
        case UInt8(ascii: "#"): return .rest
        default: return .name(level)
        }
    }

    /// Whether the filter matches a topic name.
    func matches(_ topic: ByteView) -> Bool {
        compare(with: topic) { mine, theirs in
            switch (mine, theirs) {
            case (.rest, _): .yes
            case (_, nil), (nil, _): .no
            case (.any, _): .goOn
            case (.name(let mine), .name(let theirs)): mine == theirs ? .goOn : .no
            case (.name, _): .no
            }
        }
    }

    /// Whether the filter matches all that `other` matches. Says no where that takes more than a look at the levels.
    func covers(_ other: ByteView) -> Bool {
        compare(with: other) { mine, theirs in
            switch (mine, theirs) {
            case (.rest, _): .yes
            case (_, nil), (nil, _), (_, .rest): .no
            case (.any, _): .goOn
            case (.name(let mine), .name(let theirs)): mine == theirs ? .goOn : .no
            case (.name, .any): .no
            }
        }
    }

    /// Whether some topic is matched by both filters.
    func overlaps(_ other: ByteView) -> Bool {
        compare(with: other) { mine, theirs in
            switch (mine, theirs) {
            case (.rest, _), (_, .rest): .yes
            case (_, nil), (nil, _): .no
            case (.any, _), (_, .any): .goOn
            case (.name(let mine), .name(let theirs)): mine == theirs ? .goOn : .no
            }
        }
    }

    private enum Step { case goOn, yes, no }

    /// Goes through the levels of both; yes if both end together.
    private func compare(with other: ByteView, _ step: (Meaning?, Meaning?) -> Step) -> Bool {
        var mine = Levels(filter)
        var theirs = Levels(other)
        var isFirst = true
        while true {
            let left = mine.next().map { meaning(of: $0) }
            let right = theirs.next().map { Self.plainMeaning(of: $0) }
            if left == nil, right == nil { return true }
            // Of `$SYS` and `+` in the first level, neither stands for the other.
            if isFirst, let left, let right, left.isServers != right.isServers { return false }
            isFirst = false
            switch step(left, right) {
            case .goOn: continue
            case .yes: return true
            case .no: return false
            }
        }
    }
}

/// The levels of a name or filter.
private struct Levels {
    private var rest: ByteView?

    init(_ name: ByteView) { rest = name }

    mutating func next() -> ByteView? {
        guard let rest else { return nil }
        var end = 0
        while end < rest.count, rest[end] != UInt8(ascii: "/") { end += 1 }
        self.rest = end < rest.count ? rest.dropFirst(end + 1) : nil
        return rest[0..<end]
    }
}

private enum Placeholder { case clientID, userName }

extension ByteView {
    /// Which name a level of a pattern stands for.
    fileprivate var placeholder: Placeholder? {
        guard count == 2, self[0] == UInt8(ascii: "%") else { return nil }
        switch self[1] {
        case UInt8(ascii: "c"): return .clientID
        case UInt8(ascii: "u"): return .userName
        default: return nil
        }
    }

    /// Whether a level of a filter is `%c` or `%u`.
    var hasPlaceholder: Bool {
        var levels = Levels(self)
        while let level = levels.next() {
            if level.placeholder != nil { return true }
        }
        return false
    }

    /// Whether a name can be a level of a topic: nothing in it has a meaning in filters.
    fileprivate var isLevel: Bool {
        !memory.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: "/") }
    }
}
