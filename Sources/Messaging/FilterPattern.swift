internal import Bytes

/// A topic filter of the access rules, and how it relates to topics and to other filters, level by level
/// (MQTT 5.0 §4.7). A wildcard in the first level stands for no name that begins with `$` [MQTT-4.7.2-1].
struct FilterPattern {
    private let filter: ByteView
    private let clientID: ByteView?
    private let userName: ByteView?
    /// Whether `%c` and `%u` mean names.
    private let hasNames: Bool

    /// What a level stands for.
    private enum Meaning {
        case name(ByteView)
        /// A level with `%c` or `%u` in it, and the names that stand for them.
        case composed(ByteView, clientID: ByteView, userName: ByteView)
        /// `+`
        case any
        /// `#`
        case rest

        /// Whether it is a name that the server keeps for itself, if it comes first.
        var isServers: Bool {
            switch self {
            case .name(let name): name.beginsWithDollar
            case .composed(let level, let clientID, let userName):
                level.firstByte(clientID: clientID, userName: userName) == UInt8(ascii: "$")
            case .any, .rest: false
            }
        }

        /// Whether two levels without wildcards are one.
        func isName(_ name: ByteView) -> Bool {
            switch self {
            case .name(let mine): mine == name
            case .composed(let level, let clientID, let userName):
                level.isComposed(as: name, clientID: clientID, userName: userName)
            case .any, .rest: false
            }
        }
    }

    /// A filter as it stands.
    init(_ filter: ByteView) {
        self.filter = filter
        clientID = nil
        userName = nil
        hasNames = false
    }

    /// A filter in which `%c` means the client id and `%u` the user name, wherever in a level they stand.
    ///
    /// Nil if it asks for a name that there is not. Names are compared as they are, so a name with a wildcard is no
    /// wildcard here. Still, a name with `+`, `#` or `/` is no part of a level, and one with `$` must not lead to the
    /// server's own: a rule that grants something to such a client grants nothing, and one that denies (`widens`)
    /// denies the level whatever it is [M-25].
    init?(_ filter: ByteView, clientID: ByteView?, userName: ByteView?, widens: Bool) {
        var levels = Levels(filter)
        var isFirst = true
        while let level = levels.next() {
            defer { isFirst = false }
            let places = level.placeholders
            if places.clientID && clientID == nil || places.userName && userName == nil { return nil }
            guard !widens, places.any else { continue }
            let isGood =
                (!places.clientID || clientID?.isLevel == true) && (!places.userName || userName?.isLevel == true)
            let first = isFirst ? level.firstByte(clientID: clientID ?? .empty, userName: userName ?? .empty) : nil
            if !isGood || first == UInt8(ascii: "$") && !level.beginsWithDollar { return nil }
        }
        self.filter = filter
        self.clientID = clientID
        self.userName = userName
        hasNames = true
    }

    private func meaning(of level: ByteView) -> Meaning {
        guard hasNames else { return Self.plainMeaning(of: level) }
        let places = level.placeholders
        guard places.any else { return Self.plainMeaning(of: level) }
        let (clientID, userName) = (clientID ?? .empty, userName ?? .empty)
        if places.clientID, !clientID.isLevel { return .any }
        if places.userName, !userName.isLevel { return .any }
        return .composed(level, clientID: clientID, userName: userName)
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
            case (let mine?, .name(let theirs)): mine.isName(theirs) ? .goOn : .no
            case (_, .any), (_, .rest), (_, .composed): .no
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
            case (let mine?, .name(let theirs)): mine.isName(theirs) ? .goOn : .no
            case (_, .any), (_, .composed): .no
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
            case (let mine?, .name(let theirs)): mine.isName(theirs) ? .goOn : .no
            case (_, .composed): .no
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

/// Whose names are in a level.
private struct Placeholders {
    var clientID = false
    var userName = false

    var any: Bool { clientID || userName }
}

extension ByteView {
    /// What stands for a name at `index`: `c` of `%c`, `u` of `%u`, or nil. As in mosquitto, `%%c` is `%` and the name.
    private func placeholder(at index: Int) -> UInt8? {
        guard index + 1 < count, self[index] == UInt8(ascii: "%") else { return nil }
        let letter = self[index + 1]
        return letter == UInt8(ascii: "c") || letter == UInt8(ascii: "u") ? letter : nil
    }

    /// Which names are in it.
    fileprivate var placeholders: Placeholders {
        var found = Placeholders()
        for index in 0..<count {
            guard let letter = placeholder(at: index) else { continue }
            if letter == UInt8(ascii: "c") { found.clientID = true } else { found.userName = true }
        }
        return found
    }

    /// Whether `%c` or `%u` is in a filter.
    var hasPlaceholder: Bool { placeholders.any }

    /// Bytes of the levels of a filter before the first that is a wildcard or has a name in it, without the slash.
    var literalHeadCount: Int {
        var levels = Levels(self)
        var end = 0
        var isFirst = true
        while let level = levels.next() {
            let isWildcard = level.count == 1 && level.hasWildcard
            if isWildcard || level.placeholders.any { return end }
            end += level.count + (isFirst ? 0 : 1)
            isFirst = false
        }
        return end
    }

    /// The first byte of a level once the names stand in it; nil for a level of no bytes.
    fileprivate func firstByte(clientID: ByteView, userName: ByteView) -> UInt8? {
        var index = 0
        while index < count {
            guard let letter = placeholder(at: index) else { return self[index] }
            let name = letter == UInt8(ascii: "c") ? clientID : userName
            if !name.isEmpty { return name[0] }
            index += 2
        }
        return nil
    }

    /// Whether a level is `name` once the names stand in it.
    fileprivate func isComposed(as name: ByteView, clientID: ByteView, userName: ByteView) -> Bool {
        var rest = name
        var index = 0
        while index < count {
            guard let letter = placeholder(at: index) else {
                guard !rest.isEmpty, rest[0] == self[index] else { return false }
                rest = rest.dropFirst(1)
                index += 1
                continue
            }
            let part = letter == UInt8(ascii: "c") ? clientID : userName
            guard rest.count >= part.count, rest[0..<part.count] == part else { return false }
            rest = rest.dropFirst(part.count)
            index += 2
        }
        return rest.isEmpty
    }

    /// Whether a name can be a level of a topic: nothing in it has a meaning in filters.
    fileprivate var isLevel: Bool {
        !memory.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: "/") }
    }
}
